/** Per-image predictions that another program made, checked against a data set image by image. */
import { basename } from 'node:path'
import { type Dataset } from '../../datasets/dataset.ts'
import { parseLabels } from '../../datasets/labels/labels.ts'
import { type RawTable, rawCellText } from '../../datasets/tables.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { type Predictions } from '../../results/predictions.ts'
import { emptyPredictions, scoreRow, topCount } from '../../results/predictions.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { recordDataset } from '../../results/records.ts'
import { createResultKey, type ModelKeyFields, type ResultKey } from '../../results/schema.ts'
import { folderStorage } from '../../lib/storage/folder.ts'
import { withRunRecord, type RunTags } from '../../results/runRecords.ts'
import { commitShard } from '../../results/write.ts'
import { type PreprocessingMode } from '../../lib/pixels/steps.ts'

export interface CoverageReport {
  images: number
  /** Images of the data set that the file has. */
  covered: number
  /** Images without a prediction, and ids that the data set does not have. */
  missing: string[]
  unknown: string[]
}

export interface PredictionImportOptions {
  file: string
  model: string
  preprocessing: PreprocessingMode
  /** Take a file that misses some of the images; they are stored as errors. */
  partial: boolean
  /** What this run is called in `history`; part of no key. */
  tags?: RunTags | undefined
  out: string
}

const missingPrediction = 'missing-prediction'

type PredictionRow = Record<string, unknown>

/** Which ids of a file the data set has. Errors: duplicate-id. */
function checkCoverage(
  dataset: Dataset,
  rows: readonly PredictionRow[],
): CoverageReport & { byId: Map<string, PredictionRow> } {
  const byId = new Map<string, PredictionRow>()
  for (const row of rows) {
    const id = rawCellText(row['id']) ?? ''
    if (byId.has(id)) throw inputError('duplicate-id', `duplicate id: ${id}`)
    byId.set(id, row)
  }
  const ids = new Set(dataset.samples.map(({ id }) => id))
  const missing = dataset.samples.flatMap(({ id }) => (byId.has(id) ? [] : [id]))
  const unknown = [...byId.keys()].filter(id => !ids.has(id))
  return { images: ids.size, covered: ids.size - missing.length, missing, unknown, byId }
}

/**
 * Stores predictions as if they had been made here, marked as imported. A file that misses images or has others is refused,
 * unless `partial` takes missing ones. Errors: incomplete-predictions, unknown-class, masked-class, ambiguous-class, few-classes,
 * bad-logits, bad-probability.
 */
export async function importPredictions(
  dataset: Dataset,
  table: RawTable,
  options: PredictionImportOptions,
): Promise<CoverageReport> {
  const { byId, ...report } = checkCoverage(dataset, table.rows)
  if (report.unknown.length > 0 || (report.missing.length > 0 && !options.partial))
    throw inputError(
      'incomplete-predictions',
      `${options.file}: ${coverageText(report)}; --partial takes missing ones`,
    )
  const predictions = readPredictions(dataset, table.columns, byId, options)
  const identity = await importedResultKey(dataset, options)
  await recordDataset(options.out, dataset)
  const range = { start: 0, end: dataset.samples.length }
  await withRunRecord(options.out, { asked: [identity], tags: options.tags }, () =>
    commitShard(folderStorage(options.out), {
      ...range,
      identity,
      dataset,
      predictions,
      seconds: 0,
    }),
  )
  return report
}

const firstIds = (ids: readonly string[]): string =>
  `${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ', …' : ''}`

/** `9998 of 10000 images covered, 2 missing (a, b), 1 unknown (c)` */
export function coverageText({ images, covered, missing, unknown }: CoverageReport): string {
  return [
    `${covered} of ${images} images covered`,
    `${missing.length} missing${missing.length > 0 ? ` (${firstIds(missing)})` : ''}`,
    `${unknown.length} unknown${unknown.length > 0 ? ` (${firstIds(unknown)})` : ''}`,
  ].join(', ')
}

