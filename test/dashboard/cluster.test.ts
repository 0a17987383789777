import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ClusterState } from '../../src/evaluate/queue/redis.ts'
import { type Overview } from '../../src/dashboard/views.ts'
import { serve, type DashboardServer } from '../../src/dashboard/serve.ts'
import { freePort, hasRedis } from '../evaluate/queue/redis.ts'
import { startCluster, type TestCluster } from './cluster.ts'

describe.skipIf(!hasRedis)('the dashboard of a queue (left out: no redis-server here)', () => {
  let folder: string
  let client: string
  let cluster: TestCluster
  let served: DashboardServer
  let cookie: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-cluster-page-'))
    client = join(folder, 'client')
    await mkdir(client)
    await writeFile(join(client, 'index.html'), '<!doctype html><title>geogap</title>')
    cluster = await startCluster(folder)
    served = await serve(join(folder, 'nothing-yet'), { client, queue: cluster.queue })
    const first = await fetch(served.url, { redirect: 'manual' })
    cookie = first.headers.get('set-cookie')!.split(';')[0]!
  })
  afterAll(async () => {
    await served.close()
    await cluster.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const ask = (path: string, headers: Record<string, string> = { cookie }) =>
    fetch(new URL(path, served.url), { headers })

  it('says what is at work before there is any result, to its own page only', async () => {
    const overview = (await (await ask('/data/overview.json')).json()) as Overview
    expect(overview).toMatchObject({ cluster: true, datasets: [] })
    let state: ClusterState
    do {
      const answer = await ask('/api/cluster')
      expect(answer.status).toBe(200)
      state = (await answer.json()) as ClusterState
    } while (state.runs[0]?.apart.length !== 1 || state.workers[0]?.rate == null)
    expect(state.runs).toMatchObject([{ id: 'shown', state: 'running', units: 400, active: 1 }])
    expect(JSON.stringify(state)).not.toContain(cluster.queue)
    expect((await ask('/api/cluster?run=1')).status).toBe(400)
    expect((await ask('/api/cluster', {})).status).toBe(401)
    expect((await ask('/api/cluster', { cookie, origin: 'http://evil.example' })).status).toBe(403)
  })

  it('without a queue there is no such page; a queue that is silent or not there is said', async () => {
    const plain = serve(join(folder, 'nothing-yet'), { client })
    await expect(plain).rejects.toMatchObject({ code: 'no-results' })
    const closed = serve(folder, { client, queue: `redis://127.0.0.1:${await freePort()}` })
    await expect(closed).rejects.toMatchObject({ code: 'queue-unreachable' })
    await cluster.redis.stop('SIGKILL')
    let silent = await ask('/api/cluster')
    while (silent.status === 200) silent = await ask('/api/cluster')
    await cluster.redis.start()
    const error = 'the queue does not answer; it is asked again'
    expect([silent.status, await silent.json()]).toEqual([503, { error }])
  })
})
