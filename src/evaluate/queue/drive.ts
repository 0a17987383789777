/*
 * Follows a run at a queue. What is done is what the place holds; whatever is missing there, not set apart and not in the queue, is
 * put into the queue again: after a FLUSHALL as after the loss of a single job.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Queue } from 'bullmq'
import type { Redis } from 'ioredis'
import { type Place } from '../../lib/storage/place.ts'
import { type Unit, unitsOf } from '../units.ts'
import { missingUnits, type RunPlan, unitKeys } from './plan.ts'
import {
  connectQueue,
  queueError,
  readRun,
  removeRun,
  runQueue,
  type SetApart,
  setApart,
  takeUpRun,
  writeRun,
} from './queue.ts'

export interface DriveOptions {
  queue: string
  priority?: number
  /** Milliseconds between looks at the place; default 2 s, and more where the place takes long to list. */
  poll?: number
  /** Tries of a unit before it is set apart (3), and milliseconds before the second one (2,000), doubled each time. */
  tries?: number
  backoff?: number
  signal?: AbortSignal
  onState?: (state: DriveState) => void
}

export interface DriveState {
  units: number
  done: number
  /** Estimated core seconds of everything, and of what is stored. */
  seconds: number
  doneSeconds: number
  apart: number
}

export interface Driven {
  outcome: 'done' | 'cancelled' | 'left'
  apart: (Unit & SetApart)[]
}

/**
 * Puts the plan's missing units into the queue and returns when all are stored or set apart, when somebody cancels the run, or when
 * `signal` comes (workers go on). Errors: those of `connectQueue`, `queue-full`.
 */
export async function drive(plan: RunPlan, place: Place, options: DriveOptions): Promise<Driven> {
  const redis = await connectQueue(options.queue)
  try {
    const queue = await runQueue(redis, plan.id)
    await queue.clean(0, 0, 'failed')
    await takeUpRun(redis, plan.id)
    const driven = await follow(plan, place, options, redis, queue)
    await queue.close()
    if (driven.outcome !== 'left') await removeRun(redis, plan.id)
    return driven
  } catch (error) {
    throw queueError(error, options.queue)
  } finally {
    redis.disconnect()
  }
}

async function follow(
  plan: RunPlan,
  place: Place,
  { priority = 0, poll = 2000, signal, onState, ...retries }: DriveOptions,
  redis: Redis,
  queue: Queue,
): Promise<Driven> {
  const all = unitsOf(plan.groups)
  const cost = (units: readonly Unit[]): number =>
    units.reduce((sum, { group, start, end }) => sum + (end - start) * plan.groups[group]!.seconds, 0)
  const keyOf = unitKeys(plan)
  const keys = new Map(all.map(unit => [keyOf(unit), unit]))
  const [seconds, began] = [cost(all), new Date().toISOString()]
  let before: number | undefined
  for (;;) {
    const look = performance.now()
    const queued = await unitsIn(queue)
    const missing = await missingUnits(plan, place)
    const next = performance.now() + lookCost * (performance.now() - look)
    const record = await readRun(redis, plan.id)
    const apart = (await setApart(queue)).filter(({ unit }) => keys.has(unit))
    if (record?.cancelled) return { outcome: 'cancelled', apart: [] }
    const state = {
      units: all.length,
      done: all.length - missing.length,
      seconds,
      doneSeconds: seconds - cost(missing),
    }
    before ??= state.doneSeconds
    const seen = new Date().toISOString()
    await writeRun(redis, { id: plan.id, place: plan.place, priority, began, before, seen, ...state })
    onState?.({ ...state, apart: apart.length })
    const set = new Set(apart.map(({ unit }) => unit))
    const todo = missing.filter(unit => !set.has(keyOf(unit)))
    if (todo.length === 0) return { outcome: 'done', apart: apart.map(one => ({ ...keys.get(one.unit)!, ...one })) }
    // A unit leaves the queue when it is stored, so with as many in the queue as were missing afterwards none is lost.
    if (queued < todo.length) await enqueue(todo, keyOf, queue, retries)
    do await delay(poll, undefined, { ...(signal && { signal }) }).catch(() => undefined)
    while (!signal?.aborted && performance.now() < next && (await unitsIn(queue)) > 0)
    if (signal?.aborted) return { outcome: 'left', apart: [] }
  }
}

/** Looks take a twentieth of the time at most; when the queue is empty there is one at once. */
const lookCost = 19

const unitsIn = (queue: Queue): Promise<number> =>
  queue.getJobCountByTypes('waiting', 'prioritized', 'delayed', 'active')

const chunk = 1000

/** Adds units; the queue ignores those that it has. */
async function enqueue(
  units: readonly Unit[],
  keyOf: (unit: Unit) => string,
  queue: Queue,
  { tries = 3, backoff = 2000 }: Pick<DriveOptions, 'tries' | 'backoff'>,
): Promise<void> {
  const retries = { attempts: tries, backoff: { type: 'exponential', delay: backoff } }
  const rest = { ...retries, removeOnComplete: true, stackTraceLimit: 3 }
  for (let at = 0; at < units.length; at += chunk) {
    const some = units.slice(at, at + chunk)
    await queue.addBulk(some.map(unit => ({ name: 'unit', data: unit, opts: { jobId: keyOf(unit), ...rest } })))
  }
}
