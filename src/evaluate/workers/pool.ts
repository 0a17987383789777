/*
 * Runs the shards of one model group in child processes. If a child dies or stops sending messages, its shard is split in two and each
 * half is given to a new child, down to the single image that causes the failure, which is stored as an error row.
 */
import { type ChildProcess } from 'node:child_process'
import { bindProcess, planAffinity, readNumaNodes } from '../../lib/cores.ts'
import { GeogapError } from '../../lib/errors.ts'
import { forkModule } from '../../lib/forkModule.ts'
import type { FromWorker, InferenceGroup, ShardSample, Timings, ToWorker } from './messages.ts'
import { emptyPredictions, joinPredictions, type Predictions } from '../../results/predictions.ts'
import { addTimings, zeroTimings } from './messages.ts'

export interface WorkerPoolOptions {
  processes: number
  /** Time without a message, in milliseconds, after which a child is considered hung. */
  hungAfterMs?: number
  /** Ends the run when the running batches are done; shards that have not started are skipped. */
  signal?: AbortSignal | undefined
  onImages?: (count: number) => void
  /** Keeps idle processes, with their models loaded, for the next call. */
  pool?: WorkerPool | undefined
}

/** Predictions for a shard's items; only for the first of them if the run was aborted. */
export interface ShardResult {
  outcomes: Predictions[]
  timings: Timings
}

/** Error of a model that makes its process fail independent of any image, so that its group cannot be evaluated. */
export class ModelFailure extends GeogapError {
  readonly model: string | undefined
  constructor(code: string, message: string, model?: string) {
    super({ kind: 'weights', code, message })
    this.model = model
  }
}

const defaultHungAfterMs = 180_000
const tickMs = 1_000

export interface ShardRunOptions<Shard> extends WorkerPoolOptions {
  /** Called with the result of each shard; the next result of that process waits for it. */
  onResult: (shard: Shard, result: ShardResult) => Promise<void>
  /** Called before a shard is started; a shard that is not needed is skipped. */
  isNeeded?: ((shard: Shard) => boolean) | undefined
  /** Workers by `loadOnce`, which take the first shards. */
  loaded?: readonly Worker[] | undefined
}

/** Evaluates every needed shard and passes each result to `onResult`. */
export async function runShards<Shard extends { items: readonly ShardSample[] }>(
  group: InferenceGroup,
  shards: readonly Shard[],
  options: ShardRunOptions<Shard>,
): Promise<void> {
  const queue = [...shards]
  const next = (): Shard | undefined => {
    for (let shard = queue.shift(); shard; shard = queue.shift())
      if (options.isNeeded?.(shard) ?? true) return shard
    return undefined
  }
  const idle = options.loaded ?? options.pool?.take(group) ?? []
  const wanted = options.loaded ? options.processes : idle.length || options.processes
  const processes = Math.min(wanted, shards.length)
  const workers = planCores(group, processes).map(
    (cores, i) => idle[i] ?? createWorker(group, cores),
  )
  const runs = workers.map(async worker => {
    // A result is stored while the worker computes its next shard. `isNeeded` depends on stored results, so it waits for them.
    let stored = Promise.resolve()
    try {
      for (;;) {
        if (options.isNeeded) await stored
        const shard = options.signal?.aborted ? undefined : next()
        if (!shard) break
        const [result] = await Promise.all([worker.run(shard.items, options), stored])
        if (result && result.outcomes[0]!.rank.length > 0) stored = options.onResult(shard, result)
      }
      await stored
      if (!options.pool) worker.stop()
    } catch (error) {
      queue.length = 0
      await Promise.allSettled([stored])
      throw error
    }
  })
  const settled = await Promise.allSettled(runs)
  const failed = settled.find(result => result.status === 'rejected')
  const all = [...workers, ...idle.slice(processes)]
  if (options.pool && !failed && !options.signal?.aborted) options.pool.give(group, all)
  else for (const worker of all) worker.stop()
  if (failed) throw failed.reason
}

