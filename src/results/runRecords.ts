/*
 * One record for each evaluation, `runs/ID.json`: what it asked for, written before anything is computed, and how it ended.
 * A running evaluation touches its record every few seconds; one that was killed leaves a record without an end.
 */
import { randomBytes } from 'node:crypto'
import { rm, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { messageOf } from '../lib/errors.ts'
import { jsonFileNames, orIfMissing } from '../lib/files.ts'
import { isProcessRunning } from '../lib/machine.ts'
import { readRecord, writeJson } from './records.ts'
import { resultKey, type ResultKey } from './schema.ts'
import {
  currentEvaluations,
  type StoredEvaluation,
  hashResultKey,
  readStoredEvaluations,
  evaluationIdText,
} from './store.ts'

const runRecord = z.object({
  id: z.string(),
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

/** An evaluation as its record describes it. State `killed` means that it ended without recording its end. */
export interface RecordedRun extends Omit<StoredRunRecord, 'outcome'> {
  state: 'running' | 'done' | 'interrupted' | 'failed' | 'killed'
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

/** Does `work` with a record of what was asked for beside the results; rejects with the signal's reason once it has come. */
export async function withRunRecord<T>(
  dir: string,
  { asked, tags = {}, signal }: RunRequest,
  work: () => Promise<T>,
): Promise<T> {
  const started = new Date().toISOString()
  const id = `${started.replace(/[^0-9]/g, '')}-${process.pid}-${randomBytes(3).toString('hex')}`
  const record: StoredRunRecord = {
    id,
    host: hostname(),
    pid: process.pid,
    started,
    tags: Object.keys(tags).length > 0 ? { ...tags } : undefined,
    asked: asked.map(identity => ({ key: hashResultKey(identity), identity })),
  }
  const file = runFile(dir, id)
  await writeJson(file, record)
  await removeReplacedRuns(dir, record)
  const timer = setInterval(
    () => void utimes(file, new Date(), new Date()).catch(() => undefined),
    runHeartbeatMs,
  ).unref()
  const end = (outcome: StoredRunRecord['outcome'], message?: string) =>
    writeJson(file, {
      ...record,
      ended: new Date().toISOString(),
      outcome,
      message,
    })
  try {
    const result = await work()
    signal?.throwIfAborted()
    await end('done')
    return result
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

/** Records of ended evaluations with the same tags that asked for nothing beyond what the new one asks for. */
async function removeReplacedRuns(dir: string, record: StoredRunRecord): Promise<void> {
  const slots = new Set(record.asked.map(({ identity }) => evaluationIdText(identity)))
  for (const { id, state, asked, tags } of await readRunRecords(dir)) {
    if (id === record.id || state === 'running' || tagsText(tags) !== tagsText(record.tags))
      continue
    if (asked.every(({ identity }) => slots.has(evaluationIdText(identity))))
      await rm(runFile(dir, id), { force: true })
  }
}

/** `branch=main commit=3fa9c1`, in the order of the names. */
export const tagsText = (tags: RunTags = {}): string =>
  Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ')

/** The recorded evaluations below `dir`, oldest first. */
export async function readRunRecords(dir: string): Promise<RecordedRun[]> {
  const names = await jsonFileNames(runsFolder(dir))
  const runs = await Promise.all(names.map(name => readRunRecord(join(runsFolder(dir), name))))
  return runs.filter(run => run !== undefined)
}

/** Undefined where another evaluation has just removed the record. */
async function readRunRecord(file: string): Promise<RecordedRun | undefined> {
  const found = await readRecord(file, runRecordKind)
  if (!found) return undefined
  const { outcome, ...record } = found
  return { ...record, state: outcome ?? ((await isAlive(file, record)) ? 'running' : 'killed') }
}

async function isAlive(
  file: string,
  { host, pid }: Pick<StoredRunRecord, 'host' | 'pid'>,
): Promise<boolean> {
  const seen = (await orIfMissing(stat(file), undefined))?.mtimeMs ?? 0
  if (Date.now() - seen > hungAfterMs) return false
  return host !== hostname() || isProcessRunning(pid)
}

/** When each key was last asked for, as an ISO time. */
export function lastAskedTimes(runs: readonly RecordedRun[]): Map<string, string> {
  return new Map(
    runs.flatMap(({ asked, started }) => asked.map(({ key }) => [key, started] as const)),
  )
}

/** The entries below `dir` that tables and reports show: one for every model, data set and preprocessing. */
export async function readCurrentEvaluations(
  dir: string,
  exclude?: string,
): Promise<StoredEvaluation[]> {
  const entries = currentEvaluations(
    await readStoredEvaluations(dir),
    lastAskedTimes(await readRunRecords(dir)),
  )
  if (exclude === undefined) return entries
  const { excludeImages, readExclusion } = await import('./slices.ts')
  return excludeImages(entries, await readExclusion(exclude))
}
