import { addTimings, zeroTimings, type Timings } from './workers/messages.ts'
import { type InferenceProfile } from './inferenceProfile.ts'
import { type EvaluationJob } from './plan.ts'

/** Collects what a job's shards took. */
export function createProfiler({ group, processes }: EvaluationJob, dataset: string) {
  const started = performance.now()
  let timings: Timings = zeroTimings(group.models.length)
  let [images, write] = [0, 0]
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
      const seconds = { wall, decode, prepare, write, idle }
      return {
        dataset,
        models: group.models.map(({ name }) => name),
        images,
        batch: group.batch,
        threads: group.threads,
        processes,
        ...mapValues(seconds, time => time / 1000),
        infer: infer.map(time => time / 1000),
      }
    },
  }
}

const mapValues = <K extends string>(
  values: Record<K, number>,
  f: (value: number) => number,
): Record<K, number> =>
  Object.fromEntries(
    Object.entries<number>(values).map(([key, value]) => [key, f(value)]),
  ) as Record<K, number>
