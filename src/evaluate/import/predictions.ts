/** Imports the predictions of another program, checked against a data set image by image. */
import { targetProbabilityColumn } from '../../datasets/build.ts'
import { basename } from 'node:path'
import { type Dataset } from '../../datasets/dataset.ts'
import {
  imagenetSpace,
  listItems,
  ownSpace,
  parseLabels,
} from '../../datasets/labels/labelSpace.ts'
import { type RawTable, rawCellText } from '../../datasets/readTable.ts'
import { inputError, quoteForMessage } from '../../lib/errors.ts'
import { memoize } from '../../lib/memoize.ts'
import { emptyPredictions, type Predictions, topCount } from '../../results/predictions.ts'
import { scoreRow } from '../../results/scoreRow.ts'
import { recordOwnImageFolders } from '../../results/imageSources.ts'
import { recordDataset } from '../../results/records.ts'
import { sum } from '../../metrics/numbers.ts'
import { createResultKey, type ModelKeyFields, type ResultKey } from '../../results/schema.ts'
import {
  type AnswerProtocol,
  type AnswerReader,
  type AnswerSummary,
  answerSummaryText,
  type ClassAlias,
  createAnswerReader,
  isRight,
  summarizeAnswers,
} from './answers.ts'
import { shortList, unescapeFormula } from '../../lib/table/text.ts'
import { type RunTags } from '../../results/runRecords.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'
import { describeFile, storeImported } from './storeImported.ts'

export interface CoverageReport {
  images: number
  /** The number of the data set's images that the file has. */
  covered: number
  /** Ids of images without a prediction, and ids that the data set does not have. */
  missing: string[]
  unknown: string[]
  /** How the protocols score free-text answers. */
  answers?: AnswerSummary
}

export interface PredictionImportOptions {
  file: string
  model: string
  preprocessing: PreprocessingMode
  /** Accepts a file that misses images, which are stored as errors. */
  partial: boolean
  /** How free-text answers become classes. */
  protocol: AnswerProtocol
  /** Further names of the classes in free-text answers. */
  aliases?: readonly ClassAlias[]
  /** Names of this run in `history`, part of no key. */
  tags?: RunTags | undefined
  out: string
}

const missingPrediction = 'missing-prediction'
/** The status of an image whose answer declines to name anything. */
const refused = 'refused'

/** Returns whether a table has free-text answers and nothing else to score. */
const hasAnswers = ({ columns }: Pick<RawTable, 'columns'>): boolean =>
  columns.includes('answer') && !columns.includes('top5') && !columns.includes('logits')

type PredictionRow = Record<string, unknown>

/** Compares the ids of a file with those of the data set. @throws GeogapError `duplicate-id` */
function checkCoverage(
  dataset: Dataset,
  rows: readonly PredictionRow[],
): CoverageReport & { byId: Map<string, PredictionRow> } {
  const ids = new Set(dataset.samples.map(({ id }) => id))
  const byId = new Map<string, PredictionRow>()
  for (const row of rows) {
    const text = rawCellText(row['id']) ?? ''
    const id = ids.has(text) ? text : unescapeFormula(text)
    if (byId.has(id)) throw inputError('duplicate-id', `duplicate id: ${id}`)
    byId.set(id, row)
  }
  const missing = dataset.samples.flatMap(({ id }) => (byId.has(id) ? [] : [id]))
  const unknown = [...byId.keys()].filter(id => !ids.has(id))
  return { images: ids.size, covered: ids.size - missing.length, missing, unknown, byId }
}

/** Refuses predictions of several models in one file, which would be stored as those of one. */
function refuseSeveralModels({ columns }: Dataset, table: RawTable, file: string): void {
  if (columns.includes('model') || !table.columns.includes('model')) return
  const models = [...new Set(table.rows.map(row => rawCellText(row['model']) ?? '(none)'))]
  if (models.length > 1)
    throw inputError(
      'many-models',
      `${file} holds predictions of ${models.length} models in its column model (${shortList(models, 5)}): write a file for each and import it with --model`,
    )
}

/**
 * Stores predictions like an evaluation's, marked as imported. A file with other images is refused, and one that misses
 * images is unless `partial` is set. Answers in free text are scored by a protocol; refusals are images without a prediction.
 * @throws GeogapError `incomplete-predictions`, `unknown-class`, `masked-class`, `ambiguous-class`, `few-classes`,
 * `bad-logits`, `bad-probability`, `many-models`
 */
