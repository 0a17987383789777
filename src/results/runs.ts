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
import { jsonNames, whereThere } from '../lib/files.ts'
import { isRunning } from '../lib/machine.ts'
import { readRecord, writeJson } from './notes.ts'
import { identity, type Identity } from './schema.ts'
import { currentEntries, type Entry, keyOf, readEntries, slotOf } from './store.ts'

const runRecord = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number().int(),
  started: z.string(),
  /** What the user calls this run: `{commit: '3fa9c1'}`. A run with tags stays on record until one with the same tags replaces it. */
  tags: z.record(z.string(), z.string()).optional(),
  asked: z.array(z.object({ key: z.string(), identity })),
  ended: z.string().optional(),
  outcome: z.enum(['done', 'interrupted', 'failed']).optional(),
  /** Why it failed. */
  message: z.string().optional(),
})
type RunRecord = z.infer<typeof runRecord>
export type Tags = Readonly<Record<string, string>>

/** An evaluation as its record tells it; `killed` ended without saying so. */
export interface RecordedRun extends Omit<RunRecord, 'outcome'> {
  state: 'running' | 'done' | 'interrupted' | 'failed' | 'killed'
}

const beat = 5_000
/** Milliseconds without a sign of life after which an evaluation on another machine is taken for dead. */
const silence = 60_000

const folderOf = (dir: string): string => join(dir, 'runs')
const fileOf = (dir: string, id: string): string => join(folderOf(dir), `${id}.json`)

interface Asking {
  asked: readonly Identity[]
  tags?: Tags | undefined
  signal?: AbortSignal | undefined
}

/** Does `work` with a record of what was asked for beside the results; rejects with the signal's reason once it has come. */
export async function recorded<T>(
  dir: string,
  { asked, tags = {}, signal }: Asking,
  work: () => Promise<T>,
): Promise<T> {
  const started = new Date().toISOString()
  const id = `${started.replace(/[^0-9]/g, '')}-${process.pid}-${randomBytes(3).toString('hex')}`
  const record: RunRecord = {
    ...{ id, host: hostname(), pid: process.pid, started },
    ...(Object.keys(tags).length > 0 && { tags }),
    asked: asked.map(identity => ({ key: keyOf(identity), identity })),
  }
  const file = fileOf(dir, id)
  await writeJson(file, record)
  await removeReplaced(dir, record)
  const timer = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), beat).unref()
  const end = (outcome: RunRecord['outcome'], message?: string) =>
    writeJson(file, { ...record, ended: new Date().toISOString(), outcome, ...(message !== undefined && { message }) })
  try {
    const result = await work()
    signal?.throwIfAborted()
    await end('done')
    return result
  } catch (error) {
    const reason = messageOf(error)
    await (error === signal?.reason ? end('interrupted') : end('failed', reason).catch(() => undefined))
    throw error
  } finally {
    clearInterval(timer)
  }
}

/** Records of ended evaluations with the same tags that asked for nothing beyond what the new one asks for. */
async function removeReplaced(dir: string, record: RunRecord): Promise<void> {
  const slots = new Set(record.asked.map(({ identity }) => slotOf(identity)))
  for (const { id, state, asked, tags } of await readRuns(dir)) {
    if (id === record.id || state === 'running' || tagsText(tags) !== tagsText(record.tags)) continue
    if (asked.every(({ identity }) => slots.has(slotOf(identity)))) await rm(fileOf(dir, id), { force: true })
  }
}

/** `branch=main commit=3fa9c1`, in the order of the names. */
export const tagsText = (tags: Tags = {}): string =>
  Object.entries(tags)
    .map(([name, value]) => `${name}=${value}`)
    .sort()
    .join(' ')

/** The recorded evaluations below `dir`, oldest first. */
export async function readRuns(dir: string): Promise<RecordedRun[]> {
  const names = await jsonNames(folderOf(dir))
  const runs = await Promise.all(names.map(name => readRun(join(folderOf(dir), name))))
  return runs.filter(run => run !== undefined)
}

/** Undefined where another evaluation has just removed the record. */
async function readRun(file: string): Promise<RecordedRun | undefined> {
  const found = await readRecord(file, 'a record of an evaluation', runRecord)
  if (!found) return undefined
  const { outcome, ...record } = found
  return { ...record, state: outcome ?? ((await isAlive(file, record)) ? 'running' : 'killed') }
}

async function isAlive(file: string, { host, pid }: Pick<RunRecord, 'host' | 'pid'>): Promise<boolean> {
  const seen = (await whereThere(stat(file), undefined))?.mtimeMs ?? 0
  if (Date.now() - seen > silence) return false
  return host !== hostname() || isRunning(pid)
}

/** When each key was last asked for, as an ISO time. */
export function lastAsked(runs: readonly RecordedRun[]): Map<string, string> {
  return new Map(runs.flatMap(({ asked, started }) => asked.map(({ key }) => [key, started] as const)))
}

/** The entries below `dir` that tables and reports show: one for every model, data set and preprocessing. */
export async function readCurrent(dir: string, exclude?: string): Promise<Entry[]> {
  const entries = currentEntries(await readEntries(dir), lastAsked(await readRuns(dir)))
  if (exclude === undefined) return entries
  const { excluding, readExclusion } = await import('./slices.ts')
  return excluding(entries, await readExclusion(exclude))
}
