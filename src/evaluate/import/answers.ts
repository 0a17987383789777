/** Scores free-text answers of generative models by a named protocol. */
import { type Dataset } from '../../datasets/dataset.ts'
import { imagenetClasses } from '../../datasets/labels/imagenet.ts'
import { type RawTable, rawCellText } from '../../datasets/readTable.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { countText } from '../../lib/table/text.ts'
import { groupByKey } from '../../lib/tally.ts'

/**
 * How an answer becomes a class: `first-mention` takes the class whose name or alias begins first in the answer, and the longest
 * of several that begin at the same word; `exact` takes the class whose name or alias is the whole answer.
 */
export const answerProtocols = ['first-mention', 'exact'] as const
export type AnswerProtocol = (typeof answerProtocols)[number]

/** What an answer says: class indices (several if classes share the name), `refusal`, or `none` if it names no class. */
export type ReadAnswer = readonly number[] | 'refusal' | 'none'

/** Reads an answer by one protocol. */
export type AnswerReader = (answer: string, protocol: AnswerProtocol) => ReadAnswer

/** The words of a text in lower case and the singular, without punctuation, accents and articles. */
export function answerWords(text: string): string[] {
  const plain = text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()
  const words = plain.replace(/['’]/g, '').match(/[\p{L}\p{N}]+/gu) ?? []
  return words.filter(word => !articles.has(word)).map(singular)
}

const articles = new Set(['a', 'an', 'the'])

/** Returns an English word without its plural ending, for names and answers. */
function singular(word: string): string {
  if (word.length < 4 || /(ss|us|is)$/.test(word)) return word
  if (word.endsWith('ies')) return `${word.slice(0, -3)}y`
  if (/(ch|sh|s|x|z)es$/.test(word)) return word.slice(0, -2)
  return word.endsWith('s') ? word.slice(0, -1) : word
}

/** English words of an answer that declines to name anything. */
const refusal =
  /\b(cannot|cant|unable to|not able to|not sure|unsure|dont know|do not know|no idea|sorry|unclear|not possible to|as an ai)\b/

const isRefusal = (answer: string): boolean => {
  const plain = answer.toLowerCase().replace(/['’]/g, '').replace(/\s+/g, ' ').trim()
  return /^(|n\/?a|none|null|unknown|[?.-]+)$/.test(plain) || refusal.test(plain)
}

/**
 * Creates the reader of answers about a data set. Names are the classes' own, ImageNet's synonyms, and `aliases`.
 * @throws GeogapError `no-class-names` if a class's name has no letter or digit
 */
export function createAnswerReader(
  { classes, choices, labelSpace }: Pick<Dataset, 'classes' | 'choices' | 'labelSpace'>,
  aliases: readonly ClassAlias[] = [],
): AnswerReader {
  const competing = choices === 'all' ? [...classes.keys()] : choices
  const isCompeting = new Set(competing)
  const names = competing.flatMap(index => {
    const known = labelSpace === 'imagenet-1k' ? imagenetClasses[index]!.synonyms : []
    return [classes[index]!, ...known].map(name => ({ name, index }))
  })
  const given = aliases.filter(({ index }) => isCompeting.has(index))
  const entries = [...names, ...given].map(({ name, index }) => ({
    index,
    name,
    words: answerWords(name),
  }))
  const nameless = entries.find(({ words }) => words.length === 0)
  if (nameless)
    throw inputError('no-class-names', `no word in the class name ${JSON.stringify(nameless.name)}`)
  const byText = groupByKey(entries, ({ words }) => words.join(' '))
  const longest = Math.max(...entries.map(({ words }) => words.length))
  const classesOf = (words: readonly string[]): readonly number[] | undefined => {
    const found = byText.get(words.join(' '))
    return found && [...new Set(found.map(({ index }) => index))]
  }
  const firstMention = (words: readonly string[]): readonly number[] | undefined => {
    for (let start = 0; start < words.length; start++)
      for (let length = Math.min(longest, words.length - start); length > 0; length--) {
        const found = classesOf(words.slice(start, start + length))
        if (found) return found
      }
    return undefined
  }
  return (answer, protocol) => {
    const words = answerWords(answer)
    const found = protocol === 'exact' ? classesOf(words) : firstMention(words)
    return found ?? (isRefusal(answer) ? 'refusal' : 'none')
  }
}

/** Another name of a class. */
export interface ClassAlias {
  name: string
  index: number
}

/**
 * Returns the aliases of a table with columns `class` and `alias`.
 * @throws GeogapError `bad-aliases`, `unknown-class`
 */
export function readAliases({ columns, rows }: RawTable, classes: readonly string[]): ClassAlias[] {
  if (!columns.includes('class') || !columns.includes('alias'))
    throw inputError(
      'bad-aliases',
      `--aliases takes a table with the columns class and alias, not ${columns.join(', ')}`,
    )
  return rows.map(row => {
    const name = rawCellText(row['class']) ?? ''
    const index = classes.indexOf(name)
    if (index === -1) throw unknownNameError('class', name, classes)
    return { name: rawCellText(row['alias']) ?? '', index }
  })
}

/** How many answers each protocol finds right, wrong, without a class and refused, and how often the two agree. */
export interface AnswerSummary {
  protocol: AnswerProtocol
  counts: Record<AnswerProtocol, { right: number; wrong: number; none: number; refusal: number }>
  /** Answers that both protocols find right, or both not right. */
  agreeing: number
  answers: number
}

/** Counts how both protocols score answers; `labels` are the accepted classes of each answer's image. */
export function summarizeAnswers(
  read: AnswerReader,
  answers: readonly { answer: string; labels: readonly number[] }[],
  protocol: AnswerProtocol,
): AnswerSummary {
  const zero = () => ({ right: 0, wrong: 0, none: 0, refusal: 0 })
  const counts: AnswerSummary['counts'] = { 'first-mention': zero(), exact: zero() }
  let agreeing = 0
  for (const { answer, labels } of answers) {
    const outcomes = answerProtocols.map(name => {
      const found = read(answer, name)
      const outcome = typeof found === 'string' ? found : isRight(found, labels) ? 'right' : 'wrong'
      counts[name][outcome] += 1
      return outcome === 'right'
    })
    if (outcomes[0] === outcomes[1]) agreeing += 1
  }
  return { protocol, counts, agreeing, answers: answers.length }
}

/** Returns whether a name that may stand for several classes stands for an accepted one. */
export const isRight = (found: readonly number[], labels: readonly number[]): boolean =>
  found.some(index => labels.includes(index))

/** Returns the summary in words. */
export function answerSummaryText({ protocol, counts, agreeing, answers }: AnswerSummary): string {
  const { right, wrong, none, refusal } = counts[protocol]
  const answered = answers - refusal
  const other = answerProtocols.find(name => name !== protocol)!
  const share = (count: number, of: number): string =>
    of === 0 ? '–' : `${((100 * count) / of).toFixed(1)} %`
  return [
    `${countText(answers, 'answer')} scored by ${protocol}: ${right} right, ${wrong} another class, ${none} no class, ${countText(refusal, 'refusal')}`,
    `${share(right, answered)} of the images that were answered, ${share(right, answers)} if a refusal counts as wrong`,
    `by ${other} ${share(counts[other].right, answers - counts[other].refusal)}, and both protocols agree whether it is right for ${share(agreeing, answers)}`,
  ].join('; ')
}
