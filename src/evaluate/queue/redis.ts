/*
 * Communication between the machines of a run through Redis or Valkey. A run has a BullMQ queue of its own, so pausing and
 * counting are separate too. Beside it are a record of the run and an expiring one of each worker. The results themselves,
 * not the queue, say what is done.
 */
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { z } from 'zod'
import { parseJson } from '../../lib/archive/json.ts'
import {
  GeogapError,
  inputError,
  networkError,
  quoteForMessage,
  unknownNameError,
} from '../../lib/errors.ts'

/** Prefix of every key. */
export const keyPrefix = 'geogap'
const runsKey = `${keyPrefix}:runs`
/** Names of cancelled runs: apart from their records, which followers write again and again. */
const cancelledKey = `${keyPrefix}:cancelled`
const workerPrefix = `${keyPrefix}:worker:`

const count = z.int().min(0)
const seconds = z.number().min(0)

/** A run as the queue knows it. Its id is part of file names and of keys. */
const runRecordSchema = z.object({
  id: z.string().regex(/^[\w-]{1,64}$/),
  /** Where its plan and its results are. */
  place: z.string().min(1),
  /** Runs with a higher number go first; equal ones in the order of their start. */
  priority: z.int(),
  units: count,
  /** Units whose results are stored, as the follower saw it last. */
  done: count,
  /** Estimated core seconds of everything, and of what is stored. */
  seconds,
  doneSeconds: seconds,
  /** `doneSeconds` when the run was begun or taken up again. */
  before: seconds,
  began: z.iso.datetime(),
  /** Time of the last message of the process that follows the run. */
  seen: z.iso.datetime(),
})
export type QueuedRunRecord = z.infer<typeof runRecordSchema>

export interface QueuedRun extends QueuedRunRecord {
  cancelled: boolean
}

/** A worker as it describes itself every few seconds. */
const workerRecordSchema = z.object({
  id: z.string(),
  pid: count,
  cores: count,
  version: z.string(),
  began: z.iso.datetime(),
  /** Run and unit at work, and since when. */
  run: z.string().exactOptional(),
  unit: z.string().exactOptional(),
  since: z.iso.datetime().exactOptional(),
  /** Units done, images done in them, and seconds that they took. */
  done: count,
  images: count,
  seconds,
  machine: z.string(),
  instructions: z.string(),
  host: z.string(),
})
export type WorkerRecord = z.infer<typeof workerRecordSchema>

export const workUnitSchema = z
  .object({ group: count, start: count, end: count })
  .refine(({ start, end }) => start < end, 'the range holds no image')

/** A record at the queue that geogap did not write, or that was changed since. */
export interface UnreadableRecord {
  key: string
  reason: string
}

/** Returns the records and, apart from them, those that are not what their key promises. */
function parseRecords<T extends { id: string }>(
  schema: z.ZodType<T>,
  texts: readonly (readonly [key: string, text: string])[],
): { records: T[]; unreadable: UnreadableRecord[] } {
  const records: T[] = []
  const unreadable: UnreadableRecord[] = []
  for (const [key, text] of texts) {
    const found = parseChecked(schema, text)
    if (typeof found === 'string') unreadable.push({ key, reason: found })
    else if (found.id === key) records.push(found)
    else unreadable.push({ key, reason: `the record of ${quoteForMessage(found.id)}` })
  }
  return { records, unreadable }
}

/** Returns the value of a text with its keys in their order, or why it is not of the schema. */
export function parseChecked<T extends object>(schema: z.ZodType<T>, text: string): T | string {
  const value = parseJson(text)
  if (value === undefined) return 'not JSON'
  const parsed = schema.safeParse(value)
  if (parsed.success) return value as T
  const { path, message } = parsed.error.issues[0]!
  return path.length === 0 ? message : `${path.join('.')}: ${message}`
}

const minVersion = [6, 2] as const

/**
 * Connects to `redis://user:password@host:port/db` (`rediss://` with TLS). Later interruptions are waited out.
 * Errors: `bad-queue-url`, `queue-unreachable`, `queue-certificate`, `queue-denied`, `queue-old`, `queue-evicts`.
 */
export async function connectQueue(url: string): Promise<Redis> {
  if (!/^rediss?:\/\//.test(url))
    throw inputError('bad-queue-url', 'not the address of a queue: redis://host:6379')
  const { Redis } = await import('ioredis')
  const redis = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: null,
    connectTimeout: 5000,
    retryStrategy: times => Math.min(100 * times, 2000),
  })
  let last: unknown
  redis.on('error', error => (last = error))
  try {
    await redis.connect()
    checkServer(await redis.info())
    return redis
  } catch (error) {
    redis.disconnect()
    throw queueError(last ?? error, url)
  }
}

