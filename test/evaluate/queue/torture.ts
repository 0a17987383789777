import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { builtPath } from '../../../scripts/built.ts'
import { followRun, type FollowedRun } from '../../../src/evaluate/queue/followRun.ts'
import { openStorage } from '../../../src/lib/storage/open.ts'
import { startRedis } from './redis.ts'
import { storePlan } from './run.ts'

export interface Torture {
  workers: number
  units: number
  kills: number
  stops: number
  restarts: number
  /** Milliseconds that a unit takes, a lock lasts, and between two blows. */
  wait: number
  lock: number
  pause: number
}

export interface Survived {
  driven: FollowedRun
  seconds: number
  blows: Record<'kill' | 'stop' | 'restart' | 'flush', number>
}

const child = builtPath('test/evaluate/queue/worker.child.ts')

/** Runs units by waiting workers while these are killed and stopped, Redis restarted, and its data flushed once. */
export async function torture(
  place: string,
  redisFolder: string,
  plan: Torture,
): Promise<Survived> {
  const redis = await startRedis(redisFolder)
  const options = JSON.stringify({ queue: redis.url, wait: plan.wait, poison: 8, lock: plan.lock })
  const workers = new Set<ChildProcess>()
  let ended = false
  const hire = (): void => {
    const worker = spawn(process.execPath, [child, options], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    workers.add(worker)
    worker.once('exit', () => {
      workers.delete(worker)
      if (!ended) hire()
    })
  }
  const anyone = (): ChildProcess => [...workers][Math.floor(Math.random() * workers.size)]!
  const blows = { kill: 0, stop: 0, restart: 0, flush: 0 }
  const strike: Record<keyof typeof blows, () => Promise<void>> = {
    kill: () => Promise.resolve(void anyone().kill('SIGKILL')),
    stop: () => {
      const stopped = anyone()
      stopped.kill('SIGSTOP')
      return Promise.resolve(void setTimeout(() => stopped.kill('SIGCONT'), 3 * plan.lock))
    },
    restart: async () => {
      await redis.stop('SIGKILL')
      await redis.start()
    },
    flush: async () => {
      const client = new Redis(redis.url)
      await client.flushall()
      client.disconnect()
    },
  }
  const began = performance.now()
  try {
    for (let i = 0; i < plan.workers; i++) hire()
    const running = followRun(await storePlan(place, plan.units), await openStorage(place), {
      queue: redis.url,
      pollMs: 500,
      backoffMs: 100,
    })
    const finished = new AbortController()
    void running.then(
      () => finished.abort(),
      () => finished.abort(),
    )
    for (const blow of blowsOf(plan)) {
      await delay(plan.pause)
      if (finished.signal.aborted) break
      await strike[blow]()
      blows[blow] += 1
    }
    return { driven: await running, seconds: (performance.now() - began) / 1000, blows }
  } finally {
    ended = true
    for (const worker of workers) worker.kill('SIGKILL')
    await redis.stop('SIGKILL')
  }
}

/** All blows in mixed order, the flush in the middle. */
function blowsOf({ kills, stops, restarts }: Torture): ('kill' | 'stop' | 'restart' | 'flush')[] {
  const all = [
    ...Array.from({ length: kills }, (_, i) => ({ blow: 'kill' as const, at: (i + 0.5) / kills })),
    ...Array.from({ length: stops }, (_, i) => ({ blow: 'stop' as const, at: (i + 0.5) / stops })),
    ...Array.from({ length: restarts }, (_, i) => ({
      blow: 'restart' as const,
      at: (i + 0.5) / restarts,
    })),
    { blow: 'flush' as const, at: 0.5 },
  ]
  return all.sort((a, b) => a.at - b.at).map(({ blow }) => blow)
}
