import { setTimeout as delay } from 'node:timers/promises'
import { type ClusterState, readClusterState, connectQueue } from '../evaluate/queue/redis.ts'
import { networkError } from '../lib/errors.ts'

export interface ClusterWatch {
  /** Errors: queue-silent. */
  readState: () => Promise<ClusterState>
  close: () => void
}

/** An answer of the queue is reused for this long. */
const freshMs = 1000
const timeoutMs = 1500

/** Connects to a queue and reads its runs and workers, at most once per second. Errors: those of `connectQueue`. */
export async function watchCluster(url: string): Promise<ClusterWatch> {
  const redis = await connectQueue(url)
  let reading: Promise<ClusterState> | undefined
  const read = async (): Promise<ClusterState> => {
    try {
      return await readClusterState(redis)
    } finally {
      setTimeout(() => (reading = undefined), freshMs).unref()
    }
  }
  const silence = async (): Promise<never> => {
    await delay(timeoutMs, undefined, { ref: false })
    throw networkError('queue-silent', 'the queue does not answer; it is asked again')
  }
  return {
    readState: () => Promise.race([(reading ??= read()), silence()]),
    close: () => redis.disconnect(),
  }
}
