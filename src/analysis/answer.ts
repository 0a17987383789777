import { type Column, type Format, formatTable } from '../lib/table/columns.ts'
import { printable } from '../lib/table/text.ts'

/**
 * For people a sentence that stands out, or lines, then the columns that have a heading, and what the numbers are; for
 * programs and LaTeX the table alone.
 */
export function answerText<Row>(
  answer: string | readonly string[],
  [columns, rows]: readonly [readonly Column<Row>[], readonly Row[]],
  notes: readonly string[],
  format: Format,
): string {
  const table = formatTable(columns, rows, format)
  if (format !== 'text' && format !== 'markdown') return table
  const [strong, gap] = format === 'markdown' ? (['**', '\n\n'] as const) : (['', '\n'] as const)
  const said = typeof answer === 'string' ? `${strong}${printable(answer)}${strong}` : answer.map(printable).join('\n')
  return `${said}\n\n${table}\n${notes.map(printable).join(gap)}\n`
}
