import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { planJobs } from '../../src/evaluate/jobs.ts'
import { nativeSteps, type PreprocessingConfig } from '../../src/lib/pixels/steps.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { readFailures, recordFailures } from '../../src/results/records.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { query } from '../../src/lib/sql.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-shards-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const recipe: PreprocessingConfig = {
  mean: [0.5, 0.5, 0.5],
  std: [0.5, 0.5, 0.5],
  interpolation: 'bilinear',
  cropPct: 1,
  size: 64,
}

const rowsOf = async (out: string) =>
  query('SELECT id, top5, probabilities, rank, status FROM read_parquet($1) ORDER BY ALL', [
    (await readStoredEvaluations(out)).flatMap(shardPaths),
  ])

it('three shares, one of them empty, give the rows of one evaluation', async () => {
  const manifest = await writeWorld(folder, 40)
  const first = await writeModel(join(folder, 'models'))
  const second = await writeModel(join(folder, 'models'), 2)
  const models = [
    { ...first, recipe },
    { ...second, recipe: { ...recipe, cropPct: 0.9 } },
  ]
  const datasets = [{ name: manifest, classes: join(folder, 'classes.txt') }]
  await evaluate({ models, datasets, out: join(folder, 'whole') })
  const out = join(folder, 'parts')
  for (const index of [3, 1, 2])
    await evaluate({ models, datasets, out, shard: { index, count: 3 } })
  expect(await rowsOf(out)).toEqual(await rowsOf(join(folder, 'whole')))
  expect((await readStoredEvaluations(out)).map(({ rows }) => rows)).toEqual([40, 40])
})

it('work of less time than a process takes to start goes to one process, in the same shards', () => {
  const plan = (images: number) => {
    const missing = [{ start: 0, end: images }]
    const model = { name: 'm', architecture: 'm', classes: 3, files: [] }
    const cost = { infer: 0.004, prepare: 0.001, measured: true }
    const task = { model, bytes: 1e6, multiplyAdds: 1e8, steps: nativeSteps(recipe), missing, cost }
    const { processes, shards, group } = planJobs([task], 'all', { cores: 4 })[0]!
    return [processes, shards.length, group.threads]
  }
  expect([100, 128, 300, 400].map(plan)).toEqual([[1, 4, 1], [2, 4, 1], [3, 8, 1], [4, 8, 1]]) // prettier-ignore
})

it('shares and runs side by side keep what each of them saw fail', async () => {
  const out = join(folder, 'failing')
  const note = (model: string, message = 'why') => ({ model, dataset: 'd', code: 'c', message })
  const [a, b] = [note('a'), note('b')]
  const both = [a, b].map(({ model }) => ({ model, dataset: 'd' }))
  await Promise.all([
    ...Array.from({ length: 20 }, (_, i) =>
      recordFailures(out, { failures: [note(`${i}`)], attempted: [] }),
    ),
    recordFailures(out, { failures: [a], attempted: both, share: '-1-of-2' }),
    recordFailures(out, { failures: [b, a], attempted: both, share: '-2-of-2' }),
  ])
  const failed = async () =>
    (await readFailures(out)).map(({ model }) => model).filter(model => /[ab]/.test(model))
  expect(await readFailures(out)).toHaveLength(22)
  await recordFailures(out, { failures: [], attempted: both, share: '-2-of-2' })
  expect(await failed()).toEqual(['a'])
  await recordFailures(out, { failures: [note('b', 'again')], attempted: both })
  expect(await failed()).toEqual(['b'])
  await recordFailures(out, { failures: [], attempted: both })
  expect(await failed()).toEqual([])
  expect(await readFailures(out)).toHaveLength(20)
})

it('of writers that create the same name at once one succeeds, and nothing temporary stays', async () => {
  const place = folderStorage(join(folder, 'race'))
  const wins = await Promise.all(
    Array.from({ length: 20 }, (_, i) => place.create('a/manifest.json', `${i}`)),
  )
  expect(wins.filter(won => won)).toHaveLength(1)
  expect(Buffer.from((await place.read('a/manifest.json'))!).toString()).toBe(
    String(wins.indexOf(true)),
  )
  expect(await readdir(join(folder, 'race/a'))).toEqual(['manifest.json'])
  expect(await place.list('nothing')).toEqual([])
  expect(await place.read('nothing')).toBeUndefined()
})
