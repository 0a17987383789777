import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { evaluateByQueue } from '../../../src/evaluate/queue/evaluateByQueue.ts'
import {
  connectQueue,
  readClusterState,
  queueError,
  readQueuedRun,
  removeQueuedRun,
  steerRun,
  writeQueuedRun,
} from '../../../src/evaluate/queue/redis.ts'
import { followRun } from '../../../src/evaluate/queue/followRun.ts'
import { createUnitEvaluator } from '../../../src/evaluate/queue/unitEvaluator.ts'
import { runQueueWorker } from '../../../src/evaluate/queue/queueWorker.ts'
import { evaluate } from '../../../src/evaluate/evaluate.ts'
import { openStorage } from '../../../src/lib/storage/open.ts'
import { readStoredEvaluations, shardPaths } from '../../../src/results/storedEvaluations.ts'
import { serve } from '../../../src/dashboard/serve.ts'
import { query } from '../../../src/lib/sql.ts'
import { geogap } from '../../helpers/cli.ts'
import { useCores } from '../../helpers/cores.ts'
import { writeModel, writeWorld } from '../../helpers/world.ts'
import { freePort, hasRedis, startRedis, type TestRedis } from './redis.ts'
import { storePlan, waitingUnit } from './run.ts'

useCores(1)
let folder: string
let redis: TestRedis | undefined
const servers: TestRedis[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-by-queue-'))
  if (hasRedis) redis = await server('redis')
})
afterAll(async () => {
  for (const one of servers) await one.stop('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

async function server(name: string, ...options: string[]): Promise<TestRedis> {
  await mkdir(join(folder, name))
  const started = await startRedis(join(folder, name), ...options)
  servers.push(started)
  return started
}

const rowsOf = async (out: string) =>
  query('SELECT id, top5, probabilities, rank, status FROM read_parquet($1) ORDER BY ALL', [
    (await readStoredEvaluations(out)).flatMap(shardPaths),
  ])

describe.skipIf(!hasRedis)('by a queue (left out: no redis-server here)', () => {
  it('the rows are those of an evaluation on this machine', async () => {
    const manifest = await writeWorld(folder, 30)
    const models = [await writeModel(join(folder, 'models'))]
    const datasets = [{ name: manifest, classes: join(folder, 'classes.txt') }]
    await evaluate({ models, datasets, out: join(folder, 'here') })
    const out = join(folder, 'there')
    const stop = new AbortController()
    const working = runQueueWorker({
      queue: redis!.url,
      allow: folder,
      evaluateUnit: createUnitEvaluator(),
      signal: stop.signal,
      idleMs: 50,
    })
    const { driven, run } = await evaluateByQueue(
      { models, datasets, out },
      { queue: redis!.url, pollMs: 200 },
    )
    expect(driven).toEqual({ outcome: 'done', failedUnits: [] })
    expect(run.failures).toEqual([])
    expect(await rowsOf(out)).toEqual(await rowsOf(join(folder, 'here')))
    stop.abort()
    await working
  })

  it('a model that cannot be loaded fails alone: those that share its units are done', async () => {
    const good = await writeModel(join(folder, 'models'))
    const bad = {
      ...(await writeModel(join(folder, 'models'), 2)),
      architecture: 'lcnet_075',
      name: 'wrong',
    }
    const datasets = [{ name: join(folder, 'world.csv'), classes: join(folder, 'classes.txt') }]
    const stop = new AbortController()
    const working = runQueueWorker({
      queue: redis!.url,
      allow: folder,
      evaluateUnit: createUnitEvaluator(),
      signal: stop.signal,
      idleMs: 50,
    })
    const asked = { models: [good, bad], datasets, out: join(folder, 'alone') }
    const { driven, run } = await evaluateByQueue(asked, {
      queue: redis!.url,
      pollMs: 200,
      maxTries: 1,
    })
    expect(driven.failedUnits).toHaveLength(1)
    expect(run.failures).toMatchObject([{ model: 'wrong', code: 'set-apart' }])
    expect(run.accuracy()).toMatchObject([{ model: good.name, n: 30 }])
    stop.abort()
    await working
  })

  it('runs pause, go on, go by priority, and can be cancelled; workers and set-apart units are listed', async () => {
    const queue = redis!.url
    const client = await connectQueue(queue)
    const stop = new AbortController()
    const order: string[] = []
    const [low, high] = [join(folder, 'low'), join(folder, 'high')]
    const plans = [await storePlan(low, 12, 4, 'low'), await storePlan(high, 6, 4, 'high')]
    const follow = async (i: number, priority: number) =>
      followRun(plans[i]!, await openStorage(plans[i]!.place), {
        queue,
        priority,
        pollMs: 100,
        backoffMs: 50,
      })
    const first = follow(0, 0)
    await until(async () => (await readClusterState(client)).runs[0]?.waiting === 12)
    await steerRun(client, 'low', 'pause')
    const working = runQueueWorker({
      queue,
      allow: folder,
      evaluateUnit: waitingUnit(30, 8),
      signal: stop.signal,
      idleMs: 50,
      lockMs: 1000,
      onUnit: ({ run }) => order.push(run),
    })
    const second = await follow(1, 5)
    expect(second.failedUnits).toMatchObject([
      { start: 8, end: 12, tries: 3, error: 'this unit is poison' },
    ])
    expect(new Set(order)).toEqual(new Set(['high']))
    await until(async () => (await readClusterState(client)).workers[0]?.done === 5)
    const paused = await readClusterState(client)
    expect(paused.runs).toMatchObject([
      { id: 'low', state: 'paused', done: 0, units: 12, waiting: 12, active: 0 },
    ])
    expect(paused.workers).toMatchObject([{ pid: process.pid, done: 5, images: 20 }])
    const { stdout } = await geogap(['queue', 'list', '--queue', queue])
    expect(stdout).toMatch(/low +paused +12 +0 +0 +12 +0/)
    await steerRun(client, 'low', 'resume')
    await until(() => Promise.resolve(order.filter(run => run === 'low').length >= 2))
    await steerRun(client, 'low', 'cancel')
    expect((await first).outcome).toBe('cancelled')
    const record = {
      id: 'looked-at',
      place: low,
      priority: 0,
      units: 1,
      done: 0,
      seconds: 1,
      doneSeconds: 0,
      before: 0,
    }
    const [began, seen] = [new Date().toISOString(), new Date().toISOString()]
    await writeQueuedRun(client, { ...record, began, seen })
    await steerRun(client, 'looked-at', 'cancel')
    await writeQueuedRun(client, { ...record, began, seen })
    expect(await readQueuedRun(client, 'looked-at')).toMatchObject({ cancelled: true })
    await removeQueuedRun(client, 'looked-at')
    expect((await readClusterState(client)).runs).toEqual([])
    expect((await readStoredEvaluations(low))[0]!.rows).toBeGreaterThanOrEqual(8)
    await expect(steerRun(client, 'low', 'pause')).rejects.toThrow(/unknown run: low/)
    // What stays are this client and the worker's own: none of the runs that are gone.
    await until(async () => /^connected_clients:2\r$/m.test(await client.info('clients')))
    stop.abort()
    await working
    client.disconnect()
  })

  it('shows no part of a password, whatever is in it', () => {
    const refused = { code: 'ECONNREFUSED', message: 'refused' }
    const { message } = queueError(refused, 'redis://me:pa/ss@wd@host:6379') as Error
    expect(message).toBe('the queue at redis://host:6379 cannot be reached (ECONNREFUSED)')
  })

  it('a dashboard that cannot listen ends, and leaves no connection to the queue', async () => {
    const client = await connectQueue(redis!.url)
    const connections = async () =>
      ((await client.client('LIST')) as string).trim().split('\n').length
    const before = await connections()
    const [taken, pages] = [createServer(), join(folder, 'pages')]
    await mkdir(pages)
    const port = await freePort()
    await new Promise<void>(resolve => void taken.listen(port, '127.0.0.1', resolve))
    const options = { port, queue: redis!.url, client: pages }
    await expect(serve(join(folder, 'nothing'), options)).rejects.toMatchObject({
      code: 'cannot-listen',
    })
    taken.close()
    for (let i = 0; i < 50 && (await connections()) > before; i++)
      await new Promise(resolve => setTimeout(resolve, 20))
    expect(await connections()).toBe(before)
    client.disconnect()
  })

  it('says what is wrong with the queue, and what is done stays done', async () => {
    const closed = `redis://127.0.0.1:${await freePort()}`
    await expect(connectQueue(closed)).rejects.toMatchObject({ code: 'queue-unreachable' })
    const guarded = await server('guarded', '--requirepass', 'secret')
    const wrong = guarded.url.replace('//', '//:wrong@')
    const denied = await connectQueue(wrong).catch((error: unknown) => error)
    expect(denied).toMatchObject({ code: 'queue-denied' })
    expect((denied as Error).message).not.toContain('wrong@')
    const evicting = await server(
      'evicting',
      '--maxmemory',
      '50mb',
      '--maxmemory-policy',
      'allkeys-lru',
    )
    await expect(connectQueue(evicting.url)).rejects.toMatchObject({ code: 'queue-evicts' })
    const old = await oldRedis()
    await expect(connectQueue(old.url)).rejects.toMatchObject({ code: 'queue-old' })
    old.close()
    const tight = await server('tight', '--maxmemory', '3mb', '--maxmemory-policy', 'noeviction')
    const plan = await storePlan(join(folder, 'tight-place'), 20_000, 4, 'tight')
    const place = await openStorage(plan.place)
    await waitingUnit(0)({
      plan,
      place,
      unit: { group: 0, start: 0, end: 4 },
      signal: new AbortController().signal,
    })
    await expect(followRun(plan, place, { queue: tight.url, pollMs: 100 })).rejects.toMatchObject({
      code: 'queue-full',
    })
    expect((await readStoredEvaluations(plan.place))[0]!.rows).toBe(4)
  })
})

async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) await new Promise(resolve => setTimeout(resolve, 20))
}

/** Answers INFO as a server of 2015. */
async function oldRedis(): Promise<{ url: string; close: () => void }> {
  const info = 'redis_version:3.0.6\r\n'
  const listening = createServer(socket => {
    socket.on('data', data => {
      for (const [, command] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(/^info$/i.test(command!) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n')
    })
    socket.on('error', () => undefined)
  })
  const port = await freePort()
  await new Promise<void>(resolve => void listening.listen(port, '127.0.0.1', resolve))
  return { url: `redis://127.0.0.1:${port}`, close: () => void listening.close() }
}