/** Returns the cores that each process of a group is bound to. A device may be near any node. */
const planCores = (group: InferenceGroup, processes: number): ReturnType<typeof planAffinity> =>
  planAffinity(group.device ? [] : readNumaNodes(), processes, group.threads)

/**
 * Loads a group in one child before the others start: its files in the cache, such as text embeddings, then serve them. Returns the
 * workers for `runShards`, with idle ones of the pool.
 */
export async function loadOnce(
  group: InferenceGroup,
  options: WorkerPoolOptions,
): Promise<Worker[]> {
  const idle = options.pool?.take(group) ?? []
  const [worker = createWorker(group, planCores(group, options.processes)[0])] = idle
  try {
    await worker.run([], options)
  } catch (error) {
    for (const each of [worker, ...idle]) each.stop()
    throw error
  }
  return [worker, ...idle.slice(1)]
}

/** Keeps the processes of the last model group alive between two runs of shards, with their models loaded. */
export interface WorkerPool {
  /** Returns the idle processes of this group; ends those of another group. */
  take(group: InferenceGroup): Worker[]
  /** Takes back the processes of a group until the next `take`, or for one minute. */
  give(group: InferenceGroup, workers: Worker[]): void
  /** Ends the idle processes. */
  end(): void
}

/** Milliseconds after which processes without work end. */
const idleTimeoutMs = 60_000

export function createWorkerPool(): WorkerPool {
  let idleWorkers: { key: string; workers: Worker[] } | undefined
  let timer: NodeJS.Timeout | undefined
  // The number of threads does not matter: a loaded group keeps the threads it was loaded with.
  const keyOf = (group: InferenceGroup): string => JSON.stringify({ ...group, threads: 0 })
  const end = (): void => {
    clearTimeout(timer)
    for (const worker of idleWorkers?.workers ?? []) worker.stop()
    idleWorkers = undefined
  }
  return {
    take: group => {
      if (idleWorkers?.key !== keyOf(group)) end()
      clearTimeout(timer)
      const workers = idleWorkers?.workers ?? []
      idleWorkers = undefined
      return workers
    },
    give: (group, workers) => {
      end()
      for (const worker of workers) worker.unref()
      idleWorkers = { key: keyOf(group), workers }
      timer = setTimeout(end, idleTimeoutMs).unref()
    },
    end,
  }
}

export interface Worker {
  /** Evaluates items; resolves with undefined if the run was aborted before the first batch was done, or the worker stopped. */
  run(items: readonly ShardSample[], options: WorkerPoolOptions): Promise<ShardResult | undefined>
  /** Allows this process to exit while the child is running. */
  unref(): void
  /** Ends the child for good: what it was evaluating is not given to another one. */
  stop(): void
}

/** Returns a worker that starts its child when it is first used, bound to `cores` if given. */
function createWorker(group: InferenceGroup, cores?: readonly number[]): Worker {
  let child: ChildProcess | undefined
  let isStopped = false
  const isEnding = ({ signal }: WorkerPoolOptions): boolean =>
    isStopped || (signal?.aborted ?? false)
  const load = async (options: WorkerPoolOptions): Promise<WorkerAnswer> => {
    child = startChild()
    if (cores && child.pid !== undefined) await bindProcess(child.pid, cores)
    return askWorker(child, { type: 'load', group }, options)
  }
  const alive = async (options: WorkerPoolOptions): Promise<ChildProcess | undefined> => {
    if (child?.connected) return child
    let ready = await load(options)
    // A single death may have another cause, such as full memory.
    if (ready.type === 'ended' && !isEnding(options)) ready = await load(options)
    if (isEnding(options)) return undefined
    if (ready.type === 'ready') return child
    if (ready.type === 'failed') throw new ModelFailure(ready.code, ready.message, ready.model)
    throw new ModelFailure(
      'model-crash',
      `the process died while it loaded ${modelNamesOf(group)} (${describeEnd(ready)})`,
      group.models[0]?.name,
    )
  }
  const attempt: Worker['run'] = async (items, options) => {
    const ready = await alive(options)
    if (!ready) return undefined
    // Only the needed fields are sent: copying whole samples to the child would cost more than writing their rows.
    const sent = items.map(({ image, labels }) => ({ image, labels }))
    const answer = await askWorker(ready, { type: 'shard', items: sent }, options)
    if (answer.type === 'outcomes') return answer
    if (answer.type === 'failed')
      throw new ModelFailure(answer.code, answer.message, group.models[0]?.name)
    child?.kill('SIGKILL')
    child = undefined
    if (isEnding(options)) return undefined
    return split(items, answer.type === 'silent' ? 'hung' : 'crashed', options)
  }
  const split = async (items: readonly ShardSample[], code: string, options: WorkerPoolOptions) => {
    if (items.length === 1)
      return {
        outcomes: group.models.map(({ name }) => failedPrediction(name, code)),
        timings: zeroTimings(group.models.length),
      }
    const middle = items.length >> 1
    const left = await attempt(items.slice(0, middle), options)
    const right =
      left && !isEnding(options) ? await attempt(items.slice(middle), options) : undefined
    return left && right ? joinResults(left, right) : left
  }
  const rest = (): void => {
    child?.unref()
    child?.channel?.unref()
  }
  const stop = (): void => {
    isStopped = true
    child?.kill('SIGKILL')
  }
  return { run: attempt, unref: rest, stop }
}

