import { type TableColumn } from '../../lib/table/columns.ts'
import { type TableFormat, formatTable } from '../../lib/table/formats.ts'
import { wrapToTerminal } from '../../lib/table/fitToTerminal.ts'
import { arrangeRows, type TableArrangement } from '../../lib/table/table.ts'
import { stripControlCharacters } from '../../lib/table/text.ts'

/** The answer to a question about stored results or a data set. */
export interface Answer<Row> {
  /** One sentence, or a heading with sentences for each subject. */
  sentence: string | readonly AnswerSection[]
  columns: readonly TableColumn<Row>[]
  rows: readonly Row[]
  /** The columns and rows that text and Markdown show. Default: all. */
  shownColumns?: readonly TableColumn<Row>[]
  shownRows?: readonly Row[]
  /** The meaning of the columns, and limitations of the answer. */
  notes: readonly string[]
}

/** The sentences about one subject. */
export interface AnswerSection {
  heading: string
  sentences: readonly string[]
}

/** Returns an answer whose table has the columns and the order that were asked for; without any, the answer itself. */
export function arrangeAnswer<Row>(answer: Answer<Row>, asked: TableArrangement): Answer<Row> {
  const { columns, shownColumns = columns, rows, shownRows = rows } = answer
  if (asked.columns === undefined && asked.sort === undefined) return answer
  const shown = arrangeRows(columns, shownRows, asked)
  return {
    ...answer,
    ...arrangeRows(columns, rows, asked),
    shownColumns: asked.columns === undefined ? shownColumns : shown.columns,
    shownRows: shown.rows,
  }
}

/**
 * Returns the answers as text. Text and Markdown have sentence, table and notes of each answer; CSV, JSON and LaTeX have one
 * table with the rows of all answers. `asked` is for the table of each answer.
 */
export function answersText<Row>(
  given: readonly Answer<Row>[],
  format: TableFormat,
  asked: TableArrangement = {},
): string {
  const answers = given.map(answer => arrangeAnswer(answer, asked))
  if (format === 'text' || format === 'markdown')
    return withCommonNotes(answers)
      .map(answer => answerText(answer, format))
      .join('\n')
  const rows = answers.flatMap(answer => answer.rows)
  return formatTable(answers[0]?.columns ?? [], rows, format)
}

/** Returns the answers with notes that all of them have in the last one alone, after its own. */
function withCommonNotes<Row>(answers: readonly Answer<Row>[]): readonly Answer<Row>[] {
  const common = answers[0]?.notes.filter(note =>
    answers.every(({ notes }) => notes.includes(note)),
  )
  return answers.map((answer, i) => {
    const own = answer.notes.filter(note => !common!.includes(note))
    return { ...answer, notes: i === answers.length - 1 ? [...own, ...common!] : own }
  })
}

function answerText<Row>(
  { sentence, columns, shownColumns = columns, rows, shownRows = rows, notes }: Answer<Row>,
  format: 'text' | 'markdown',
): string {
  const isMarkdown = format === 'markdown'
  const strong = isMarkdown ? '**' : ''
  const lead =
    typeof sentence === 'string'
      ? `${strong}${stripControlCharacters(sentence)}${strong}`
      : sentence.map(section => sectionText(section, isMarkdown)).join('\n\n')
  const noteText = notes.map(stripControlCharacters).join(isMarkdown ? '\n\n' : '\n')
  const table = formatTable(shownColumns, shownRows, format)
  return isMarkdown
    ? `${lead}\n\n${table}${noteText === '' ? '' : `\n${noteText}\n`}`
    : `${wrapToTerminal(lead)}\n\n${table}${noteText === '' ? '' : `\n${wrapToTerminal(noteText)}\n`}`
}

const sectionText = ({ heading, sentences }: AnswerSection, isMarkdown: boolean): string =>
  [
    `${stripControlCharacters(heading)}${isMarkdown ? '\n' : ''}`,
    ...sentences.map(text => `${isMarkdown ? '- ' : ''}${stripControlCharacters(text)}`),
  ].join('\n')
