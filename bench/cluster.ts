/*
 * What the queue costs, with redis-server on this machine: efficiency of 1, 2, 4 and 8 workers on units that wait a second instead of
 * computing, and 100,000 empty units planned, enqueued, done and reconciled.
 *
 *   npx tsx bench/cluster.ts [empty units, default 100000; 0 leaves them out] [units that each worker waits for, default 20; 0 …]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { followRun } from '../src/evaluate/queue/followRun.ts'
import { readClusterState, connectQueue, removeWorker } from '../src/evaluate/queue/redis.ts'
import { mapLimited } from '../src/lib/concurrency.ts'
import { openStorage } from '../src/lib/storage/open.ts'
import { evaluationFolder } from '../src/results/storedEvaluations.ts'
import { startRedis, type TestRedis } from '../test/evaluate/queue/redis.ts'
import { storePlan } from '../test/evaluate/queue/run.ts'

const worker = fileURLToPath(new URL('./cluster.worker.ts', import.meta.url))
const [empty = 100_000, waits = 20] = process.argv.slice(2).map(Number)

function hire(count: number, queue: string, wait: number, slots: number): ChildProcess[] {
  const options = JSON.stringify({ queue, wait, slots })
  return Array.from({ length: count }, () =>
    spawn(process.execPath, ['--import', 'tsx', worker, options], {
      stdio: ['ignore', 'inherit', 'inherit'],
    }),
  )
}

/** Seconds from the first unit at work, with all workers there, until the last unit is stored, and from planning on. */
async function timed(
  redis: TestRedis,
  folder: string,
  units: number,
  workers: number,
  wait: number,
  slots: number,
) {
  const client = await connectQueue(redis.url)
  const children = hire(workers, redis.url, wait, slots)
  try {
    await until(async () => (await readClusterState(client)).workers.length >= workers)
    const began = Date.now()
    const plan = await storePlan(
      join(folder, `${workers}-${units}`),
      units,
      4,
      `bench-${workers}-${units}`,
    )
    const { outcome, failedUnits: apart } = await followRun(plan, await openStorage(plan.place), {
      queue: redis.url,
      pollMs: 200,
    })
    const all = Date.now() - began
    if (outcome !== 'done' || apart.length > 0)
      throw new Error(`${outcome}, ${apart.length} set apart`)
    const entry = evaluationFolder(plan.place, plan.groups[0]!.identities[0]!)
    const times = await mapLimited(
      await readdir(entry),
      32,
      async name => (await stat(join(entry, name))).mtimeMs,
    )
    const [first, last] = times.reduce(
      ([low, high], at) => [Math.min(low, at), Math.max(high, at)],
      [Infinity, 0],
    )
    const cpu = await Promise.all([...children, redis].map(({ pid }) => cpuSeconds(pid!)))
    const [store, hands] = [cpu.pop()!, cpu.reduce((sum, seconds) => sum + seconds, 0)]
    return {
      all: all / 1000,
      working: (last - first + wait) / 1000,
      cpu: { workers: hands, redis: store },
    }
  } finally {
    for (const child of children) child.kill('SIGKILL')
    for (const { id } of (await readClusterState(client)).workers) await removeWorker(client, id)
    client.disconnect()
  }
}

/** Of a process so far, as Linux counts it. */
async function cpuSeconds(pid: number): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) await delay(50)
}

const folder = await mkdtemp(join(tmpdir(), 'geogap-bench-cluster-'))
await mkdir(join(folder, 'redis'))
const redis = await startRedis(join(folder, 'redis'), '--appendfsync', 'no')
try {
  for (const workers of waits > 0 ? [1, 2, 4, 8] : []) {
    const units = waits * workers
    const { working, cpu } = await timed(redis, folder, units, workers, 1000, 1)
    const efficiency = ((waits / working) * 100).toFixed(0)
    console.log(
      `${workers} workers, ${units} units of 1 s: ${working.toFixed(1)} s, efficiency ${efficiency} %`,
    )
    console.log(`  CPU: workers ${cpu.workers.toFixed(1)} s in all, start included`)
  }
  if (empty > 0) {
    const before = process.cpuUsage()
    const { all, working, cpu } = await timed(redis, folder, empty, 3, 0, 16)
    const { user, system } = process.cpuUsage(before)
    const peak = (process.resourceUsage().maxRSS / 1024).toFixed(0)
    console.log(
      `${empty} empty units: ${all.toFixed(0)} s in all, ${working.toFixed(0)} s from first to last manifest`,
    )
    console.log(`  follower: ${((user + system) / 1e6).toFixed(1)} s of CPU, peak ${peak} MB`)
    console.log(
      `  CPU: workers ${cpu.workers.toFixed(1)} s, Redis since its start ${cpu.redis.toFixed(1)} s`,
    )
  }
} finally {
  await redis.stop('SIGKILL')
  await rm(folder, { recursive: true, force: true })
}