export async function importPredictions(
  dataset: Dataset,
  table: RawTable,
  options: PredictionImportOptions,
): Promise<CoverageReport> {
  refuseSeveralModels(dataset, table, options.file)
  const { byId, ...report } = checkCoverage(dataset, table.rows)
  if (report.unknown.length > 0 || (report.missing.length > 0 && !options.partial))
    throw inputError(
      'incomplete-predictions',
      `${options.file}: ${coverageText(report)}; --partial takes missing ones`,
    )
  const read = hasAnswers(table) ? createAnswerReader(dataset, options.aliases) : undefined
  const fill = read
    ? answerFiller(dataset, read, options.protocol)
    : table.columns.includes('logits')
      ? logitsFiller(dataset)
      : classFiller(dataset)
  const predictions = emptyPredictions(options.model, dataset.samples.length)
  for (const [i, { id }] of dataset.samples.entries()) {
    const row = byId.get(id)
    if (row) fill(predictions, i, { row, where: `${id} in ${basename(options.file)}` })
    else predictions.status[i] = missingPrediction
  }
  const identity = await importedResultKey(dataset, options, read !== undefined)
  await recordDataset(options.out, dataset)
  await recordOwnImageFolders(dataset)
  await storeImported(options.out, [{ identity, dataset, predictions }], options.tags)
  if (!read) return report
  const answers = dataset.samples.flatMap(({ id, labels }) => {
    const row = byId.get(id)
    return row && labels.length > 0 ? { answer: answerOf(row), labels } : []
  })
  return { ...report, answers: summarizeAnswers(read, answers, options.protocol) }
}

const answerOf = (row: PredictionRow): string => rawCellText(row['answer']) ?? ''

const firstIds = (ids: readonly string[]): string =>
  `${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ', …' : ''}`

/** Returns a text such as `9998 of 10000 images covered, 2 missing (a, b), 1 unknown (c)`, followed by the summary of answers. */
export function coverageText(report: CoverageReport): string {
  const { images, covered, missing, unknown, answers } = report
  const coverage = [
    `${covered} of ${images} images covered`,
    `${missing.length} missing${missing.length > 0 ? ` (${firstIds(missing)})` : ''}`,
    `${unknown.length} unknown${unknown.length > 0 ? ` (${firstIds(unknown)})` : ''}`,
  ].join(', ')
  return answers ? `${coverage}; ${answerSummaryText(answers)}` : coverage
}

/** Writes image `i` of the predictions from a file's row; `where` names the row in errors. */
type PredictionFiller = (
  outcomes: Predictions,
  i: number,
  source: { row: PredictionRow; where: string },
) => void

const logitsFiller =
  ({ classes, choices, samples }: Dataset): PredictionFiller =>
  (outcomes, i, { row, where }) => {
    const logits = Float32Array.from(
      numbersOf(row['logits'], item =>
        inputError('bad-logits', `logit ${item} is no number: ${where}`),
      ),
    )
    if (logits.length !== classes.length)
      throw inputError(
        'bad-logits',
        `${logits.length} logits for ${classes.length} classes: ${where}`,
      )
    scoreRow(outcomes, i, { logits, labels: samples[i]!.labels, choices })
  }

/** Writes the class that an answer names; of several that share the name, an accepted one. */
const answerFiller =
  ({ samples }: Dataset, read: AnswerReader, protocol: AnswerProtocol): PredictionFiller =>
  (outcomes, i, { row }) => {
    const found = read(answerOf(row), protocol)
    if (found === 'refusal') outcomes.status[i] = refused
    if (typeof found === 'string') return
    const { labels } = samples[i]!
    outcomes.top5[i * topCount] = found.find(index => labels.includes(index)) ?? found[0]!
    outcomes.rank[i] = isRight(found, labels) ? 1 : 0
  }

/** Reads the list `top5`, most probable first: at least five classes, or all that there are. */
function classFiller(dataset: Dataset): PredictionFiller {
  const { classes, choices, samples: items } = dataset
  const find = classFinder(dataset)
  const competing = choices === 'all' ? classes.length : choices.length
  const needed = Math.min(topCount, competing)
  return (outcomes, i, { row, where }) => {
    const listed = listItems(row['top5']).map(item => item ?? '')
    const written = parseLabels(listed)
    if (written.length < listed.length)
      throw inputError(
        'unknown-class',
        `an item of top5 is empty, NaN or -1, which is no class: ${where}`,
      )
    if (written.length < needed)
      throw inputError(
        'few-classes',
        `${written.length} classes where top-5 accuracy takes ${needed}: ${where}`,
      )
    const indices = written.map(name => find(name, where))
    if (new Set(indices).size < indices.length)
      throw inputError('duplicate-class', `a class is given twice: ${where}`)
    outcomes.top5.set(indices.slice(0, topCount), i * topCount)
    const probabilities = readProbabilities(row['probabilities'], written.length, where)
    outcomes.probabilities.set(probabilities.slice(0, topCount), i * topCount)
    outcomes.rank[i] = indices.findIndex(index => items[i]!.labels.includes(index)) + 1
    const known = knownTarget({ indices, probabilities, competing }, items[i]!.labels)
    outcomes.targetProbability[i] = readTarget(row[targetProbabilityColumn], known, where)
  }
}

/** Bounds of the probability of the accepted classes, by the classes whose probabilities are given. */
type TargetBounds = readonly [least: number, most: number]

