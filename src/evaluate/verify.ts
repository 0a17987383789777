/*
 * Stored results against a re-run: a share of every evaluation's shards, drawn from a seed, is computed again on this machine
 * and compared image by image. What may differ is the machine and the versions; weights, images and settings have to be the same.
 */
import { targetProbabilityColumn } from '../datasets/build.ts'
import { join } from 'node:path'
import { compareRows, keptDifference, type ShardRow } from './agreement.ts'
import { GeogapError, inputError, unknownNameError } from '../lib/errors.ts'
import { loadModelSpec } from '../models/loadModelSpec.ts'
import { plainModelName } from '../models/promptedName.ts'
import { promptedEncoder } from '../models/zeroShot/zeroShotModel.ts'
import { type ModelSpec } from '../models/spec.ts'
import { currentMachine } from '../lib/machine.ts'
import { pullResults } from '../results/sync.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { openKeptOutputs, type KeptOutputReader } from '../results/keptOutputReader.ts'
import { type DatasetRecord, readDatasetRecords } from '../results/records.ts'
import { readCurrentResults } from '../results/currentResults.ts'
import { rowsWithTarget } from '../results/outcomeMetrics.ts'
import { type KeptOutput, type ShardManifest } from '../results/schema.ts'
import {
  differingFields,
  differingFieldsText,
  type StoredEvaluation,
  evaluationPath,
  readStoredEvaluation,
  shardPaths,
} from '../results/storedEvaluations.ts'
import { randomPermutation, randomFor } from '../lib/random.ts'
import { reopenDataset } from './rescore.ts'
import { findPrompts } from './rescoringHead.ts'
import { runDatasetEvaluation, planDatasetEvaluation } from './evaluateDataset.ts'
import { completeSettings, type ExecutionOptions } from './settings.ts'
import { withTempDir } from '../lib/tempDir.ts'
import { query } from '../lib/sql.ts'
import { type PreparedModel, prepareModel } from '../models/runtime/prepareModel.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/** Options of `verify`: the share of shards to recompute and the tolerance. */
export interface VerifyOptions extends Pick<ExecutionOptions, 'signal' | 'onProgress'> {
  /** Share of the shards of each evaluation, 0 … 1 and at least one shard; default 0.01. */
  sample?: number
  /** Of the draw; default 1. */
  seed?: number
  /** What a logit may move by; default 0.01. */
  tolerance?: number
  /** Only these models, described as they were evaluated; by default all, by their names. */
  models?: readonly ModelSpec[]
  /** Where the folder of benchmarks, or of the images, is now. */
  data?: string
}

/** What a shard was computed with. */
export interface ComputeEnvironment extends Pick<
  ShardManifest,
  'machine' | 'instructions' | 'host'
> {
  version: string
  runtime: string
}

/** A stored shard beside its re-run. */
export interface VerifiedShard {
  model: string
  dataset: string
  start: number
  end: number
  stored: ComputeEnvironment
  created: string
  images: number
  /** Images whose first class is another one of about the same score. */
  ties: number
  /** Images that differ by more than the tolerance explains, and what the first of them are. */
  differing: number
  faults: { id: string; fault: string }[]
  /** Least movement of logits that explains every difference. */
  difference: number
  /** The same for what was kept beside the predictions; null where nothing was. */
  kept: number | null
}

/** The outcome of `verify`: each recomputed shard, and the evaluations that could not run again. */
export interface Verification {
  dir: string
  sample: number
  seed: number
  tolerance: number
  here: ComputeEnvironment
  shards: VerifiedShard[]
  /** Evaluations that could not be run again. */
  left: { model: string; dataset: string; reason: string }[]
}

/** Returns the names, without prompts, of the models whose results `verify` can compute again. Errors: `no-results`. */
export async function modelsToVerify(place: string): Promise<string[]> {
  const entries = await evaluationsToVerify(await pullResults(place), undefined)
  return [...new Set(entries.map(plainModel))]
}

const plainModel = ({ identity }: StoredEvaluation): string => plainModelName(identity.model)

