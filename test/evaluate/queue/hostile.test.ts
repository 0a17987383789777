/** Records at the queue that nobody of geogap wrote, and a queue that goes away. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { followRun } from '../../../src/evaluate/queue/followRun.ts'
import { readPlan } from '../../../src/evaluate/queue/runPlan.ts'
import {
  connectQueue,
  openRunQueue,
  readClusterState,
  writeQueuedRun,
} from '../../../src/evaluate/queue/redis.ts'
import { runQueueWorker } from '../../../src/evaluate/queue/queueWorker.ts'
import { openStorage } from '../../../src/lib/storage/open.ts'
import { readStoredEvaluations } from '../../../src/results/storedEvaluations.ts'
import { geogap } from '../../helpers/cli.ts'
import { freePort, hasRedis, startRedis, type TestRedis } from './redis.ts'
import { storePlan, waitingUnit } from './run.ts'

let folder: string
let redis: TestRedis
let client: Redis
beforeAll(async () => {
  if (!hasRedis) return
  folder = await mkdtemp(join(tmpdir(), 'geogap-hostile-'))
  await mkdir(join(folder, 'redis'))
  redis = await startRedis(join(folder, 'redis'))
  client = await connectQueue(redis.url)
})
afterAll(async () => {
  if (!hasRedis) return
  client.disconnect()
  await redis.stop('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

const hired: { end: () => Promise<void> }[] = []
afterEach(async () => {
  for (const worker of hired.splice(0)) await worker.end()
})

/** A worker that reports; `end` stops it. */
function hire(allow: string, waitMs = 5) {
  const stop = new AbortController()
  const problems: string[] = []
  const working = runQueueWorker({
    queue: redis.url,
    allow,
    evaluateUnit: waitingUnit(waitMs),
    signal: stop.signal,
    idleMs: 20,
    lockMs: 1000,
    onProblem: text => problems.push(text),
  })
  const worker = {
    problems,
    end: async () => {
      stop.abort()
      await working
    },
  }
  hired.push(worker)
  return worker
}

const record = (id: string, place: string) => {
  const now = new Date().toISOString()
  const counts = { priority: 9, units: 1, done: 0, seconds: 1, doneSeconds: 0, before: 0 }
  return { id, place, ...counts, began: now, seen: now }
}

describe.skipIf(!hasRedis)('hostile records (left out: no redis-server here)', () => {
  it(
    'records that are no runs or workers are shown, keep no run from being done, and can be removed',
    { timeout: 20_000 },
    async () => {
      const bad = {
        broken: '{"id": "broken"',
        list: '[]',
        none: 'null',
        few: JSON.stringify({ id: 'few', place: 'x' }),
        '../../etc': JSON.stringify(record('../../etc', folder)),
        other: JSON.stringify(record('another', folder)),
        __proto__x: JSON.stringify({ ...record('__proto__x', folder), units: 'many' }),
      }
      await client.hset('geogap:runs', bad)
      await client.set('geogap:worker:evil', '{', 'PX', 60_000)
      const worker = hire(folder)
      const plan = await storePlan(join(folder, 'good'), 5, 4, 'good')
      const place = await openStorage(plan.place)
      const driven = await followRun(plan, place, { queue: redis.url, pollMs: 50 })
      await worker.end()
      expect(driven).toEqual({ outcome: 'done', failedUnits: [] })
      const { unreadable, runs } = await readClusterState(client)
      expect(runs).toEqual([])
      expect(new Set(unreadable.map(({ key }) => key))).toEqual(
        new Set([...Object.keys(bad), 'evil']),
      )
      expect(worker.problems.filter(text => text.includes('unreadable'))).toHaveLength(7)
      const { stdout } = await geogap(['queue', 'list', '--queue', redis.url])
      expect(stdout).toMatch(/unreadable record "broken": not JSON/)
      for (const name of Object.keys(bad)) {
        const { code } = await geogap(['queue', 'cancel', name, '--queue', redis.url])
        expect(code, name).toBe(0)
      }
      await client.del('geogap:worker:evil')
      expect((await readClusterState(client)).unreadable).toEqual([])
    },
  )

  it(
    'a unit that is not JSON, or none of the plan, is set apart and shown; the others are done',
    { timeout: 20_000 },
    async () => {
      const plan = await storePlan(join(folder, 'units'), 6, 4, 'units')
      const place = await openStorage(plan.place)
      const queue = await openRunQueue(client, 'units')
      await writeQueuedRun(client, { ...record('units', plan.place), units: 6 })
      await queue.add('unit', { group: 0, start: 0, end: 4 }, { jobId: 'garbage' })
      await client.hset(queue.toKey('garbage'), 'data', '{"group": 0,')
      const outside = [{ group: 7, start: 0, end: 4 }, { group: 0, start: 0, end: 400 }, { x: 1 }]
      for (const [i, data] of outside.entries())
        await queue.add('unit', data, { jobId: `outside-${i}` })
      const worker = hire(folder)
      await until(async () => (await readClusterState(client)).runs[0]?.apart.length === 4)
      const [run] = (await readClusterState(client)).runs
      expect(new Map(run!.apart.map(({ unit, error }) => [unit, error]))).toEqual(
        new Map([
          ['garbage', 'an unreadable record'],
          ...outside.map((data, i): [string, string] => [
            `outside-${i}`,
            `no unit of the plan: ${JSON.stringify(JSON.stringify(data))}`,
          ]),
        ]),
      )
      expect(worker.problems).toContain('a unit of run units is set apart: its record is not JSON')
      const driven = await followRun(plan, place, { queue: redis.url, pollMs: 50 })
      await worker.end()
      await queue.close()
      expect(driven).toEqual({ outcome: 'done', failedUnits: [] })
      expect((await readStoredEvaluations(plan.place))[0]!.rows).toBe(24)
    },
  )

  it('a worker opens no place outside what it is allowed, links and dots included', async () => {
    const outside = join(folder, 'outside')
    await storePlan(outside, 2, 4, 'away')
    await mkdir(join(folder, 'inside'))
    await symlink(outside, join(folder, 'inside/link'))
    const places = [
      outside,
      join(folder, 'inside/link'),
      `${folder}/inside/../outside`,
      `${folder}/inside-too`,
      's3://bucket/inside',
    ]
    const worker = hire(join(folder, 'inside'))
    for (const place of places) {
      await writeQueuedRun(client, record('away', place))
      const queue = await openRunQueue(client, 'away')
      await queue.add('unit', { group: 0, start: 0, end: 4 }, { jobId: 'unit' })
      await until(() => Promise.resolve(worker.problems.some(text => text.includes(place))))
      expect(await queue.getWaitingCount(), place).toBe(1)
      await queue.close()
    }
    await geogap(['queue', 'cancel', 'away', '--queue', redis.url])
    await worker.end()
    expect(await readdir(outside)).toEqual(['plans'])
  })

  it('a plan that is damaged or of another run is an error that says so', async () => {
    const place = await openStorage(join(folder, 'plans-of-others'))
    await place.create('plans/broken.json', '{"schema": 1')
    await place.create('plans/empty.json', '{}')
    await storePlan(place.url, 1, 4, 'one')
    await place.create(
      'plans/two.json',
      Buffer.from((await place.read('plans/one.json'))!).toString(),
    )
    await expect(readPlan(place, 'broken')).rejects.toThrow(/unreadable plan plans\/broken\.json/)
    await expect(readPlan(place, 'empty')).rejects.toMatchObject({ code: 'bad-plan' })
    await expect(readPlan(place, 'two')).rejects.toThrow(/it is of run one/)
  })
})

