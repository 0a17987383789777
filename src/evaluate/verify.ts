/*
 * Stored results against a re-run: a share of every evaluation's shards, drawn from a seed, is computed again on this machine
 * and compared image by image. What may differ is the machine and the versions; weights, images and settings have to be the same.
 */
import { join } from 'node:path'
import { agreement, keptDifference, type ShardRow } from './agreement.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { GeogapError, inputError, unknownName } from '../lib/errors.ts'
import { type DualEncoder } from '../models/families/family.ts'
import { architecture } from '../models/architectures.ts'
import { namedModel } from '../models/named.ts'
import { type ModelSpec } from '../models/spec.ts'
import { machine, type Machine } from '../lib/machine.ts'
import { pullResults } from '../results/sync.ts'
import { folderPlace } from '../lib/storage/folder.ts'
import { keptReader, type KeptRows } from '../results/keptReader.ts'
import { type DatasetNote, readDatasets } from '../results/notes.ts'
import { readCurrent } from '../results/runs.ts'
import { type KeptOutput, type ShardManifest } from '../results/schema.ts'
import { differences, differenceText, type Entry, entryName, readEntry, shardFiles } from '../results/store.ts'
import { permutation, random } from '../lib/random.ts'
import { reopened } from './rescore.ts'
import { promptsOf } from './rescoreHeads.ts'
import { evaluateOn, type Prepared, type RunOptions, workOn } from './evaluateDataset.ts'
import { inScratch } from '../lib/scratch.ts'
import { parquetRows, query } from '../lib/sql.ts'
import { prepared } from './targets.ts'
import { version } from '../lib/version.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

