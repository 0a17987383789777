import { setTimeout as delay } from 'node:timers/promises'
import { type ClusterState, readClusterState, connectQueue } from '../evaluate/queue/queue.ts'
import { GeogapError } from '../lib/errors.ts'

export interface ClusterWatch {
  /** Errors: queue-silent. */
  readState: () => Promise<ClusterState>
  close: () => void
}

/** Milliseconds for which an answer of the queue is good, and after which none is waited for. */
const [freshMs, timeoutMs] = [1000, 1500]

/** The runs and workers at a queue, which is asked rarely however many look. Errors: those of `connectQueue`. */
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
    throw new GeogapError('network', 'queue-silent', 'the queue does not answer; it is asked again')
  }
  return {
    readState: () => Promise.race([(reading ??= read()), silence()]),
    close: () => redis.disconnect(),
  }
}
