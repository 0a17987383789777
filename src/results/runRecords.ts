/*
 * One record for each evaluation, `runs/ID.json`: what it asked for, written before anything is computed, and how it ended.
 * A running evaluation touches its record every few seconds; one that was killed leaves a record without an end.
 */
import { randomBytes } from 'node:crypto'
import { rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { z } from 'zod'
import { messageOf } from '../lib/errors.ts'
import { jsonFileNames, orIfMissing } from '../lib/files.ts'
import { isProcessRunning } from '../lib/machine.ts'
import { type Failure, failureText, readRecordFolder, writeJson } from './records.ts'
import { resultKey, type ResultKey } from './schema.ts'
import {
  evaluationIdText,
  hashResultKey,
  readEvaluationFolders,
  type StoredEvaluation,
} from './storedEvaluations.ts'

const runRecord = z.object({
  id: z.string(),
  /** Evaluations of a folder are numbered in the order in which they began; 0 in records of earlier versions. */
  generation: z.number().int().default(0),
  host: z.string(),
  pid: z.number().int(),
  started: z.string(),
  /** What the user calls this run: `{commit: '3fa9c1'}`. A run with tags stays on record until one with the same tags replaces it. */
  tags: z.record(z.string(), z.string()).optional(),
  asked: z.array(z.object({ key: z.string(), identity: resultKey })),
  ended: z.string().optional(),
  outcome: z.enum(['done', 'interrupted', 'failed']).optional(),
  /** Why it failed. */
  message: z.string().optional(),
})
const runRecordKind = { what: 'a record of an evaluation', schema: runRecord }
type StoredRunRecord = z.infer<typeof runRecord>
export type RunTags = Readonly<Record<string, string>>

/**
 * An evaluation as its record describes it. State `killed` means that it ended without recording its end, `damaged` that the record
 * cannot be read.
 */
export interface RecordedRun extends Omit<StoredRunRecord, 'outcome'> {
  state: 'running' | 'done' | 'interrupted' | 'failed' | 'killed' | 'damaged'
}

const runHeartbeatMs = 5_000
/** Milliseconds without a sign of life after which an evaluation on another machine is taken for dead. */
const hungAfterMs = 60_000

const runsFolder = (dir: string): string => join(dir, 'runs')
const runFile = (dir: string, id: string): string => join(runsFolder(dir), `${id}.json`)

interface RunRequest {
  asked: readonly ResultKey[]
  tags?: RunTags | undefined
  signal?: AbortSignal | undefined
}

/**
 * Does `work`, which receives the evaluation's number and returns what is incomplete after it, with a record of what was asked for
 * beside the results. Rejects with the signal's reason once it has come.
 */
export async function withRunRecord(
  dir: string,
  { asked, tags = {}, signal }: RunRequest,
  work: (generation: number) => Promise<readonly Failure[]>,
): Promise<void> {
  const started = new Date().toISOString()
  const generation = 1 + (await lastGeneration(dir))
  const record: StoredRunRecord = {
    id: [
      String(generation).padStart(8, '0'),
      started.replace(/[^0-9]/g, ''),
      process.pid,
      randomBytes(3).toString('hex'),
    ].join('-'),
    generation,
    host: hostname(),
    pid: process.pid,
    started,
    tags: Object.keys(tags).length > 0 ? { ...tags } : undefined,
    asked: asked.map(identity => ({ key: hashResultKey(identity), identity })),
  }
  const file = runFile(dir, record.id)
  await writeJson(file, record)
  await removeReplacedRuns(dir, record)
  const timer = setInterval(
    () => void utimes(file, new Date(), new Date()).catch(() => undefined),
    runHeartbeatMs,
  ).unref()
  const end = (outcome: StoredRunRecord['outcome'], message?: string) =>
    writeJson(file, { ...record, ended: new Date().toISOString(), outcome, message })
  try {
    const [incomplete] = await work(generation)
    signal?.throwIfAborted()
    await (incomplete ? end('failed', failureText(incomplete)) : end('done'))
  } catch (error) {
    const reason = messageOf(error)
    await (error === signal?.reason
      ? end('interrupted')
      : end('failed', reason).catch(() => undefined))
    throw error
  } finally {
    clearInterval(timer)
  }
}

/**
 * Removes the records of earlier evaluations with the same tags, now ended, that asked for nothing beyond what the new one asks
 * for. A record that cannot be read asks for nothing.
 */
async function removeReplacedRuns(dir: string, record: StoredRunRecord): Promise<void> {
  const ids = new Set(record.asked.map(({ identity }) => evaluationIdText(identity)))
  for (const { id, generation, state, asked, tags } of await readRunRecords(dir)) {
    const isEarlier = generation < record.generation && state !== 'running'
    if (!isEarlier || tagsText(tags) !== tagsText(record.tags)) continue
    if (asked.every(({ identity }) => ids.has(evaluationIdText(identity))))
      await rm(runFile(dir, id), { force: true, recursive: true })
  }
}

/** `branch=main commit=3fa9c1`, in the order of the names. */
export const tagsText = (tags: RunTags = {}): string =>
  Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ')

/** Reads the recorded evaluations below `dir` in the order in which they began. */
export async function readRunRecords(dir: string): Promise<RecordedRun[]> {
  const { records, damaged } = await readRecordFolder(runsFolder(dir), runRecordKind)
  const runs = [...records.values()].map(async ({ outcome, ...record }): Promise<RecordedRun> => {
    const isRunning = outcome === undefined && (await isAlive(runFile(dir, record.id), record))
    return { ...record, state: outcome ?? (isRunning ? 'running' : 'killed') }
  })
  const unreadable = [...damaged].map(([name, message]): RecordedRun => {
    const id = basename(name, '.json')
    const nothing = { host: '', pid: 0, started: '', asked: [] }
    return { ...nothing, id, generation: generationOf(id), state: 'damaged', message }
  })
  return [...(await Promise.all(runs)), ...unreadable].sort(
    (a, b) => a.generation - b.generation || (a.id < b.id ? -1 : 1),
  )
}

/** Returns the highest number of a recorded evaluation, or of a stored shard if there are no records. */
async function lastGeneration(dir: string): Promise<number> {
  const names = await jsonFileNames(runsFolder(dir))
  if (names.length > 0) return Math.max(...names.map(generationOf))
  const stored = await readEvaluationFolders(dir, { absent: [] })
  return Math.max(
    0,
    ...stored.flatMap(({ shards }) => shards.map(({ generation = 0 }) => generation)),
  )
}

/** Returns the number that a record's name begins with; names of earlier versions begin with a time of 17 digits. */
const generationOf = (id: string): number => Number(/^\d{8}(?=-)/.exec(id)?.[0] ?? 0)

async function isAlive(
  file: string,
  { host, pid }: Pick<StoredRunRecord, 'host' | 'pid'>,
): Promise<boolean> {
  const seen = (await orIfMissing(stat(file), undefined))?.mtimeMs ?? 0
  if (Date.now() - seen > hungAfterMs) return false
  return host !== hostname() || isProcessRunning(pid)
}

/** Returns the key of every evaluation that a run asked for, with what it stands for. */
export const requestedIdentities = (
  runs: readonly Pick<RecordedRun, 'asked'>[],
): Map<string, ResultKey> =>
  new Map(runs.flatMap(({ asked }) => asked).map(({ key, identity }) => [key, identity]))

/** Returns the last recorded evaluation that asked for each key; `runs` are in the order of `readRunRecords`. */
export const lastRequests = (runs: readonly RecordedRun[]): Map<string, RecordedRun> =>
  new Map(runs.flatMap(run => run.asked.map(({ key }) => [key, run] as const)))

/**
 * Returns one evaluation for every model, data set and preprocessing: the one that was asked for last by the numbers of records
 * and shards, whatever clocks say. Only evaluations without any number, of earlier versions, go by time.
 */
export function currentEvaluations(
  entries: readonly StoredEvaluation[],
  runs: readonly RecordedRun[],
): StoredEvaluation[] {
  const requests = lastRequests(runs)
  const orderOf = ({ key, shards, created }: StoredEvaluation): [number, number, string] => {
    const request = requests.get(key)
    const numbers = shards.map(({ generation = 0 }) => generation)
    return [Math.max(request?.generation ?? 0, ...numbers), runs.indexOf(request!), created]
  }
  const current = new Map<string, StoredEvaluation>()
  for (const entry of entries) {
    const id = evaluationIdText(entry.identity)
    const before = current.get(id)
    if (!before || isNotBefore(orderOf(entry), orderOf(before))) current.set(id, entry)
  }
  return [...current.values()]
}

function isNotBefore(a: readonly (number | string)[], b: readonly (number | string)[]): boolean {
  const i = a.findIndex((value, i) => value !== b[i])
  return i < 0 || a[i]! > b[i]!
}
