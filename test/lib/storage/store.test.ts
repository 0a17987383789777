import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { evaluate } from '../../../src/evaluate/evaluate.ts'
import { keptCountsName } from '../../../src/results/keptCounts.ts'
import { openResultsFolder, pullResults, pushRecords } from '../../../src/results/sync.ts'
import { type Storage } from '../../../src/lib/storage/storage.ts'
import { openStorage } from '../../../src/lib/storage/open.ts'
import { listObjects } from '../../../src/lib/storage/s3.ts'
import {
  readStoredEvaluations,
  readStoredEvaluation,
  shardPaths,
  manifestsAmong,
} from '../../../src/results/storedEvaluations.ts'
import { builtPath } from '../../../scripts/built.ts'
import { query } from '../../../src/lib/sql.ts'
import { storePlan, waitingUnit } from '../../evaluate/queue/run.ts'
import { writeModel, writeWorld } from '../../helpers/world.ts'
import { startStore, type TestStore } from './s3Server.ts'

/** GEOGAP_TEST_S3=1 takes the store that AWS_ENDPOINT_URL names, with an empty bucket called `bucket`. */
const real = process.env['GEOGAP_TEST_S3'] !== undefined

let folder: string
let store: TestStore
let place: Storage
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-store-'))
  store = await startStore()
  const own = {
    AWS_ENDPOINT_URL: store.url,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
  }
  if (!real) for (const [name, value] of Object.entries(own)) vi.stubEnv(name, value)
  vi.stubEnv('GEOGAP_CACHE', join(folder, 'cache'))
  place = await openStorage('s3://bucket/results')
})
beforeEach(() => {
  store.refuse = undefined
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await store.stop()
  await rm(folder, { recursive: true, force: true })
})

const keysOf = async (url: string): Promise<string[]> =>
  (await listObjects(url)).map(({ url }) => url)

it('of writers that create a name at once one succeeds; names are listed page by page', async () => {
  const wins = await Promise.all(
    Array.from({ length: 10 }, (_, i) => place.create('a/one.json', `${i}`)),
  )
  expect(wins.filter(won => won)).toHaveLength(1)
  expect(Buffer.from((await place.read('a/one.json'))!).toString()).toBe(String(wins.indexOf(true)))
  for (const name of ['b', 'c', 'd', 'e']) await place.create(`a/${name}`, name)
  await place.create('a/deep/f', 'f')
  expect(await place.list('a')).toEqual(['b', 'c', 'd', 'e', 'one.json'])
  await place.remove('a/b')
  expect(await place.read('a/b')).toBeUndefined()
})

it('two workers at one shard commit it once, and the loser leaves nothing', async () => {
  const plan = await storePlan('s3://bucket/race', 1)
  const race = await openStorage(plan.place)
  const work = {
    plan,
    unit: { group: 0, start: 0, end: 4 },
    place: race,
    signal: new AbortController().signal,
  }
  await Promise.all([waitingUnit(5)(work), waitingUnit(5)(work)])
  const names = await keysOf('s3://bucket/race/predictions/')
  expect(names.map(name => name.split('.').at(-1)).sort()).toEqual(['json', 'parquet'])
})