describe.skipIf(!hasRedis)('a queue that goes away (left out: no redis-server here)', () => {
  it('a run is finished after Redis was killed and started again, twice', async () => {
    const plan = await storePlan(join(folder, 'restarted'), 40, 4, 'restarted')
    const worker = hire(folder, 40)
    const running = followRun(plan, await openStorage(plan.place), {
      queue: redis.url,
      pollMs: 100,
      backoffMs: 50,
    })
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await delay(400)
      await redis.stop(signal)
      await delay(300)
      await redis.start()
    }
    expect(await running).toEqual({ outcome: 'done', failedUnits: [] })
    await worker.end()
    expect((await readStoredEvaluations(plan.place))[0]!.rows).toBe(160)
  }, 30_000)

  it('keys that another program holds are named', async () => {
    await client.set('geogap:runs', 'text')
    const { code, stderr } = await geogap(['queue', 'list', '--queue', redis.url])
    await client.del('geogap:runs')
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/holds data of another program below geogap:/),
    ])
  })
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

describe.skipIf(!hasRedis || !hasOpenssl)(
  'TLS and a password, as deploy/ has them (left out: no redis-server or openssl here)',
  () => {
    it('are asked for, checked, and enough', { timeout: 30_000 }, async () => {
      const [certificate, key] = [join(folder, 'queue.crt'), join(folder, 'queue.key')]
      const request = [
        ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'],
        ...['-keyout', key, '-out', certificate, '-subj', '/CN=queue'],
        ...['-addext', 'subjectAltName=DNS:queue,IP:127.0.0.1'],
      ]
      execFileSync('openssl', request, { stdio: 'ignore' })
      const port = await freePort()
      const server = spawn('redis-server', [
        ...['--bind', '127.0.0.1', '--port', '0', '--tls-port', String(port), '--save', ''],
        ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-auth-clients', 'no'],
        ...['--requirepass', 'secret'],
      ])
      const list = (password: string, env: object) =>
        geogap(['queue', 'list', '--queue', `rediss://:${password}@127.0.0.1:${port}`], {
          env: { ...process.env, ...env },
        })
      try {
        await delay(500)
        const trusted = { NODE_EXTRA_CA_CERTS: certificate }
        expect(await list('secret', trusted)).toMatchObject({ code: 0, stderr: '' })
        const refused = [
          [await list('wrong', trusted), /refuses the user or password/],
          [await list('secret', {}), /certificate that is not trusted here/],
        ] as const
        for (const [{ code, stderr }, message] of refused) {
          expect(stderr).toMatch(message)
          expect(code).toBe(2)
        }
      } finally {
        server.kill('SIGKILL')
      }
    })
  },
)

async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is())) await delay(20)
}
