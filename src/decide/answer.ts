import { type Column, type Format, formatTable } from '../report/tables.ts'
import { printable } from '../report/text.ts'

/** What people read: a sentence, the columns that have a heading, and what the numbers are. */
export function answerText<Row>(
  sentence: string,
  [columns, rows]: readonly [readonly Column<Row>[], readonly Row[]],
  notes: readonly string[],
  format: Format,
): string {
  const [strong, gap] = format === 'markdown' ? (['**', '\n\n'] as const) : (['', '\n'] as const)
  const shown = columns.filter(({ heading }) => heading !== '')
  return `${strong}${printable(sentence)}${strong}\n\n${formatTable(shown, rows, format)}\n${notes.map(printable).join(gap)}\n`
}
