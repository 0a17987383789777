import { addTimings, type InferenceGroup, zeroTimings, type Timings } from './workers/messages.ts'

/** Time that a job spent on each step, in seconds summed over its processes. The steps add up to `processes` × `wall`. */
export interface InferenceProfile {
  dataset: string
  models: readonly string[]
  images: number
  batch: number
  threads: number
  processes: number
  wall: number
  /** Time that inference waited for images to be read and decoded. */
  decode: number
  /** Resizing to crops. */
  prepare: number
  /** Inference and scoring of each model. */
  infer: readonly number[]
  /** Storing predictions, in the parent, while the processes continue. */
  write: number
  /** The rest: starting processes, loading models, waiting for the last shard. */
  idle: number
}

/** Collects the times of a job's shards. */
export function createProfiler(
  { group, processes }: { group: InferenceGroup; processes: number },
  dataset: string,
) {
  const started = performance.now()
  let timings: Timings = zeroTimings(group.models.length)
  let images = 0
  let write = 0
  return {
    addShard: (more: Timings, count: number): void => {
      timings = addTimings(timings, more)
      images += count
    },
    addWriteMs: (milliseconds: number): void => void (write += milliseconds),
    profile: (): InferenceProfile => {
      const wall = performance.now() - started
      const { decode, prepare, infer } = timings
      const idle = processes * wall - infer.reduce((sum, time) => sum + time, decode + prepare)
      const seconds = (milliseconds: number): number => milliseconds / 1000
      return {
        dataset,
        models: group.models.map(({ name }) => name),
        images,
        batch: group.batch,
        threads: group.threads,
        processes,
        wall: seconds(wall),
        decode: seconds(decode),
        prepare: seconds(prepare),
        infer: infer.map(seconds),
        write: seconds(write),
        idle: seconds(idle),
      }
    },
  }
}