/** Connects, works and disconnects. Errors: those of `connectQueue` and of the work. */
export async function withQueue<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = await connectQueue(url)
  try {
    return await work(redis)
  } catch (error) {
    throw queueError(error, url)
  } finally {
    redis.disconnect()
  }
}

/** Returns the address without user and password. */
const shownUrl = (url: string): string => url.replace(/\/\/.*@/, '//')

/** Returns a failed command or connection as an error of one line; other errors pass unchanged. */
export function queueError(error: unknown, url: string): unknown {
  if (error instanceof GeogapError) return error
  const { code, message } = error as { code?: string; message: string }
  const fault = (code: string, reason: string): GeogapError =>
    networkError(code, `the queue at ${shownUrl(url)} ${reason}`, error)
  if (/^OOM /.test(message))
    return fault(
      'queue-full',
      'is full (maxmemory): what is done stays done, the same command goes on from there',
    )
  if (/^WRONGTYPE/.test(message))
    return fault('queue-foreign', `holds data of another program below ${keyPrefix}:`)
  if (/WRONGPASS|NOAUTH|invalid password|NOPERM/i.test(message))
    return fault('queue-denied', 'refuses the user or password')
  if (/CERT|ERR_TLS|ERR_SSL/.test(code ?? ''))
    return fault(
      'queue-certificate',
      `has a certificate that is not trusted here (${code!}): NODE_EXTRA_CA_CERTS names a file of others to trust`,
    )
  if (
    /ECONN|ENOTFOUND|ETIMEDOUT|EHOSTUNREACH|Connection is closed/.test(`${code ?? ''} ${message}`)
  )
    return fault('queue-unreachable', `cannot be reached (${code ?? message})`)
  return error
}

function checkServer(info: string): void {
  const value = (name: string): string =>
    new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
  const found = value('redis_version')
  const [major = 0, minor = 0] = found.split('.').map(Number)
  if (major < minVersion[0] || (major === minVersion[0] && minor < minVersion[1]))
    throw inputError(
      'queue-old',
      `the queue runs Redis ${found || 'of an unknown version'}; ${minVersion.join('.')} or later is needed, or Valkey`,
    )
  const policy = value('maxmemory_policy')
  if (policy !== '' && policy !== 'noeviction')
    throw inputError(
      'queue-evicts',
      `the queue may drop jobs when it is full: set maxmemory-policy to noeviction, not ${policy}`,
    )
}

/** The BullMQ queue of a run; errors of its connection are waited out. */
export async function openRunQueue(redis: Redis, run: string): Promise<Queue> {
  const { Queue } = await import('bullmq')
  const queue = new Queue(run, { connection: redis, prefix: keyPrefix })
  queue.on('error', () => undefined)
  return queue
}

export async function writeQueuedRun(redis: Redis, run: QueuedRunRecord): Promise<void> {
  await redis.hset(runsKey, run.id, JSON.stringify(run))
}

/** Returns the run of that id; an unreadable record is none. */
export async function readQueuedRun(redis: Redis, id: string): Promise<QueuedRun | undefined> {
  const [text, cancelled] = await Promise.all([
    redis.hget(runsKey, id),
    redis.sismember(cancelledKey, id),
  ])
  const [run] = parseRecords(runRecordSchema, text === null ? [] : [[id, text]]).records
  return run && { ...run, cancelled: cancelled === 1 }
}

/** Returns the runs in the order in which they are served, and records that are none. */
export async function readQueuedRuns(
  redis: Redis,
): Promise<{ runs: QueuedRun[]; unreadable: UnreadableRecord[] }> {
  const cancelled = new Set(await redis.smembers(cancelledKey))
  const texts = Object.entries(await redis.hgetall(runsKey))
  const { records, unreadable } = parseRecords(runRecordSchema, texts)
  const runs = records
    .map(run => ({ ...run, cancelled: cancelled.has(run.id) }))
    .sort((a, b) => b.priority - a.priority || (a.began < b.began ? -1 : 1))
  return { runs, unreadable }
}

/** Reverts the cancellation of a run. */
export const uncancelRun = (redis: Redis, id: string): Promise<number> =>
  redis.srem(cancelledKey, id)

/** Removes a run: its queue and its record. */
export async function removeQueuedRun(redis: Redis, id: string): Promise<void> {
  const queue = await openRunQueue(redis, id)
  await queue.obliterate({ force: true })
  await queue.close()
  await redis.hdel(runsKey, id)
  await uncancelRun(redis, id)
}

