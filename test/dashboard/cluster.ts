import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { followRun } from '../../src/evaluate/queue/followRun.ts'
import { runQueueWorker } from '../../src/evaluate/queue/queueWorker.ts'
import { openStorage } from '../../src/lib/storage/open.ts'
import { startRedis, type TestRedis } from '../evaluate/queue/redis.ts'
import { storePlan, waitingUnit } from '../evaluate/queue/run.ts'

export interface TestCluster {
  queue: string
  place: string
  redis: TestRedis
  stop: () => Promise<void>
}

/** A queue with one worker at a run of 400 units that wait, of which one is set apart at once. */
export async function startCluster(folder: string): Promise<TestCluster> {
  const [place, data] = [join(folder, 'cluster'), join(folder, 'redis')]
  await mkdir(data)
  const redis = await startRedis(data)
  const plan = await storePlan(place, 400, 4, 'shown')
  const stop = new AbortController()
  const both = [
    followRun(plan, await openStorage(place), {
      queue: redis.url,
      pollMs: 200,
      backoffMs: 1,
      maxTries: 1,
      signal: stop.signal,
    }),
    runQueueWorker({
      queue: redis.url,
      allow: '/',
      evaluateUnit: waitingUnit(200, 0),
      signal: stop.signal,
      idleMs: 20,
      lockMs: 1000,
    }),
  ]
  const end = async (): Promise<void> => {
    stop.abort()
    await Promise.all(both)
    await redis.stop('SIGKILL')
  }
  return { queue: redis.url, place, redis, stop: end }
}
