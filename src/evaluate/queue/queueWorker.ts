/*
 * A worker: takes one unit at a time from the runs at a queue, the most urgent run first. It renews the unit's lock while
 * child processes infer. A lost lock (the machine slept, the queue was emptied) costs time only: the
 * second worker to finish finds the shard committed.
 */
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Job, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { availableCores } from '../../lib/cores.ts'
import { createPromiseCache, type PromiseCache } from '../../lib/memoize.ts'
import { isInside } from '../../lib/files.ts'
import { currentMachine } from '../../lib/machine.ts'
import { isObjectStoreUrl, type Storage } from '../../lib/storage/storage.ts'
import { openStorage } from '../../lib/storage/open.ts'
import { type WorkUnit } from '../units.ts'
import { version } from '../../lib/version.ts'
import { readPlan, type RunPlan } from './runPlan.ts'
import { firstLine, inputError, quoteForMessage } from '../../lib/errors.ts'
import {
  connectQueue,
  keyPrefix,
  queueError,
  readQueuedRun,
  type QueuedRun,
  readQueuedRuns,
  removeWorker,
  type WorkerRecord,
  workUnitSchema,
  writeWorker,
} from './redis.ts'

/** Computes a unit and commits its results; rejects if it cannot, or with the signal's reason. */
export type EvaluateUnit = (work: {
  plan: RunPlan
  unit: WorkUnit
  place: Storage
  signal: AbortSignal
}) => Promise<void>

export interface QueueWorkerOptions {
  queue: string
  /** A folder or an address of a store; runs with results elsewhere are ignored. */
  allow: string
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
  /** Receives each problem with a run or the queue once. */
  onProblem?: (text: string) => void
}

interface QueueWorker extends Required<Omit<QueueWorkerOptions, 'slots'>> {
  redis: Redis
  record: WorkerRecord
  workers: Map<string, Worker>
  plans: PromiseCache<{ plan: RunPlan; place: Storage }>
  /** The runs as of the last look. */
  recentRuns?: { at: number; list: Promise<QueuedRun[]> }
}