const modelNamesOf = (group: InferenceGroup): string =>
  group.models.map(({ name }) => name).join(', ')

function startChild(): ChildProcess {
  const child = forkModule('./worker.ts', import.meta.url, {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Its own process group, so that Ctrl-C in a terminal reaches the parent only.
    detached: process.platform !== 'win32',
  })
  if (!process.listeners('exit').includes(killAll)) process.on('exit', killAll)
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

const children = new Set<ChildProcess>()

function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

type WorkerEnd =
  { type: 'ended'; code: number | null; signal: NodeJS.Signals | null } | { type: 'silent' }
type WorkerAnswer = Exclude<FromWorker, { type: 'progress' }> | WorkerEnd

const describeEnd = (end: WorkerAnswer): string =>
  end.type === 'ended' ? (end.signal ?? `exit code ${end.code ?? 'unknown'}`) : 'no sign of life'

/**
 * Sends a message and resolves with the child's answer, its end, or `silent` after `hungAfterMs`. The time is counted in ticks of this
 * process: while this process is stopped or its terminal blocks, no tick passes and waiting messages do not count as silence.
 */
function askWorker(
  child: ChildProcess,
  message: ToWorker,
  options: WorkerPoolOptions,
): Promise<WorkerAnswer> {
  return new Promise(resolve => {
    let quiet = 0
    const timer = setInterval(() => {
      if (++quiet * tickMs >= (options.hungAfterMs ?? defaultHungAfterMs))
        finish({ type: 'silent' })
    }, tickMs)
    const onMessage = (answer: FromWorker): void => {
      quiet = 0
      if (answer.type === 'progress') options.onImages?.(answer.images)
      else finish(answer)
    }
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
      finish({ type: 'ended', code, signal })
    const onError = (): void => finish({ type: 'ended', code: null, signal: null })
    const onAbort = (): void => {
      if (message.type === 'shard') child.send({ type: 'stop' } satisfies ToWorker, () => undefined)
      else child.kill('SIGKILL')
    }
    const finish = (answer: WorkerAnswer): void => {
      clearInterval(timer)
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      options.signal?.removeEventListener('abort', onAbort)
      resolve(answer)
    }
    child.on('message', onMessage).on('exit', onExit).on('error', onError)
    options.signal?.addEventListener('abort', onAbort)
    if (child.connected) child.send(message, () => undefined)
    else finish({ type: 'ended', code: child.exitCode, signal: child.signalCode })
  })
}

function failedPrediction(model: string, code: string): Predictions {
  const outcome = emptyPredictions(model, 1)
  outcome.status[0] = code
  return outcome
}

const joinResults = (left: ShardResult, right: ShardResult): ShardResult => ({
  outcomes: left.outcomes.map((predictions, m) => joinPredictions(predictions, right.outcomes[m]!)),
  timings: addTimings(left.timings, right.timings),
})