function readPredictions(
  dataset: Dataset,
  columns: readonly string[],
  byId: ReadonlyMap<string, PredictionRow>,
  { model, file }: PredictionImportOptions,
): Predictions {
  const outcomes = emptyPredictions(model, dataset.samples.length)
  const fill = columns.includes('logits') ? fillLogits : classFiller(dataset)
  for (const [i, { id }] of dataset.samples.entries()) {
    const row = byId.get(id)
    if (row) fill(outcomes, i, row, dataset, `${id} in ${basename(file)}`)
    else outcomes.status[i] = missingPrediction
  }
  return outcomes
}

function fillLogits(
  outcomes: Predictions,
  i: number,
  row: PredictionRow,
  dataset: Dataset,
  where: string,
): void {
  const logits = Float32Array.from(parseListCell(row['logits']), Number)
  if (logits.length !== dataset.classes.length)
    throw inputError(
      'bad-logits',
      `${logits.length} logits for ${dataset.classes.length} classes: ${where}`,
    )
  scoreRow(outcomes, i, { logits, labels: dataset.samples[i]!.labels, choices: dataset.choices })
}

/** `top5` as a list, most probable first: at least five, or as many as there are. */
function classFiller({ classes, choices, name, samples: items }: Dataset): typeof fillLogits {
  const find = classFinder(classes, choices, name)
  const needed = Math.min(topCount, choices === 'all' ? classes.length : choices.length)
  return (outcomes, i, row, _, where) => {
    const written = parseLabels(parseListCell(row['top5']))
    if (written.length < needed)
      throw inputError(
        'few-classes',
        `${written.length} classes where top-5 accuracy takes ${needed}: ${where}`,
      )
    const indices = written.map(name => find(name, where))
    if (new Set(indices).size < indices.length)
      throw inputError('duplicate-class', `a class is given twice: ${where}`)
    outcomes.top5.set(indices.slice(0, topCount), i * topCount)
    const probabilities = parseListCell(row['probabilities']).map(Number)
    const bad = probabilities.find(value => !(value >= 0 && value <= 1))
    if (bad !== undefined)
      throw inputError('bad-probability', `probability ${bad} is not in 0 … 1: ${where}`)
    outcomes.probabilities.set(probabilities.slice(0, topCount), i * topCount)
    outcomes.rank[i] = indices.findIndex(index => items[i]!.labels.includes(index)) + 1
  }
}

/** A Parquet list, or a list as text. */
function parseListCell(cell: unknown): unknown[] {
  if (cell === null || cell === undefined) return []
  if (Array.isArray(cell)) return cell
  if (ArrayBuffer.isView(cell)) return [...(cell as Float32Array)]
  if (typeof cell === 'object' && 'items' in cell) return cell.items as unknown[]
  return parseLabels(cell)
}

/**
 * Finds a class by its name or number. Errors: unknown-class; masked-class, where the class does not compete; ambiguous-class,
 * where a number is another class's name.
 */
function classFinder(classes: readonly string[], choices: Dataset['choices'], dataset: string) {
  const byName = new Map([...classes.entries()].reverse().map(([index, name]) => [name, index]))
  const competing = new Set(choices === 'all' ? classes.keys() : choices)
  return (written: string, where: string): number => {
    const named = byName.get(written)
    const index = /^\d+$/.test(written) ? Number(written) : named
    if (index === undefined) throw unknownNameError('class', written, classes)
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
  { file, model, preprocessing }: PredictionImportOptions,
): Promise<ResultKey> {
  const origin: ModelKeyFields = {
    runtime: 'imported',
    model,
    weights: [],
    preprocessing,
    steps: `imported from ${basename(file)}, SHA-256 ${await hashFile(file, 'sha256')}`,
    prompts: dataset.labelSpace === 'own' ? 'imported' : '',
    source: 'imported',
  }
  return createResultKey(origin, dataset)
}
