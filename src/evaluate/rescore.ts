/*
 * Kept outputs scored anew: other labels, choices, classes or prompts give the rows that a fresh evaluation would give, and
 * go to the place that it would give them, without reading an image or running a model on one.
 */
import { isDeepStrictEqual } from 'node:util'
import { findModelNames } from '../models/findModelName.ts'
import { plainModelName } from '../models/promptedName.ts'
import { promptedName } from '../models/zeroShot/prompts.ts'
import { type Dataset, type Sample } from '../datasets/dataset.ts'
import { absoluteSpec, type DatasetSpec, openDataset } from '../datasets/open.ts'
import { shuffleWithinRegions, regionRanges } from '../datasets/evaluationOrder.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { emptyPredictions, type Predictions } from '../results/predictions.ts'
import { scoreRow } from '../results/scoreRow.ts'
import { intersectRanges, splitRange } from '../lib/ranges.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { openKeptOutputs, type KeptOutputReader } from '../results/keptOutputReader.ts'
import { type DatasetRecord, readDatasetRecords, recordDataset } from '../results/records.ts'
import { findIncomplete } from '../results/completeness.ts'
import { removeDamagedShards } from '../results/removeDamaged.ts'
import {
  currentEvaluations,
  readRunRecords,
  type RunTags,
  withRunRecord,
} from '../results/runRecords.ts'
import {
  datasetKeyFields,
  isUnscaled,
  keptOutputs,
  type KeptOutput,
  type ResultKey,
} from '../results/schema.ts'
import {
  distinctFieldValues,
  type StoredEvaluation,
  evaluationPath,
  findGaps,
  readStoredEvaluations,
  readStoredEvaluation,
} from '../results/storedEvaluations.ts'
import { commitShard } from '../results/writeShard.ts'
import { openRun, type Run } from '../results/run.ts'
import { createRescoringHead, type RescoringHead } from './rescoringHead.ts'

export interface RescoreOptions {
  /** Models and data sets by their names in the results; all that have kept outputs by default. */
  models?: readonly string[]
  dataset?: string
  /** What is to be different from how the data set was opened: `labels`, `classes`, `choices`, `regions`, `name`, `data`. */
  change?: Partial<DatasetSpec>
  /** Prompts of zero-shot models whose features were kept; those of the evaluation by default. */
  prompts?: string
  /** Weights of the text tower, where the model's own are not to be found by its name. */
  weights?: string
  /** What this run is called in `history`; part of no key. */
  tags?: RunTags
  /** Where the rows go; the same folder by default. */
  out?: string
}

/** An evaluation with kept outputs, and what is to be scored from them. */
interface RescoringTask {
  entry: StoredEvaluation
  output: KeptOutput
  dataset: Dataset
  identity: ResultKey
  /** Null for kept logits, which need no head. */
  head: RescoringHead | null
}

/**
 * Scores all kept outputs below `dir` with a change.
 * Errors: nothing-kept, not-opened, changed-data, other-classes, no-logits.
 */
export async function rescore(dir: string, options: RescoreOptions): Promise<Run> {
  const { change = {}, out = dir, tags } = options
  const records = await readDatasetRecords(dir)
  const tasks: RescoringTask[] = []
  const prefer = options.prompts === undefined ? 'logits' : 'features'
  for (const { entry, output } of await evaluationsWithKeptOutputs(dir, { ...options, prefer })) {
    const record = records.get(entry.identity.content)
    const opened = await reopenDataset(entry, record, change)
    const dataset = shuffleWithinRegions(opened.dataset)
    const data = { dataset, evaluatedClasses: record!.classes }
    const { identity: evaluated } = entry
    const head = await createRescoringHead({ identity: evaluated, output }, data, options)
    const prompts = head?.hash ?? evaluated.prompts
    const identity = { ...evaluated, ...datasetKeyFields(dataset), prompts }
    if (head && options.prompts)
      identity.model = promptedName(plainModelName(evaluated.model), options.prompts)
    await recordDataset(out, dataset, opened.spec)
    tasks.push({ entry, output, dataset, identity, head })
  }
  const asked = tasks.map(({ identity }) => identity)
  const requested = { asked: tasks }
  await removeDamagedShards(folderStorage(out), requested)
  await withRunRecord(out, { asked, tags }, async generation => {
    for (const task of tasks) await scoreEvaluation(task, out, generation)
    return findIncomplete(folderStorage(out), requested)
  })
  return openRun(out)
}

interface KeptOutputRequest extends Pick<RescoreOptions, 'models' | 'dataset'> {
  /** The output to take of evaluations that keep both of as many images. */
  prefer: KeptOutput
}