/** Whether a shard and its re-run are the same within the tolerance. */
export const isWithinTolerance = ({ differing, kept }: VerifiedShard, tolerance: number): boolean =>
  differing === 0 && (kept ?? 0) <= tolerance

/**
 * Recomputes stored shards of `place`, a folder or a bucket, and compares them. Errors: `no-results`, `unknown-model`.
 *
 * @example
 * const { shards } = await verify('results', { sample: 0.05 })
 */
export async function verify(place: string, options: VerifyOptions = {}): Promise<Verification> {
  const { sample = 0.01, seed = 1, tolerance = 0.01 } = options
  const dir = await pullResults(place)
  const entries = await evaluationsToVerify(dir, options.models)
  const records = await readDatasetRecords(dir)
  const here = { ...currentMachine(), version, runtime: runtimeVersion() }
  const verified: Verification = { dir: place, sample, seed, tolerance, here, shards: [], left: [] }
  const models = new Map<string, Promise<PreparedModel>>()
  for (const entry of entries) {
    const { model, dataset } = entry.identity
    const unreadable = entry.damaged.filter(({ manifest }) => !manifest)
    for (const { reason } of unreadable) verified.left.push({ model, dataset, reason })
    try {
      const plain = plainModel(entry)
      const spec =
        options.models?.find(({ name }) => name === plain) ?? (await loadModelSpec(plain))
      const readying = models.get(model) ?? prepareModel({ ...spec, name: model })
      models.set(model, readying)
      const record = records.get(entry.identity.content)
      const chosen = { ...entry, shards: drawShards(entry, sample, seed) }
      const ready = await readying
      await withTempDir(async scratch => {
        const output = chosen.shards.find(({ kept }) => kept)?.kept?.output
        const again = await rerunShards(chosen, {
          ...options,
          model: ready,
          record,
          scratch,
          output,
        })
        const rerun = {
          rows: new Map((await readShardRows(again)).map(row => [row.id, row])),
          output,
          kept: output && (await openKeptOutputs(again, output)),
        }
        for (const shard of chosen.shards)
          verified.shards.push(await compareShard({ ...entry, shards: [shard] }, rerun, tolerance))
      })
    } catch (error) {
      if (!(error instanceof GeogapError) || error.kind === 'internal') throw error
      const reason =
        error.code === 'unknown-model'
          ? 'no model of the catalogue: give the file or repository that was evaluated, --model FILE'
          : error.message
      verified.left.push({ model, dataset, reason })
    }
  }
  return verified
}

/** Returns the evaluations with their damaged shards among the others. */
async function evaluationsToVerify(
  dir: string,
  models: readonly ModelSpec[] | undefined,
): Promise<StoredEvaluation[]> {
  const { entries } = await readCurrentResults(dir)
  const all = entries.filter(({ identity }) => !identity.source)
  const known = new Set(all.map(plainModel))
  const missing = models?.find(({ name }) => !known.has(name))
  if (missing) throw unknownNameError('model', missing.name, known)
  return all
    .filter(entry => !models || models.some(({ name }) => name === plainModel(entry)))
    .map(entry => ({ ...entry, shards: shardsToVerify(entry) }))
}

const shardsToVerify = ({ shards, damaged }: StoredEvaluation): ShardManifest[] =>
  [...shards, ...damaged.flatMap(({ manifest }) => manifest ?? [])].sort(
    (a, b) => a.start - b.start,
  )

/** A share of the shards, at least one; the same for the same seed. */
function drawShards(
  { key, shards }: StoredEvaluation,
  sample: number,
  seed: number,
): ShardManifest[] {
  const count = Math.max(1, Math.round(sample * shards.length))
  const order = randomPermutation(shards.length, randomFor(seed, key))
  return [...order.subarray(0, count)].sort((a, b) => a - b).map(at => shards[at]!)
}

interface RerunOptions extends VerifyOptions {
  model: PreparedModel
  record: DatasetRecord | undefined
  /** Folder for the results of the re-run. */
  scratch: string
  /** The output that the re-run keeps. */
  output: KeptOutput | undefined
}

