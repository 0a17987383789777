/*
 * What the machines of a run tell each other through Redis or Valkey. A run has a BullMQ queue of its own, so pausing and
 * counting are its own too; beside it are a record of the run and one of each worker, which expires. Nothing here is needed
 * to know what is done: the place with the results says that.
 */
import type { Job, Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { GeogapError, inputError, unknownNameError, networkError } from '../../lib/errors.ts'
import { type Machine } from '../../lib/machine.ts'

/** Prefix of every key. */
export const keyPrefix = 'geogap'
const runsKey = `${keyPrefix}:runs`
/** Names of cancelled runs: apart from their records, which followers write again and again. */
const cancelledKey = `${keyPrefix}:cancelled`
const workerKey = (id: string): string => `${keyPrefix}:worker:${id}`

/** A run as the queue knows it. */
export interface QueuedRunRecord {
  id: string
  /** Where its plan and its results are. */
  place: string
  /** Runs of a higher number go first; equal ones in the order of their beginning. */
  priority: number
  units: number
  /** Units whose results are stored, as the follower saw it last. */
  done: number
  /** Estimated core seconds of everything, and of what is stored. */
  seconds: number
  doneSeconds: number
  /** `doneSeconds` when the run was begun or taken up again. */
  before: number
  began: string
  /** Last sign of the process that follows the run. */
  seen: string
}

export interface QueuedRun extends QueuedRunRecord {
  cancelled: boolean
}

/** A worker as it describes itself every few seconds. */
export interface WorkerRecord extends Machine {
  id: string
  pid: number
  cores: number
  version: string
  began: string
  /** Run and unit at work, and since when. */
  run?: string
  unit?: string
  since?: string
  /** Units done, images done in them, and seconds that they took. */
  done: number
  images: number
  seconds: number
}

const minVersion = [6, 2] as const

/**
 * Connects to `redis://user:password@host:port/db` (`rediss://` with TLS). Later interruptions are waited out.
 * Errors: `bad-queue-url`, `queue-unreachable`, `queue-denied`, `queue-old`, `queue-evicts`.
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
  } finally {
    redis.disconnect()
  }
}

/** The address without what must not be shown. */
const shownUrl = (url: string): string => url.replace(/\/\/.*@/, '//')

/** A failed command or connection in one line; others pass. */
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
  if (/WRONGPASS|NOAUTH|invalid password|NOPERM/i.test(message))
    return fault('queue-denied', 'refuses the user or password')
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

export async function readQueuedRun(redis: Redis, id: string): Promise<QueuedRun | undefined> {
  const [text, cancelled] = await Promise.all([
    redis.hget(runsKey, id),
    redis.sismember(cancelledKey, id),
  ])
  return text === null
    ? undefined
    : { ...(JSON.parse(text) as QueuedRunRecord), cancelled: cancelled === 1 }
}

/** Runs in the order in which they are served. */
export async function readQueuedRuns(redis: Redis): Promise<QueuedRun[]> {
  const [texts, cancelled] = await Promise.all([
    redis.hgetall(runsKey),
    redis.smembers(cancelledKey),
  ])
  const runs = Object.values(texts).map(text => JSON.parse(text) as QueuedRunRecord)
  return runs
    .map(run => ({ ...run, cancelled: cancelled.includes(run.id) }))
    .sort((a, b) => b.priority - a.priority || (a.began < b.began ? -1 : 1))
}

/** Lets a cancelled run go on. */
export const uncancelRun = (redis: Redis, id: string): Promise<number> =>
  redis.srem(cancelledKey, id)

/** Forgets a run: its queue and its record. */
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
  await redis.set(workerKey(worker.id), JSON.stringify(worker), 'PX', milliseconds)
}

export const removeWorker = (redis: Redis, id: string): Promise<number> => redis.del(workerKey(id))

async function readWorkers(redis: Redis): Promise<WorkerRecord[]> {
  const keys: string[] = []
  for await (const some of redis.scanStream({ match: workerKey('*'), count: 1000 }))
    keys.push(...(some as string[]))
  const texts = keys.length > 0 ? await redis.mget(keys) : []
  return texts
    .flatMap(text => (text === null ? [] : [JSON.parse(text) as WorkerRecord]))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

/** A unit that failed as often as it may, and is set apart. */
export interface FailedUnit {
  unit: string
  tries: number
  error: string
}

export async function readFailedUnits(queue: Queue): Promise<FailedUnit[]> {
  const jobs = (await queue.getFailed()) as Job[]
  return jobs.map(({ id, attemptsMade, failedReason }) => ({
    unit: id!,
    tries: attemptsMade,
    error: failedReason,
  }))
}

export interface RunState extends QueuedRun {
  state: 'running' | 'paused' | 'cancelled'
  /** Seconds, by what was stored since the run was begun or taken up again; null before the first unit and while nothing is done. */
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
}

/** Everything that a person wants to know of the machines and runs at a queue. */
export async function readClusterState(redis: Redis): Promise<ClusterState> {
  const runs: RunState[] = []
  for (const run of await readQueuedRuns(redis)) {
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
      apart: await readFailedUnits(queue),
    })
    await queue.close()
  }
  const workers = (await readWorkers(redis)).map(worker => ({
    ...worker,
    rate: worker.images > 0 && worker.seconds > 0 ? worker.images / worker.seconds : null,
  }))
  return { runs, workers }
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

/** What `geogap queue` does to a run. Errors: `unknown-run`. */
export async function steerRun(
  redis: Redis,
  id: string,
  what: 'pause' | 'resume' | 'cancel',
): Promise<void> {
  const run = await readQueuedRun(redis, id)
  if (!run)
    throw unknownNameError(
      'run',
      id,
      (await readQueuedRuns(redis)).map(({ id }) => id),
    )
  const queue = await openRunQueue(redis, id)
  if (what === 'cancel') {
    await redis.sadd(cancelledKey, id)
    if (Date.now() - Date.parse(run.seen) > followerGoneAfterMs) await removeQueuedRun(redis, id)
    else await queue.obliterate({ force: true })
  } else await queue[what]()
  await queue.close()
}

/** Milliseconds after which a process that followed a run is taken for gone. */
const followerGoneAfterMs = 60_000