/** Returns the current evaluations that keep outputs, each with the output that most of its images have. */
export async function evaluationsWithKeptOutputs(
  dir: string,
  { models, dataset, prefer }: KeptOutputRequest,
): Promise<Pick<RescoringTask, 'entry' | 'output'>[]> {
  const most = new Map<string, { entry: StoredEvaluation; output: KeptOutput; rows: number }>()
  for (const output of new Set([prefer, ...keptOutputs]))
    for (const entry of await readStoredEvaluations(dir, output)) {
      const keeping = entry.shards.filter(({ kept }) => kept?.output === output)
      const rows = keeping.reduce((sum, shard) => sum + shard.rows, 0)
      if (rows > (most.get(entry.folder)?.rows ?? 0))
        most.set(entry.folder, { entry, output, rows })
    }
  const all = currentEvaluations(
    [...most.values()].map(({ entry }) => entry),
    await readRunRecords(dir),
  )
  if (all.length === 0)
    throw inputError(
      'nothing-kept',
      `no kept outputs in ${dir}: evaluate with --keep logits or --keep features`,
    )
  const known = distinctFieldValues(all, 'model')
  const chosen = models && findModelNames(models, known)
  const sets = distinctFieldValues(all, 'dataset')
  if (dataset !== undefined && !sets.includes(dataset))
    throw unknownNameError('dataset', dataset, sets)
  return all
    .filter(
      ({ identity }) =>
        (chosen?.includes(identity.model) ?? true) &&
        identity.dataset === (dataset ?? identity.dataset),
    )
    .map(({ folder }) => most.get(folder)!)
}

/** The data set as it was evaluated, then with the change. */
export async function reopenDataset(
  { identity }: StoredEvaluation,
  note: DatasetRecord | undefined,
  { name, data, ...change }: Partial<DatasetSpec>,
): Promise<{ dataset: Dataset; spec: DatasetSpec }> {
  const opened = note?.opened as DatasetSpec | undefined
  if (!opened)
    throw inputError(
      'not-opened',
      `nothing says how ${identity.dataset} was opened: evaluate it by its name`,
    )
  const place = data === undefined ? {} : { data }
  const source = absoluteSpec({ ...opened, ...place, name: name ?? opened.name })
  const before = await openDataset(source)
  if (before.sizesHash === identity.content)
    throw inputError(
      'stale-results',
      `results on ${identity.dataset} are from before the bytes of images were hashed: evaluate again`,
    )
  if (before.hash !== identity.content)
    throw inputError(
      'changed-data',
      `${identity.dataset} is not what was evaluated: its images, labels or groups differ`,
    )
  const spec = absoluteSpec({ ...source, ...change })
  return { dataset: isDeepStrictEqual(spec, source) ? before : await openDataset(spec), spec }
}

const rowsPerShard = 4096

async function scoreEvaluation(
  task: RescoringTask,
  out: string,
  generation: number,
): Promise<void> {
  const { entry, output, dataset, identity } = task
  const place = folderStorage(out)
  const stored = await readStoredEvaluation(place, evaluationPath(identity))
  const missing = findGaps(stored, dataset.samples.length)
  const kept = await openKeptOutputs(entry, output)
  for (const gap of intersectRanges(missing, regionRanges(dataset)))
    for (const { start, end } of splitRange(gap, rowsPerShard)) {
      const started = performance.now()
      const predictions = await scoreSamples(dataset.samples.slice(start, end), kept, task)
      const seconds = (performance.now() - started) / 1000
      const content = { identity, start, end, dataset, predictions, seconds, generation }
      await commitShard(place, { ...content, rescored: kept.key })
    }
}

const samplesPerBatch = 64

async function scoreSamples(
  items: readonly Sample[],
  kept: KeptOutputReader,
  { dataset: { choices, name }, identity, head }: RescoringTask,
): Promise<Predictions> {
  const { model } = identity
  const unscaled = isUnscaled(identity)
  const outcomes = emptyPredictions(model, items.length)
  for (let first = 0; first < items.length; first += samplesPerBatch) {
    const scored: { at: number; row: Float32Array }[] = []
    for (const [i, { id }] of items.slice(first, first + samplesPerBatch).entries()) {
      const found = await kept.row(id)
      if (!found) throw inputError('not-kept', `no kept output of ${model} for ${id} of ${name}`)
      if (typeof found === 'string') outcomes.status[first + i] = found
      else scored.push({ at: first + i, row: found })
    }
    const rows = scored.map(({ row }) => row)
    const logits = head && rows.length > 0 ? await head.logits(rows) : rows
    for (const [i, { at }] of scored.entries())
      scoreRow(outcomes, at, {
        logits: logits[i]!,
        labels: items[at]!.labels,
        choices,
        isUnscaled: unscaled,
      })
  }
  return outcomes
}
