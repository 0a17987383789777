import { type TableColumn, type TableFormat, formatTable } from '../lib/table/columns.ts'
import { stripControlCharacters } from '../lib/table/text.ts'

/**
 * For people a sentence that stands out, or lines, then the columns that have a heading, and what the numbers are; for
 * programs and LaTeX the table alone.
 */
export function answerText<Row>(
  answer: string | readonly string[],
  [columns, rows]: readonly [readonly TableColumn<Row>[], readonly Row[]],
  notes: readonly string[],
  format: TableFormat,
): string {
  const table = formatTable(columns, rows, format)
  if (format !== 'text' && format !== 'markdown') return table
  const [strong, gap] = format === 'markdown' ? (['**', '\n\n'] as const) : (['', '\n'] as const)
  const lead =
    typeof answer === 'string'
      ? `${strong}${stripControlCharacters(answer)}${strong}`
      : answer.map(stripControlCharacters).join('\n')
  return `${lead}\n\n${table}\n${notes.map(stripControlCharacters).join(gap)}\n`
}
