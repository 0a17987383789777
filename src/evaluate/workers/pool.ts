/*
 * Runs shards of one model group on child processes. A child that dies or falls silent costs its shard a split: each
 * half goes to a fresh child, down to the single image that kills it, which becomes an error row.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GeogapError } from '../../lib/errors.ts'
import type { FromWorker, ModelGroup, ShardItem, Timings, ToWorker } from './messages.ts'
import type { Outcomes } from '../../results/predictions.ts'
import { addTimings, noTimings } from './messages.ts'
import { emptyOutcomes } from '../../results/score.ts'

export interface PoolOptions {
  processes: number
  /** Milliseconds without a sign of life after which a child is taken for hung. */
  silence?: number
  /** Ends the run after the running batches; shards that are not begun are left out. */
  signal?: AbortSignal
  onImages?: (count: number) => void
  /** Keeps the processes for the next shards. */
  crew?: Crew
}

/** Outcomes of a shard's items, or of the first of them where the run was aborted. */
export interface ShardResult {
  outcomes: Outcomes[]
  timings: Timings
}

/** The model, not an image, made its child fail: nothing of the group can be evaluated. */
export class ModelFailure extends GeogapError {
  readonly model: string | undefined
  constructor(code: string, message: string, model?: string) {
    super('weights', code, message)
    this.model = model
  }
}

const defaultSilence = 180_000
const tick = 1_000

/** Evaluates every shard and hands each result over as it comes. */
export async function runShards<Shard extends { items: readonly ShardItem[] }>(
  group: ModelGroup,
  shards: readonly Shard[],
  onResult: (shard: Shard, result: ShardResult) => Promise<void>,
  options: PoolOptions & { wanted?: (shard: Shard) => boolean },
): Promise<void> {
  const queue = [...shards]
  const next = (): Shard | undefined => {
    for (let shard = queue.shift(); shard; shard = queue.shift()) if (options.wanted?.(shard) ?? true) return shard
    return undefined
  }
  const idle = options.crew?.take(group) ?? []
  const processes = Math.min(idle.length || options.processes, shards.length)
  const lanes = Array.from({ length: processes }, (_, i) => idle[i] ?? createLane(group))
  const runs = lanes.map(async lane => {
    try {
      for (let shard = next(); shard && !options.signal?.aborted; shard = next()) {
        const result = await lane.run(shard.items, options)
        if (result && result.outcomes[0]!.rank.length > 0) await onResult(shard, result)
      }
      if (!options.crew) lane.stop()
    } catch (error) {
      queue.length = 0
      throw error
    }
  })
  const settled = await Promise.allSettled(runs)
  const failed = settled.find(lane => lane.status === 'rejected')
  const all = [...lanes, ...idle.slice(processes)]
  if (options.crew && !failed && !options.signal?.aborted) options.crew.give(group, all)
  else for (const lane of all) lane.stop()
  if (failed) throw failed.reason
}

/** Loads a group in one child and ends it: what loading keeps on disk is there for those that come. */
export async function loadOnce(group: ModelGroup, options: PoolOptions): Promise<void> {
  const lane = createLane(group)
  try {
    await lane.run([], options)
  } finally {
    lane.stop()
  }
}

/** Processes between two runs of shards: those of the last group, with its models loaded. */
export interface Crew {
  /** The processes of this group; those of another end. */
  take(group: ModelGroup): Lane[]
  give(group: ModelGroup, lanes: Lane[]): void
  /** Ends the processes that are not taken. */
  end(): void
}

/** Milliseconds after which processes without work end. */
const patience = 60_000

export function createCrew(): Crew {
  let kept: { key: string; lanes: Lane[] } | undefined
  let timer: NodeJS.Timeout | undefined
  // A group that is loaded keeps the threads that it was planned with.
  const keyOf = (group: ModelGroup): string => JSON.stringify({ ...group, threads: 0 })
  const end = (): void => {
    clearTimeout(timer)
    for (const lane of kept?.lanes ?? []) lane.stop()
    kept = undefined
  }
  return {
    take: group => {
      if (kept?.key !== keyOf(group)) end()
      clearTimeout(timer)
      const lanes = kept?.lanes ?? []
      kept = undefined
      return lanes
    },
    give: (group, lanes) => {
      end()
      for (const lane of lanes) lane.rest()
      kept = { key: keyOf(group), lanes }
      timer = setTimeout(end, patience).unref()
    },
    end,
  }
}

export interface Lane {
  /** Undefined when the run was aborted before the first batch was done. */
  run(items: readonly ShardItem[], options: PoolOptions): Promise<ShardResult | undefined>
  /** From now on the child does not keep this process from ending. */
  rest(): void
  stop(): void
}

