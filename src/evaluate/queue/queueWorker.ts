/*
 * A worker: takes one unit at a time from the runs at a queue, the most urgent run first. It renews the unit's lock while
 * child processes infer. A lock that is lost (the machine slept, the queue was emptied) costs nothing but time: whoever
 * finishes second finds the shard committed.
 */
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { availableParallelism, hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { createPromiseCache, type PromiseCache } from '../../lib/memoize.ts'
import { currentMachine } from '../../lib/machine.ts'
import { type Storage } from '../../lib/storage/storage.ts'
import { openStorage } from '../../lib/storage/open.ts'
import { type WorkUnit } from '../units.ts'
import { version } from '../../lib/version.ts'
import { readPlan, type RunPlan } from './plan.ts'
import { inputError } from '../../lib/errors.ts'
import {
  connectQueue,
  keyPrefix,
  readQueuedRun,
  type QueuedRun,
  readQueuedRuns,
  removeWorker,
  type WorkerRecord,
  writeWorker,
} from './queue.ts'

/** Does a unit and commits it to the place; rejects when it cannot, or with the signal's reason. */
export type EvaluateUnit = (work: {
  plan: RunPlan
  unit: WorkUnit
  place: Storage
  signal: AbortSignal
}) => Promise<void>

export interface QueueWorkerOptions {
  queue: string
  evaluateUnit: EvaluateUnit
  /** Ends the worker after giving its unit back. */
  signal?: AbortSignal
  /** Units at once. */
  slots?: number
  /** Milliseconds for which a unit is this worker's without a renewal; default 30 s. */
  lockMs?: number
  /** Milliseconds between looks at queues that were empty; default 1 s. */
  idleMs?: number
  onUnit?: (event: { run: string; unit: string; seconds: number; error?: Error }) => void
}

interface QueueWorker extends Required<
  Pick<QueueWorkerOptions, 'queue' | 'evaluateUnit' | 'lockMs' | 'idleMs'>
> {
  redis: Redis
  record: WorkerRecord
  stop: AbortSignal
  workers: Map<string, Worker>
  plans: PromiseCache<{ plan: RunPlan; place: Storage }>
  /** The runs as they were a moment ago. */
  recentRuns?: { at: number; list: Promise<QueuedRun[]> }
  onUnit: NonNullable<QueueWorkerOptions['onUnit']>
}

/** Works until `signal` comes. Errors: those of `connectQueue`. */
export async function runQueueWorker(options: QueueWorkerOptions): Promise<void> {
  const {
    queue,
    evaluateUnit: doUnit,
    slots = 1,
    lockMs: lock = 30_000,
    idleMs: idle = 1000,
    onUnit = () => undefined,
  } = options
  const redis = await connectQueue(queue)
  const stop = options.signal ?? new AbortController().signal
  const record: WorkerRecord = {
    ...{
      id: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
      pid: process.pid,
      cores: availableParallelism(),
    },
    ...{
      version,
      began: new Date().toISOString(),
      done: 0,
      images: 0,
      seconds: 0,
      ...currentMachine(),
    },
  }
  setMaxListeners(0, stop)
  const hand: QueueWorker = {
    queue,
    evaluateUnit: doUnit,
    lockMs: lock,
    idleMs: idle,
    redis,
    record,
    stop,
    workers: new Map(),
    plans: createPromiseCache(),
    onUnit,
  }
  const sendHeartbeat = (): void => void writeWorker(redis, record, 3 * lock).catch(() => undefined)
  sendHeartbeat()
  const timer = setInterval(sendHeartbeat, lock / 2)
  try {
    await Promise.all(Array.from({ length: slots }, () => serveUnits(hand)))
  } finally {
    clearInterval(timer)
    await Promise.race([removeWorker(redis, record.id).catch(() => undefined), pause(1000)])
    await Promise.all(
      [...hand.workers.values()].map(worker => worker.close(true).catch(() => undefined)),
    )
    redis.disconnect()
  }
}

async function serveUnits(hand: QueueWorker): Promise<void> {
  while (!hand.stop.aborted) {
    const token = randomUUID()
    const taken = await takeUnit(hand, token).catch(() => undefined)
    if (taken) await runUnit(hand, taken.run, taken.job, token)
    else await pause(hand.idleMs, hand.stop)
  }
}

/** Waits, or less when the signal comes. */
const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  delay(milliseconds, undefined, { ...(signal && { signal }), ref: signal !== undefined }).catch(
    () => undefined,
  )

async function takeUnit(
  hand: QueueWorker,
  token: string,
): Promise<{ run: string; job: Job<WorkUnit> } | undefined> {
  for (const { id, cancelled } of await readRecentRuns(hand)) {
    if (cancelled) continue
    const job = (await (await openBullWorker(hand, id)).getNextJob(token, { block: false })) as
      Job<WorkUnit> | undefined
    if (job) return { run: id, job }
  }
  return undefined
}

function readRecentRuns(hand: QueueWorker): Promise<QueuedRun[]> {
  if (!hand.recentRuns || performance.now() - hand.recentRuns.at > hand.idleMs)
    hand.recentRuns = {
      at: performance.now(),
      list: readQueuedRuns(hand.redis).then(runs => releaseEndedRuns(hand, runs)),
    }
  return hand.recentRuns.list
}

/** Lets go of runs that are no longer at the queue: each has a connection of its own, and a timer. */
function releaseEndedRuns({ workers, plans }: QueueWorker, runs: QueuedRun[]): QueuedRun[] {
  const there = new Set(runs.map(({ id }) => id))
  for (const [id, worker] of workers)
    if (!there.has(id)) {
      workers.delete(id)
      plans.delete(id)
      void worker.close(true).catch(() => undefined)
    }
  return runs
}

/** How often a unit may be found without its worker: workers die for reasons that are not the unit's. */
const maxStalledCount = 10

async function openBullWorker(hand: QueueWorker, run: string): Promise<Worker> {
  const known = hand.workers.get(run)
  if (known) return known
  const { Worker } = await import('bullmq')
  const { lockMs: lock } = hand
  const timing = { lockDuration: lock, stalledInterval: lock, maxStalledCount }
  const worker = new Worker(run, null, {
    connection: hand.redis,
    prefix: keyPrefix,
    autorun: false,
    ...timing,
  })
  worker.on('error', () => undefined)
  hand.workers.set(run, worker)
  await worker.startStalledCheckTimer()
  return worker
}

async function runUnit(
  hand: QueueWorker,
  run: string,
  job: Job<WorkUnit>,
  token: string,
): Promise<void> {
  const { record, redis } = hand
  const began = performance.now()
  const stop = new AbortController()
  const abort = (): void => stop.abort(hand.stop.reason)
  hand.stop.addEventListener('abort', abort)
  const renewal = setInterval(() => {
    void job.extendLock(token, hand.lockMs).catch(() => undefined)
    void readQueuedRun(redis, run).then(
      found => found?.cancelled && stop.abort(new Error('cancelled')),
      () => undefined,
    )
  }, hand.lockMs / 3)
  Object.assign(record, { run, unit: job.id!, since: new Date().toISOString() })
  const error = await tryUnit(hand, run, job.data, stop.signal)
  clearInterval(renewal)
  hand.stop.removeEventListener('abort', abort)
  const seconds = (performance.now() - began) / 1000
  record.seconds += seconds
  if (!error) {
    record.done += 1
    record.images += job.data.end - job.data.start
  }
  delete record.unit
  await settleUnit(hand, job, token, error, stop.signal)
  hand.onUnit({ run, unit: job.id!, seconds, ...(error && { error }) })
}

async function tryUnit(
  hand: QueueWorker,
  run: string,
  unit: WorkUnit,
  signal: AbortSignal,
): Promise<Error | undefined> {
  try {
    const { plan, place } = await cachedPlan(hand, run)
    await hand.evaluateUnit({ plan, unit, place, signal })
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Tells the queue; that it has forgotten the unit, or given it to another, matters to nobody. */
async function settleUnit(
  hand: QueueWorker,
  job: Job<WorkUnit>,
  token: string,
  error: Error | undefined,
  stopped: AbortSignal,
) {
  const told = !error
    ? job.moveToCompleted(undefined, token, false)
    : stopped.aborted
      ? job.moveToWait(token)
      : job.moveToFailed(error, token, false)
  await Promise.race([
    told.then(() => undefined).catch(() => undefined),
    ...(hand.stop.aborted ? [pause(1000)] : []),
  ])
}

function cachedPlan(hand: QueueWorker, run: string): Promise<{ plan: RunPlan; place: Storage }> {
  return hand.plans.load(run, () => findPlan(hand.redis, run))
}

async function findPlan(redis: Redis, run: string): Promise<{ plan: RunPlan; place: Storage }> {
  const record = await readQueuedRun(redis, run)
  if (!record) throw inputError('unknown-run', `no run ${run} at the queue`)
  const place = await openStorage(record.place)
  return { plan: await readPlan(place, run), place }
}