export async function writeWorker(
  redis: Redis,
  worker: WorkerRecord,
  milliseconds: number,
): Promise<void> {
  await redis.set(`${workerPrefix}${worker.id}`, JSON.stringify(worker), 'PX', milliseconds)
}

export const removeWorker = (redis: Redis, id: string): Promise<number> =>
  redis.del(`${workerPrefix}${id}`)

async function readWorkers(redis: Redis) {
  const keys: string[] = []
  for await (const some of redis.scanStream({ match: `${workerPrefix}*`, count: 1000 }))
    keys.push(...(some as string[]))
  const texts = keys.length > 0 ? await redis.mget(keys) : []
  return parseRecords(
    workerRecordSchema,
    texts
      .flatMap((text, i): [string, string][] =>
        text === null ? [] : [[keys[i]!.slice(workerPrefix.length), text]],
      )
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}

/** A unit whose tries are used up. */
export interface FailedUnit {
  unit: string
  tries: number
  error: string
}

export async function readFailedUnits(redis: Redis, queue: Queue): Promise<FailedUnit[]> {
  const { Job } = await import('bullmq')
  const names = await redis.zrange(queue.toKey('failed'), '0', '-1')
  const units = await Promise.all(
    names.map(async (unit): Promise<FailedUnit | undefined> => {
      const job = await Job.fromId(queue, unit).catch(() => null)
      if (job) return { unit, tries: job.attemptsMade, error: job.failedReason }
      return job === null ? { unit, tries: 0, error: 'an unreadable record' } : undefined
    }),
  )
  return units.filter(unit => unit !== undefined)
}

export interface RunState extends QueuedRun {
  state: 'running' | 'paused' | 'cancelled'
  /** Seconds left, from what was stored since the run started or resumed; null before the first unit and while nothing is done. */
  left: number | null
  waiting: number
  active: number
  /** Units that wait to be tried again. */
  delayed: number
  apart: FailedUnit[]
}

export interface WorkerState extends WorkerRecord {
  /** Images a second while at work; null before the first. */
  rate: number | null
}

export interface ClusterState {
  runs: RunState[]
  workers: WorkerState[]
  /** Records of runs and workers that could not be read, by their names. */
  unreadable: UnreadableRecord[]
}

/** The state of the machines and runs at a queue. */
export async function readClusterState(redis: Redis): Promise<ClusterState> {
  const runs: RunState[] = []
  const queued = await readQueuedRuns(redis)
  for (const run of queued.runs) {
    const queue = await openRunQueue(redis, run.id)
    const {
      waiting = 0,
      active = 0,
      delayed = 0,
    } = await queue.getJobCounts('waiting', 'active', 'delayed')
    const state = run.cancelled ? 'cancelled' : (await queue.isPaused()) ? 'paused' : 'running'
    runs.push({
      ...run,
      state,
      left: state === 'running' ? secondsLeft(run) : null,
      waiting,
      active,
      delayed,
      apart: await readFailedUnits(redis, queue),
    })
    await queue.close()
  }
  const { records, unreadable } = await readWorkers(redis)
  const workers = records.map(worker => ({
    ...worker,
    rate: worker.images > 0 && worker.seconds > 0 ? worker.images / worker.seconds : null,
  }))
  return { runs, workers, unreadable: [...queued.unreadable, ...unreadable] }
}

function secondsLeft({
  seconds,
  doneSeconds,
  before,
  began,
  seen,
}: QueuedRunRecord): number | null {
  const gained = doneSeconds - before
  return gained > 0
    ? ((seconds - doneSeconds) * (Date.parse(seen) - Date.parse(began))) / 1000 / gained
    : null
}

/** Pauses, resumes or cancels a run; cancelling an unreadable record removes it. Errors: `unknown-run`. */
export async function steerRun(
  redis: Redis,
  id: string,
  what: 'pause' | 'resume' | 'cancel',
): Promise<void> {
  const run = await readQueuedRun(redis, id)
  if (!run) {
    if (what === 'cancel' && (await redis.hdel(runsKey, id)) > 0) return
    const { runs } = await readQueuedRuns(redis)
    throw unknownNameError(
      'run',
      id,
      runs.map(({ id }) => id),
    )
  }
  const queue = await openRunQueue(redis, id)
  if (what === 'cancel') {
    await redis.sadd(cancelledKey, id)
    if (Date.now() - Date.parse(run.seen) > followerGoneAfterMs) await removeQueuedRun(redis, id)
    else await queue.obliterate({ force: true })
  } else await queue[what]()
  await queue.close()
}

/** Milliseconds without a message after which the follower of a run counts as gone. */
const followerGoneAfterMs = 60_000