function createLane(group: ModelGroup): Lane {
  let child: ChildProcess | undefined
  const load = (options: PoolOptions): Promise<Answer> =>
    request((child = startChild()), { type: 'load', group }, options)
  const alive = async (options: PoolOptions): Promise<ChildProcess | undefined> => {
    if (child?.connected) return child
    let ready = await load(options)
    // Once may be the doing of others: a full memory, a person.
    if (ready.type === 'ended' && !options.signal?.aborted) ready = await load(options)
    if (options.signal?.aborted) return undefined
    if (ready.type === 'ready') return child
    if (ready.type === 'failed') throw new ModelFailure(ready.code, ready.message, ready.model)
    throw new ModelFailure(
      'model-crash',
      `the process died while it loaded ${names(group)} (${describeEnd(ready)})`,
      group.models[0]?.name,
    )
  }
  const attempt: Lane['run'] = async (items, options) => {
    const ready = await alive(options)
    if (!ready) return undefined
    const answer = await request(ready, { type: 'shard', items }, options)
    if (answer.type === 'outcomes') return answer
    if (answer.type === 'failed') throw new ModelFailure(answer.code, answer.message, group.models[0]?.name)
    child?.kill('SIGKILL')
    child = undefined
    if (options.signal?.aborted) return undefined
    return split(items, answer.type === 'silent' ? 'hung' : 'crashed', options)
  }
  const split = async (items: readonly ShardItem[], code: string, options: PoolOptions) => {
    if (items.length === 1)
      return {
        outcomes: group.models.map(({ name }) => failedOutcome(name, code)),
        timings: noTimings(group.models.length),
      }
    const middle = items.length >> 1
    const left = await attempt(items.slice(0, middle), options)
    const right = left && !options.signal?.aborted ? await attempt(items.slice(middle), options) : undefined
    return left && right ? joined(left, right) : left
  }
  const rest = (): void => {
    child?.unref()
    child?.channel?.unref()
  }
  return { run: attempt, rest, stop: () => child?.kill('SIGKILL') }
}

const names = (group: ModelGroup): string => group.models.map(({ name }) => name).join(', ')

/** The worker beside this module, in the form that this module has. */
function startChild(): ChildProcess {
  const worker = fileURLToPath(new URL(`./worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url))
  const child = fork(worker, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // A group of its own: what a terminal sends on Ctrl-C is for the parent alone.
    detached: process.platform !== 'win32',
  })
  if (!process.listeners('exit').includes(killAll)) process.on('exit', killAll)
  children.add(child)
  child.once('exit', () => children.delete(child))
  // What goes wrong with the channel also ends the child, and that is what is acted on.
  child.on('error', () => undefined)
  return child
}

const children = new Set<ChildProcess>()

function killAll(): void {
  for (const child of children) child.kill('SIGKILL')
}

type Ended = { type: 'ended'; code: number | null; signal: NodeJS.Signals | null } | { type: 'silent' }
type Answer = Exclude<FromWorker, { type: 'progress' }> | Ended

const describeEnd = (end: Answer): string =>
  end.type === 'ended' ? (end.signal ?? `exit code ${end.code ?? 'unknown'}`) : 'no sign of life'

/**
 * Sends a message and waits for its answer, for the child's end, or for `silence`. Silence is counted in ticks of this
 * process: while it is stopped or its terminal is full, messages wait and no tick passes.
 */
function request(child: ChildProcess, message: ToWorker, options: PoolOptions): Promise<Answer> {
  return new Promise(resolve => {
    let quiet = 0
    const timer = setInterval(() => {
      if (++quiet * tick >= (options.silence ?? defaultSilence)) finish({ type: 'silent' })
    }, tick)
    const onMessage = (answer: FromWorker): void => {
      quiet = 0
      if (answer.type === 'progress') options.onImages?.(answer.images)
      else finish(answer)
    }
    const onExit = (code: number | null, signal: NodeJS.Signals | null): void => finish({ type: 'ended', code, signal })
    const onError = (): void => finish({ type: 'ended', code: null, signal: null })
    const onAbort = (): void => {
      if (message.type === 'shard') child.send({ type: 'stop' } satisfies ToWorker, () => undefined)
      else child.kill('SIGKILL')
    }
    const finish = (answer: Answer): void => {
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

function failedOutcome(model: string, code: string): Outcomes {
  const outcome = emptyOutcomes(model, 1)
  outcome.status[0] = code
  return outcome
}

function joined(left: ShardResult, right: ShardResult): ShardResult {
  const outcomes = left.outcomes.map((a, m): Outcomes => {
    const b = right.outcomes[m]!
    const kept = joinedRows(a, b)
    return {
      model: a.model,
      status: [...a.status, ...b.status],
      top5: Int32Array.from([...a.top5, ...b.top5]),
      probabilities: Float32Array.from([...a.probabilities, ...b.probabilities]),
      rank: Int32Array.from([...a.rank, ...b.rank]),
      ...(kept && { kept }),
    }
  })
  return { outcomes, timings: addTimings(left.timings, right.timings) }
}

/** Kept rows of both halves; a half whose images all failed has none, and zeros stand for it. */
function joinedRows(a: Outcomes, b: Outcomes): Float32Array | undefined {
  const known = a.kept ? a : b.kept ? b : undefined
  if (!known?.kept) return undefined
  const width = known.kept.length / known.rank.length
  const both = new Float32Array((a.rank.length + b.rank.length) * width)
  if (a.kept) both.set(a.kept)
  if (b.kept) both.set(b.kept, a.rank.length * width)
  return both
}