it.runIf(real)(
  'a process that is killed while it uploads leaves nothing',
  async () => {
    const child = builtPath('test/lib/storage/upload.child.ts')
    for (const wait of [0, 20, 60, 150]) {
      const url = `s3://bucket/killed-${wait}`
      const upload = spawn(process.execPath, [child, url], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(upload.stdout, 'data')
      await new Promise(resolve => setTimeout(resolve, wait))
      upload.kill('SIGKILL')
      await once(upload, 'exit')
      expect([wait, await keysOf(`${url}/`)]).toEqual([wait, []])
    }
  },
  60_000,
)

it.skipIf(real)('an upload that is cut leaves nothing that counts as done', async () => {
  const { port } = new URL(store.url)
  const socket = createConnection(Number(port), '127.0.0.1')
  socket.write(
    'PUT /bucket/cut/predictions/entry/00000000-00000004.json HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{"half',
  )
  await new Promise(resolve => setTimeout(resolve, 100))
  socket.destroy()
  const cut = await openStorage('s3://bucket/cut')
  expect(manifestsAmong(await cut.list('predictions/entry'))).toEqual([])
  await cut
    .put('predictions/entry/00000000-00000004-abcdef01.parquet', async () => {
      await Promise.reject(new Error('killed'))
    })
    .catch(() => undefined)
  expect(await readStoredEvaluation(cut, 'predictions/entry')).toBeUndefined()
})

it.skipIf(real)('says that it may not, and what is done stays done', async () => {
  await place.create('kept', 'kept')
  store.refuse = 403
  await expect(place.create('no', 'no')).rejects.toMatchObject({
    code: 'store-denied',
    kind: 'storage',
  })
  await expect(place.list('a')).rejects.toThrow(
    /cannot list s3:\/\/bucket\/results\/a: the store denies access/,
  )
  store.refuse = 501
  await expect(place.create('no', 'no')).rejects.toMatchObject({ code: 'no-conditional-put' })
  store.refuse = undefined
  expect(Buffer.from((await place.read('kept'))!).toString()).toBe('kept')
  await expect(openStorage('s3://No_Bucket/x')).rejects.toMatchObject({ code: 'bad-store-url' })
})

it('of records machines put back what they wrote alone', async () => {
  const out = 's3://bucket/records'
  const on = async (
    machine: string,
    work: (dir: string) => Promise<void>,
    dir?: string,
  ): Promise<string> => {
    vi.stubEnv('GEOGAP_CACHE', join(folder, machine))
    const results = dir ?? (await openResultsFolder(out))
    await mkdir(join(results, 'runs'), { recursive: true })
    await work(results)
    return results
  }
  const write = (name: string, value: object) => (dir: string) =>
    writeFile(join(dir, name), JSON.stringify(value))
  const read = async (name: string): Promise<unknown> => {
    const found = await (await openStorage(out)).read(name)
    return found && JSON.parse(Buffer.from(found).toString())
  }
  const push = (dir: string) => pushRecords(out, dir)
  for (const name of ['one', 'replaced'])
    await (await openStorage(out)).create(`runs/${name}.json`, '{"ended":1}')
  const first = await on('first', write('runs/first.json', {}))
  const second = await on('second', write('runs/one.json', { ended: 2 }))
  await on('second', dir => rm(join(dir, 'runs/replaced.json')), second)
  await on('second', push, second)
  expect([await read('runs/one.json'), await read('runs/replaced.json')]).toEqual([
    { ended: 2 },
    undefined,
  ])
  await on('first', push, first)
  expect([await read('runs/one.json'), await read('runs/replaced.json')]).toEqual([
    { ended: 2 },
    undefined,
  ])
  expect(await read('runs/first.json')).toBeUndefined()
  await on('first', write('runs/first.json', { ended: 1 }), first)
  await pullResults(out)
  await on('first', push, first)
  expect(await read('runs/first.json')).toEqual({ ended: 1 })
  expect((await keysOf(`${out}/`)).map(key => key.split('/').at(-1))).toEqual([
    'first.json',
    'one.json',
  ])
  vi.stubEnv('GEOGAP_CACHE', join(folder, 'cache'))
})

it.skipIf(real)('a store of others writes nothing outside of its copy', async () => {
  const names = [
    '../outside.json',
    'runs/../../../outside.json',
    '/outside.json',
    'a\\..\\b.json',
    'runs/./x.json',
  ]
  for (const [i, name] of names.entries()) {
    const key = `bucket/hostile-${i}/${name}`
    store.objects.set(key, Buffer.from('{}'))
    await expect(pullResults(`s3://bucket/hostile-${i}`)).rejects.toMatchObject({
      code: 'bad-results',
      message: expect.stringContaining(`hostile-${i}`) as string,
    })
  }
  const files = await readdir(folder, { recursive: true })
  expect(files.filter(file => file.includes('outside'))).toEqual([])
})

it.skipIf(real)(
  'what a console made for a folder, and what another machine has just removed, is no error',
  async () => {
    for (const key of ['marked/', 'marked/runs/', 'marked/runs/one.json', 'marked/runs/two.json'])
      store.objects.set(`bucket/${key}`, Buffer.from(key.endsWith('/') ? '' : '{}'))
    const found = store.objects.get.bind(store.objects)
    let listed = false
    const get = vi.spyOn(store.objects, 'get').mockImplementation(key => {
      const isGone = listed && key.endsWith('one.json')
      listed ||= key.endsWith('one.json')
      return isGone ? undefined : found(key)
    })
    const dir = await pullResults('s3://bucket/marked')
    get.mockRestore()
    expect(await readdir(join(dir, 'runs'))).toEqual(['two.json'])
    await pullResults('s3://bucket/marked')
    expect(await readdir(join(dir, 'runs'))).toEqual(['one.json', 'two.json'])
  },
)

it('images, manifest, weights and results in a store give the rows of files', async () => {
  const manifest = await writeWorld(folder, 12)
  const model = await writeModel(join(folder, 'models'))
  if (model.weights.from !== 'files') throw new Error('the model has files')
  const datasets = [{ name: manifest, classes: join(folder, 'classes.txt') }]
  await evaluate({ models: [model], datasets, out: join(folder, 'files') })
  const bucket = await openStorage('s3://bucket')
  const put = (key: string, file: string) => bucket.put(key, temporary => copyFile(file, temporary))
  for (let i = 0; i < 12; i++) await put(`data/images/${i}.png`, join(folder, `images/${i}.png`))
  await put('data/world.csv', manifest)
  await put('models/weights.safetensors', model.weights.files[0]!)
  const stored = {
    ...model,
    weights: { from: 'files' as const, files: ['s3://bucket/models/weights.safetensors'] },
  }
  const options = {
    models: [stored],
    datasets: [{ name: 's3://bucket/data/world.csv', classes: join(folder, 'classes.txt') }],
    out: 's3://bucket/evaluated',
  }
  const run = await evaluate(options)
  const rowsOf = async (dir: string) =>
    query('SELECT id, top5, probabilities, rank, status FROM read_parquet($1) ORDER BY ALL', [
      (await readStoredEvaluations(dir)).flatMap(shardPaths),
    ])
  expect(await rowsOf(run.dir)).toEqual(await rowsOf(join(folder, 'files')))
  expect(run.entries[0]!.rows).toBe(12)
  const records = await keysOf('s3://bucket/evaluated/')
  expect(records.filter(key => /evaluated\/(runs|datasets)\/.*json$/.test(key))).toHaveLength(2)
  const keptCounts = (keys: readonly string[]) => keys.filter(key => key.endsWith(keptCountsName))
  await pullResults('s3://bucket/evaluated')
  expect(keptCounts(await readdir(run.dir, { recursive: true }))).toHaveLength(1)
  expect(keptCounts(records)).toEqual([])
  const seen: number[] = []
  await evaluate({ ...options, onProgress: ({ done }) => seen.push(done) })
  expect(seen).toEqual([])
  await bucket.remove('data/images/3.png')
  const again = await evaluate({ ...options, out: 's3://bucket/lacking' })
  expect(again.accuracy()[0]).toMatchObject({ n: 11, errors: 1 })
})