export interface VerifyOptions extends Pick<RunOptions, 'signal' | 'onProgress'> {
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
export interface Made extends Pick<Machine, 'machine'>, Partial<Omit<Machine, 'machine'>> {
  version: string
  runtime: string
}

/** A stored shard beside its re-run. */
export interface VerifiedShard {
  model: string
  dataset: string
  start: number
  end: number
  stored: Made
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

export interface Verified {
  dir: string
  sample: number
  seed: number
  tolerance: number
  here: Made
  shards: VerifiedShard[]
  /** Evaluations that could not be run again. */
  left: { model: string; dataset: string; reason: string }[]
}

/** Whether a shard and its re-run are the same within the tolerance. */
export const agrees = ({ differing, kept }: VerifiedShard, tolerance: number): boolean =>
  differing === 0 && (kept ?? 0) <= tolerance

/** Runs stored shards of `place`, a folder or a store, again. Errors: `no-results`, `unknown-model`. */
export async function verify(place: string, options: VerifyOptions = {}): Promise<Verified> {
  const { sample = 0.01, seed = 1, tolerance = 0.01 } = options
  const dir = await pullResults(place)
  const [entries, notes] = [await entriesOf(dir, options.models), await readDatasets(dir)]
  const here = { ...machine(), version, runtime: runtimeVersion() }
  const verified: Verified = { dir: place, sample, seed, tolerance, here, shards: [], left: [] }
  const models = new Map<string, Promise<Prepared>>()
  for (const entry of entries) {
    const { model, dataset } = entry.identity
    try {
      const spec = options.models?.find(({ name }) => name === model) ?? (await namedModel(model))
      const readying = models.get(model) ?? prepared(spec)
      models.set(model, readying)
      const note = notes.get(entry.identity.content)
      const chosen = { ...entry, shards: drawn(entry, sample, seed) }
      const ready = await readying
      await inScratch(async scratch => {
        const again = await runAgain(chosen, ready, note, scratch, options)
        const rerun = { rows: new Map((await rowsOf(again)).map(row => [row.id, row])), kept: await keptReader(again) }
        for (const shard of chosen.shards) verified.shards.push(await compareShard(chosen, shard, rerun, tolerance))
      })
    } catch (error) {
      if (!(error instanceof GeogapError) || error.kind === 'internal') throw error
      verified.left.push({ model, dataset, reason: error.message })
    }
  }
  return verified
}

async function entriesOf(dir: string, models: readonly ModelSpec[] | undefined): Promise<Entry[]> {
  const all = (await readCurrent(dir)).filter(({ identity }) => !identity.source)
  const known = new Set(all.map(({ identity }) => identity.model))
  const missing = models?.find(({ name }) => !known.has(name))
  if (missing) throw unknownName('model', missing.name, known)
  return all.filter(({ identity }) => !models || models.some(({ name }) => name === identity.model))
}

/** A share of the shards, at least one; the same for the same seed. */
function drawn({ key, shards }: Entry, sample: number, seed: number): ShardManifest[] {
  const count = Math.max(1, Math.round(sample * shards.length))
  const order = permutation(shards.length, random(seed, key))
  return [...order.subarray(0, count)].sort((a, b) => a - b).map(at => shards[at]!)
}

/** Evaluates the shards into `scratch`. Errors: `other-results`, those of data sets and models. */
async function runAgain(
  entry: Entry,
  model: Prepared,
  note: DatasetNote | undefined,
  scratch: string,
  { data, signal, onProgress }: VerifyOptions,
): Promise<Entry> {
  const { identity, shards } = entry
  const { dataset } = await reopened(entry, note, data === undefined ? {} : { data })
  const keep = shards.find(({ kept }) => kept)?.kept?.output
  const options: RunOptions = {
    preprocessing: identity.preprocessing,
    ...(keep && { keep }),
    ...(signal && { signal }),
    ...(onProgress && { onProgress }),
    ...(identity.prompts !== '' && { prompts: await promptsUsed(entry, model.spec, dataset) }),
  }
  const work = await workOn(dataset, [model], options, join(scratch, 'heads'))
  const again = work.models[0]!.identity
  const others = differences(identity, again).filter(key => key !== 'version' && key !== 'runtime')
  if (others.length > 0) {
    throw inputError(
      'other-results',
      `it would be other results here: ${differenceText(others, again, identity, 'stored')}`,
    )
  }
  const size = Math.max(...shards.map(({ start, end }) => end - start))
  const place = folderPlace(scratch)
  const [failure] = await evaluateOn({ ...work, part: { spans: shards, size } }, options, place)
  signal?.throwIfAborted()
  if (failure) throw inputError(failure.code, failure.message)
  return (await readEntry(place, entryName(again)))!
}

const promptsUsed = ({ identity }: Entry, { architecture: name }: ModelSpec, { classes }: Dataset): Promise<string> =>
  promptsOf(architecture(name) as DualEncoder, identity.prompts, classes, identity.model)

interface Rerun {
  rows: ReadonlyMap<string, ShardRow>
  kept: KeptRows
}

async function compareShard(
  entry: Entry,
  shard: ShardManifest,
  again: Rerun,
  tolerance: number,
): Promise<VerifiedShard> {
  const { start, end, machine, instructions, host, created } = shard
  const { model, dataset, version, runtime } = entry.identity
  const own = { ...entry, shards: [shard] }
  const faults: VerifiedShard['faults'] = []
  const found: VerifiedShard = {
    ...{ model, dataset, start, end, created, images: 0, ties: 0, differing: 0, faults, difference: 0, kept: null },
    stored: { machine, version, runtime, ...(instructions && { instructions }), ...(host && { host }) },
  }
  try {
    const stored = await rowsOf(own)
    if (stored.length !== shard.rows) faults.push({ id: shard.file, fault: `${stored.length} rows of ${shard.rows}` })
    for (const row of stored) {
      const { difference, tie, fault } = agreement(row, again.rows.get(row.id), tolerance)
      found.difference = Math.max(found.difference, difference)
      if (tie) found.ties += 1
      if (fault !== undefined) faults.push({ id: row.id, fault })
    }
    found.images = stored.length
    if (shard.kept) found.kept = await keptMoved(await keptReader(own), again.kept, shard.kept.output, stored)
  } catch (error) {
    faults.push({ id: shard.file, fault: `cannot be read: ${(error as Error).message}` })
  }
  return { ...found, differing: faults.length, faults: faults.slice(0, shownFaults) }
}

const shownFaults = 5

async function keptMoved(
  stored: KeptRows,
  again: KeptRows,
  output: KeptOutput,
  rows: readonly ShardRow[],
): Promise<number> {
  let largest = 0
  for (const { id } of rows) {
    const [a, b] = [await stored.row(id), await again.row(id)]
    if (a instanceof Float32Array && b instanceof Float32Array)
      largest = Math.max(largest, keptDifference(output, a, b))
  }
  return largest
}

const columns = 'id, label, labels, top5, probabilities, rank, correct1, correct5, status'

const rowsOf = (entry: Entry): Promise<ShardRow[]> =>
  query<ShardRow>(`SELECT ${columns} FROM ${parquetRows()}`, [shardFiles(entry)])