/** Evaluates the shards again. Errors: `other-results`, those of data sets and models. */
async function rerunShards(
  entry: StoredEvaluation,
  { model, record, scratch, output, data, signal, onProgress }: RerunOptions,
): Promise<StoredEvaluation> {
  const { identity, shards } = entry
  const { dataset } = await reopenDataset(entry, record, { data })
  const preprocessing = identity.preprocessing === 'paper' ? 'paper' : 'native'
  const settings = completeSettings(
    identity.prompts === ''
      ? { preprocessing }
      : {
          preprocessing,
          prompts: await findPrompts(promptedEncoder(model.spec), identity, dataset.classes),
        },
  )
  const size = Math.max(...shards.map(({ start, end }) => end - start))
  const place = folderStorage(scratch)
  const work = await planDatasetEvaluation(dataset, [model], {
    settings,
    embeddings: join(scratch, 'texts'),
    part: { spans: shards, size },
  })
  const again = work.models[0]!.identity
  const others = differingFields(identity, again).filter(
    key => key !== 'version' && key !== 'runtime',
  )
  if (others.length > 0) {
    throw inputError(
      'other-results',
      `these would be other results here: ${differingFieldsText(others, again, identity)}`,
    )
  }
  const [failure] = await runDatasetEvaluation(work, place, {
    keep: output,
    signal,
    onProgress,
  })
  signal?.throwIfAborted()
  if (failure) throw inputError(failure.code, failure.message)
  return (await readStoredEvaluation(place, evaluationPath(again)))!
}

interface Rerun {
  rows: ReadonlyMap<string, ShardRow>
  /** The output that the re-run kept, and its rows. */
  output: KeptOutput | undefined
  kept: KeptOutputReader | undefined
}

/** Compares the only shard of `entry` with the re-run. */
async function compareShard(
  entry: StoredEvaluation,
  again: Rerun,
  tolerance: number,
): Promise<VerifiedShard> {
  const shard = entry.shards[0]!
  const { start, end, machine, instructions, host, created } = shard
  const { model, dataset, version, runtime } = entry.identity
  const faults: VerifiedShard['faults'] = []
  const found: VerifiedShard = {
    model,
    dataset,
    start,
    end,
    stored: { machine, instructions, host, version, runtime },
    created,
    images: 0,
    ties: 0,
    differing: 0,
    faults,
    difference: 0,
    kept: null,
  }
  try {
    const stored = await readShardRows(entry)
    if (stored.length !== shard.rows)
      faults.push({ id: shard.file, fault: `${stored.length} rows of ${shard.rows}` })
    for (const row of stored) {
      const { difference, tie, fault } = compareRows(row, again.rows.get(row.id), tolerance)
      found.difference = Math.max(found.difference, difference)
      if (tie) found.ties += 1
      if (fault !== undefined) faults.push({ id: row.id, fault })
    }
    found.images = stored.length
    if (again.kept && again.output === shard.kept?.output)
      found.kept = await compareKeptOutputs(entry, again.kept, stored)
  } catch (error) {
    faults.push({ id: shard.file, fault: `cannot be read: ${(error as Error).message}` })
  }
  return { ...found, differing: faults.length, faults: faults.slice(0, maxFaultsShown) }
}

const maxFaultsShown = 5

async function compareKeptOutputs(
  entry: StoredEvaluation,
  again: KeptOutputReader,
  rows: readonly ShardRow[],
): Promise<number> {
  const { output } = entry.shards[0]!.kept!
  const stored = await openKeptOutputs(entry, output)
  let largest = 0
  for (const { id } of rows) {
    const a = await stored.row(id)
    const b = await again.row(id)
    if (a instanceof Float32Array && b instanceof Float32Array)
      largest = Math.max(largest, keptDifference(output, a, b))
  }
  return largest
}

const shardRowColumns = `id, label, labels, top5, probabilities, rank, ${targetProbabilityColumn}, correct1, correct5, status`

const readShardRows = (entry: StoredEvaluation): Promise<ShardRow[]> =>
  query<ShardRow>(`SELECT ${shardRowColumns} FROM ${rowsWithTarget}`, [shardPaths(entry)])
