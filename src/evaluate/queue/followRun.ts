/*
 * Follows a run at a queue. The stored results say what is done; units that are missing, not failed and not in the queue are queued
 * again, after a FLUSHALL as after the loss of a single job.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { type Storage } from '../../lib/storage/storage.ts'
import { type WorkUnit, splitIntoUnits } from '../units.ts'
import { readMissingUnits, type RunPlan, unitKeysOf } from './runPlan.ts'
import {
  readQueuedRun,
  removeQueuedRun,
  openRunQueue,
  type FailedUnit,
  readFailedUnits,
  uncancelRun,
  withQueue,
  writeQueuedRun,
} from './redis.ts'

export interface FollowOptions {
  queue: string
  priority?: number | undefined
  /** Milliseconds between two listings of the results; 2,000 by default, and more if a listing takes long. */
  pollMs?: number
  /** Tries of a unit before it counts as failed (3), and milliseconds before the second one (2,000), doubled each time. */
  maxTries?: number
  backoffMs?: number
  signal?: AbortSignal | undefined
  onState?: (state: FollowState) => void
}

export interface FollowState {
  units: number
  done: number
  /** Estimated core seconds of everything, and of what is stored. */
  seconds: number
  doneSeconds: number
  failedUnits: number
}

export interface FollowedRun {
  outcome: 'done' | 'cancelled' | 'left'
  failedUnits: (WorkUnit & FailedUnit)[]
}

interface FollowedQueue {
  plan: RunPlan
  place: Storage
  redis: Redis
  queue: Queue
}

/**
 * Queues the plan's missing units. Returns when all are stored or failed, when the run is cancelled, or when `signal` is
 * aborted (workers continue). Errors: those of `connectQueue`, `queue-full`.
 */
export function followRun(
  plan: RunPlan,
  place: Storage,
  options: FollowOptions,
): Promise<FollowedRun> {
  return withQueue(options.queue, async redis => {
    const queue = await openRunQueue(redis, plan.id)
    await queue.clean(0, 0, 'failed')
    await uncancelRun(redis, plan.id)
    const driven = await followUnits({ plan, place, redis, queue }, options)
    await queue.close()
    if (driven.outcome !== 'left') await removeQueuedRun(redis, plan.id)
    return driven
  })
}

async function followUnits(
  { plan, place, redis, queue }: FollowedQueue,
  options: FollowOptions,
): Promise<FollowedRun> {
  const { priority = 0, pollMs = 2000, signal, onState } = options
  const all = splitIntoUnits(plan.groups)
  const cost = (units: readonly WorkUnit[]): number =>
    units.reduce(
      (sum, { group, start, end }) => sum + (end - start) * plan.groups[group]!.seconds,
      0,
    )
  const keyOf = unitKeysOf(plan)
  const keys = new Map(all.map(unit => [keyOf(unit), unit]))
  const seconds = cost(all)
  const began = new Date().toISOString()
  let before: number | undefined
  for (;;) {
    const look = performance.now()
    const queued = await countQueuedUnits(queue)
    const missing = await readMissingUnits(plan, place)
    const next = performance.now() + lookCostRatio * (performance.now() - look)
    const record = await readQueuedRun(redis, plan.id)
    const apart = (await readFailedUnits(redis, queue)).filter(({ unit }) => keys.has(unit))
    if (record?.cancelled) return { outcome: 'cancelled', failedUnits: [] }
    const done = all.length - missing.length
    const doneSeconds = seconds - cost(missing)
    const state = { units: all.length, done, seconds, doneSeconds }
    before ??= doneSeconds
    const seen = new Date().toISOString()
    const { id } = plan
    await writeQueuedRun(redis, {
      id,
      place: plan.place,
      priority,
      began,
      before,
      seen,
      ...state,
    })
    onState?.({ ...state, failedUnits: apart.length })
    const set = new Set(apart.map(({ unit }) => unit))
    const todo = missing.filter(unit => !set.has(keyOf(unit)))
    if (todo.length === 0) {
      const failedUnits = apart.map(one => ({ ...keys.get(one.unit)!, ...one }))
      return { outcome: 'done', failedUnits }
    }
    // A unit leaves the queue when it is stored, so with as many in the queue as were missing afterwards none is lost.
    if (queued < todo.length)
      await enqueue(
        queue,
        todo.map(unit => ({ name: 'unit', data: unit, opts: jobOptions(keyOf(unit), options) })),
      )
    do await delay(pollMs, undefined, { signal }).catch(() => undefined)
    while (!signal?.aborted && performance.now() < next && (await countQueuedUnits(queue)) > 0)
    if (signal?.aborted) return { outcome: 'left', failedUnits: [] }
  }
}

/** Looking takes at most a twentieth of the time, but an empty queue is looked at immediately. */
const lookCostRatio = 19

const countQueuedUnits = (queue: Queue): Promise<number> =>
  queue.getJobCountByTypes('waiting', 'prioritized', 'delayed', 'active')

const unitsPerBulk = 1000

/** The queue ignores a unit whose id it already has. */
const jobOptions = (
  jobId: string,
  { maxTries = 3, backoffMs = 2000 }: Pick<FollowOptions, 'maxTries' | 'backoffMs'>,
) => ({
  jobId,
  attempts: maxTries,
  backoff: { type: 'exponential', delay: backoffMs },
  removeOnComplete: true,
  stackTraceLimit: 3,
})

async function enqueue(queue: Queue, jobs: Parameters<Queue['addBulk']>[0]): Promise<void> {
  for (let at = 0; at < jobs.length; at += unitsPerBulk)
    await queue.addBulk(jobs.slice(at, at + unitsPerBulk))
}