/** Returns what the listed classes tell of the accepted classes' probability; equal bounds where they tell it. */
function knownTarget(
  {
    indices,
    probabilities,
    competing,
  }: { indices: readonly number[]; probabilities: readonly number[]; competing: number },
  labels: readonly number[],
): TargetBounds {
  const given = indices.slice(0, probabilities.length)
  const least = sum(probabilities.filter((_, k) => labels.includes(given[k]!)))
  const isWhole = given.length === competing || labels.every(index => given.includes(index))
  return [least, isWhole ? least : Math.max(least, least + 1 - sum(probabilities))]
}

/** Probabilities in files are rounded. */
const targetTolerance = 0.005

/** Returns the accepted classes' probability of a file's cell, or by the listed classes; NaN if neither tells it. */
function readTarget(cell: unknown, [least, most]: TargetBounds, where: string): number {
  const text = rawCellText(cell) ?? ''
  if (text === '') return least === most ? Math.min(1, least) : NaN
  const value = Number(text)
  if (!(value >= 0 && value <= 1))
    throw inputError(
      'bad-probability',
      `${targetProbabilityColumn} ${text} is not in 0 … 1: ${where}`,
    )
  if (value < least - targetTolerance || value > most + targetTolerance)
    throw inputError(
      'bad-probability',
      `${targetProbabilityColumn} ${text} is not in ${least.toFixed(3)} … ${most.toFixed(3)}, as the probabilities of the listed classes have it: ${where}`,
    )
  return value
}

/** Reads the probabilities of the listed classes, or of the first ones; they cannot rise or add to more than 1. */
function readProbabilities(cell: unknown, classCount: number, where: string): number[] {
  const refuse = (reason: string) => inputError('bad-probability', `${reason}: ${where}`)
  const outside = (value: string | number) => refuse(`probability ${value} is not in 0 … 1`)
  const values = numbersOf(cell, outside)
  const bad = values.find(value => !(value >= 0 && value <= 1))
  if (bad !== undefined) throw outside(bad)
  if (values.length > classCount)
    throw refuse(`${values.length} probabilities for the ${classCount} classes of top5`)
  const rise = values.findIndex((value, k) => k > 0 && value > values[k - 1]! + 1e-6)
  if (rise !== -1)
    throw refuse(
      `probabilities rise from ${values[rise - 1]} to ${values[rise]}, but top5 begins with the most probable class`,
    )
  const total = sum(values)
  if (total > 1 + values.length * targetTolerance)
    throw refuse(`probabilities add to ${total.toFixed(3)}; give them after softmax`)
  return values
}

/** Returns the numbers of a list, NaN for a missing one; throws what `refuse` returns for an item that is no number. */
function numbersOf(cell: unknown, refuse: (item: string) => Error): number[] {
  return listItems(cell).map(item => {
    const text = String(item).trim()
    if (/^(nan|none|null)$/i.test(text)) return NaN
    const value = Number(text.replace(/^([+-]?)inf$/i, '$1Infinity'))
    if (text !== '' && !Number.isNaN(value)) return value
    throw refuse(quoteForMessage(text))
  })
}

/**
 * Returns a function that finds a class by its number, or as a label of the data set names it.
 * @throws GeogapError `unknown-class`, `unknown-wnid`, `masked-class` if the class does not compete, `ambiguous-class` if a
 * name stands for several classes or a number is another class's name
 */
function classFinder({ classes, choices, labelSpace, name: dataset }: Dataset) {
  const { resolve } = labelSpace === 'imagenet-1k' ? imagenetSpace : ownSpace(classes)
  const indicesOf = memoize(resolve)
  const byName = new Map(classes.map((name, index) => [name, index]))
  const competing = new Set(choices === 'all' ? classes.keys() : choices)
  return (written: string, where: string): number => {
    const isNumber = /^\d+$/.test(written)
    const index = isNumber ? Number(written) : indicesOf(written)[0]!
    const named = isNumber ? byName.get(written) : undefined
    if (index >= classes.length)
      throw inputError(
        'unknown-class',
        `class index ${written} is out of range: ${dataset} has ${classes.length}: ${where}`,
      )
    if (named !== undefined && named !== index)
      throw inputError(
        'ambiguous-class',
        `class ${written} is the name of class ${named} and the index of ${classes[index]!}: ${where}`,
      )
    if (!competing.has(index))
      throw inputError(
        'masked-class',
        `class ${written} is none of the ${competing.size} that compete: mask the others before ranking: ${where}`,
      )
    return index
  }
}

async function importedResultKey(
  dataset: Dataset,
  { file, model, preprocessing, protocol }: PredictionImportOptions,
  areAnswers: boolean,
): Promise<ResultKey> {
  const source = await describeFile(file)
  const origin: ModelKeyFields = {
    runtime: 'imported',
    model,
    weights: [],
    preprocessing,
    steps: areAnswers ? `answers by ${protocol} from ${source}` : `imported from ${source}`,
    prompts: areAnswers || dataset.labelSpace === 'own' ? 'imported' : '',
    source: areAnswers ? 'answers' : 'imported',
  }
  return createResultKey(origin, dataset)
}