/** Works until `signal` is aborted. Errors: those of `connectQueue`. */
export async function runQueueWorker(options: QueueWorkerOptions): Promise<void> {
  const { slots = 1, lockMs = 30_000, idleMs = 1000, onUnit, onProblem } = options
  const redis = await connectQueue(options.queue)
  const record = describeWorker()
  const reported = new Set<string>()
  const hand: QueueWorker = {
    ...options,
    signal: options.signal ?? new AbortController().signal,
    lockMs,
    idleMs,
    onUnit: onUnit ?? (() => undefined),
    onProblem: text => {
      if (!reported.has(text)) onProblem?.(text)
      reported.add(text)
    },
    redis,
    record,
    workers: new Map(),
    plans: createPromiseCache(),
  }
  setMaxListeners(0, hand.signal)
  const sendHeartbeat = (): void =>
    void writeWorker(redis, record, 3 * lockMs).catch(() => undefined)
  sendHeartbeat()
  const timer = setInterval(sendHeartbeat, lockMs / 2)
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

const describeWorker = (): WorkerRecord => ({
  id: `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`,
  pid: process.pid,
  cores: availableCores(),
  version,
  began: new Date().toISOString(),
  done: 0,
  images: 0,
  seconds: 0,
  ...currentMachine(),
})

/** A unit that this worker holds by the token of its lock. */
interface TakenUnit {
  run: string
  job: Job<unknown>
  token: string
}

async function serveUnits(hand: QueueWorker): Promise<void> {
  while (!hand.signal.aborted) {
    const taken = await takeUnit(hand).catch((error: unknown) => {
      hand.onProblem(firstLine(queueError(error, hand.queue)))
      return undefined
    })
    if (taken) await runUnit(hand, taken)
    else await pause(hand.idleMs, hand.signal)
  }
}

/** Waits; an aborted signal ends the wait early. */
const pause = (milliseconds: number, signal?: AbortSignal): Promise<void> =>
  delay(milliseconds, undefined, { signal, ref: signal !== undefined }).catch(() => undefined)

/** Takes the next unit of the first run that has one. A run that cannot be served keeps no other from being served. */
async function takeUnit(hand: QueueWorker): Promise<TakenUnit | undefined> {
  for (const { id: run, cancelled, place } of await readRecentRuns(hand)) {
    if (cancelled) continue
    if (!isBelow(place, hand.allow)) {
      hand.onProblem(
        `run ${run} is left alone: its place ${place} is not below ${hand.allow} (--allow)`,
      )
      continue
    }
    const token = randomUUID()
    const worker = await openBullWorker(hand, run)
    try {
      const job = (await worker.getNextJob(token, { block: false })) as Job<unknown> | undefined
      if (job) return { run, job, token }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      hand.onProblem(`a unit of run ${run} is set apart: its record is not JSON`)
      await setApartUnreadable(hand.redis, worker, token)
    }
  }
  return undefined
}

/** Returns whether a place is a prefix itself or below it; links are followed. */
const isBelow = (place: string, prefix: string): boolean =>
  isObjectStoreUrl(prefix)
    ? `${place}/`.startsWith(prefix.replace(/\/?$/, '/')) && !place.split('/').includes('..')
    : !isObjectStoreUrl(place) && isInside(resolve(place), prefix)

/** Marks the job that was just locked by `token` and could not be parsed as failed. */
async function setApartUnreadable(redis: Redis, worker: Worker, token: string): Promise<void> {
  const { Job, UnrecoverableError } = await import('bullmq')
  for (const id of await redis.lrange(worker.toKey('active'), 0, -1)) {
    if ((await redis.get(`${worker.toKey(id)}:lock`)) !== token) continue
    const job = new Job(worker, 'unit', {}, {}, id)
    await job.moveToFailed(new UnrecoverableError('the record is not JSON'), token, false)
  }
}

function readRecentRuns(hand: QueueWorker): Promise<QueuedRun[]> {
  if (!hand.recentRuns || performance.now() - hand.recentRuns.at > hand.idleMs)
    hand.recentRuns = { at: performance.now(), list: readServedRuns(hand) }
  return hand.recentRuns.list
}

async function readServedRuns(hand: QueueWorker): Promise<QueuedRun[]> {
  const { runs, unreadable } = await readQueuedRuns(hand.redis)
  for (const { key, reason } of unreadable)
    hand.onProblem(`run ${key} is left alone: its record is unreadable (${reason})`)
  return releaseEndedRuns(hand, runs)
}

/** Releases runs that are no longer at the queue: each has its own connection and timer. */
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

/** How often a unit may lose its worker before it fails: workers also die for other reasons. */
const maxStalledCount = 10

async function openBullWorker(hand: QueueWorker, run: string): Promise<Worker> {
  const known = hand.workers.get(run)
  if (known) return known
  const { Worker } = await import('bullmq')
  const worker = new Worker(run, null, {
    connection: hand.redis,
    prefix: keyPrefix,
    autorun: false,
    lockDuration: hand.lockMs,
    stalledInterval: hand.lockMs,
    maxStalledCount,
  })
  worker.on('error', () => undefined)
  hand.workers.set(run, worker)
  await worker.startStalledCheckTimer()
  return worker
}

async function runUnit(hand: QueueWorker, taken: TakenUnit): Promise<void> {
  const { record, redis } = hand
  const { run, job, token } = taken
  const began = performance.now()
  const stop = new AbortController()
  const abort = (): void => stop.abort(hand.signal.reason)
  hand.signal.addEventListener('abort', abort)
  const renewal = setInterval(() => {
    void job.extendLock(token, hand.lockMs).catch(() => undefined)
    void readQueuedRun(redis, run).then(
      found => found?.cancelled && stop.abort(new Error('cancelled')),
      () => undefined,
    )
  }, hand.lockMs / 3)
  Object.assign(record, { run, unit: job.id!, since: new Date().toISOString() })
  const done = await tryUnit(hand, taken, stop.signal)
  clearInterval(renewal)
  hand.signal.removeEventListener('abort', abort)
  const seconds = (performance.now() - began) / 1000
  record.seconds += seconds
  if (!(done instanceof Error)) {
    record.done += 1
    record.images += done.end - done.start
  }
  delete record.unit
  const event = { run, unit: job.id!, seconds }
  if (done instanceof Error) {
    await settleUnit(
      hand,
      stop.signal.aborted ? job.moveToWait(token) : job.moveToFailed(done, token, false),
    )
    hand.onUnit({ ...event, error: done })
  } else {
    await settleUnit(hand, job.moveToCompleted(undefined, token, false))
    hand.onUnit(event)
  }
}

/** Returns the unit that was done, or why it could not be done. */
async function tryUnit(
  hand: QueueWorker,
  { run, job }: TakenUnit,
  signal: AbortSignal,
): Promise<WorkUnit | Error> {
  try {
    const { plan, place } = await hand.plans.load(run, () => findPlan(hand.redis, run))
    const unit = await checkedUnit(job, plan)
    await hand.evaluateUnit({ plan, unit, place, signal })
    return unit
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

/** Returns a job's unit. A job that is no unit of the plan is not tried again. */
async function checkedUnit({ data }: Job<unknown>, plan: RunPlan): Promise<WorkUnit> {
  const parsed = workUnitSchema.safeParse(data)
  const unit = parsed.data
  if (unit && unit.end <= (plan.groups[unit.group]?.images ?? 0)) return unit
  const { UnrecoverableError } = await import('bullmq')
  throw new UnrecoverableError(
    `no unit of the plan: ${quoteForMessage(data === undefined ? 'nothing' : JSON.stringify(data))}`,
  )
}

/** Waits until the queue is told, and ignores that it has dropped the unit or given it to another worker. */
async function settleUnit({ signal }: QueueWorker, told: Promise<unknown>): Promise<void> {
  const settled = told.catch(() => undefined)
  await (signal.aborted ? Promise.race([settled, pause(1000)]) : settled)
}

async function findPlan(redis: Redis, run: string): Promise<{ plan: RunPlan; place: Storage }> {
  const record = await readQueuedRun(redis, run)
  if (!record) throw inputError('unknown-run', `no run ${run} at the queue`)
  const place = await openStorage(record.place)
  return { plan: await readPlan(place, run), place }
}
