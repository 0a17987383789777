import { cp, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, expect, it } from 'vitest'
import { openDashboardStore } from '../../src/dashboard/store.ts'
import { type GroupValue } from '../../src/datasets/dataset.ts'
import { keptCountsName } from '../../src/results/keptCounts.ts'
import { openRun, openRunByColumns, openRunByMetric, type Run } from '../../src/results/run.ts'
import { evenly, storeRun, type StoredResult } from '../helpers/storedRun.ts'
import { long } from '../helpers/torture.ts'

let dir: string
afterEach(() => rm(dir, { recursive: true, force: true }))

/** Returns everything that a run has counted. */
const countsOf = ({ cells, households }: Run) => ({ cells, households })

async function evaluationFolders(): Promise<string[]> {
  const root = join(dir, 'predictions')
  return (await readdir(root)).map(name => join(root, name))
}

const keptFiles = async (): Promise<string[]> =>
  (await evaluationFolders()).map(folder => join(folder, keptCountsName))

async function forget(): Promise<void> {
  for (const file of await keptFiles()) await rm(file, { force: true })
}

const home = (i: number) => ({
  region: i % 2 === 0 ? 'Europe' : 'Africa',
  country: ['FR', 'KE', 'DE'][i % 3]!,
  income: i,
  household: `h${i >> 2}`,
})

const homes = (model: string, accuracy = 0.5): StoredResult => ({
  model,
  dataset: 'homes',
  correct: evenly(200, accuracy),
  label: i => `class ${i % 5}`,
  groups: home,
})

it('hold what the rows hold, whatever the values, for runs, columns and the dashboard', async () => {
  const value = fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme', maxLength: 3 }))
  const image = fc.record({
    region: value,
    country: value,
    income: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    household: fc.constantFrom('a', 'b', 'c', null),
    correct: fc.constantFrom(true, false, null),
    label: fc.constantFrom('cup', 'Äpfel', '🍳', '__proto__'),
  })
  const models = fc.array(fc.array(image, { minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 3,
  })
  await fc.assert(
    fc.asyncProperty(models, async lists => {
      dir = await storeRun(
        lists.map((images, k) => ({
          model: `model ${k}`,
          dataset: 'made up',
          content: `content ${k}`,
          correct: images.map(({ correct }) => correct),
          label: i => images[i]!.label,
          groups: i => {
            const { region, country, income, household } = images[i]!
            return { region, country, income, household }
          },
        })),
      )
      const fromRows = await openRun(dir)
      const fromKept = await openRun(dir)
      expect(countsOf(fromKept)).toEqual(countsOf(fromRows))
      for (const [k, images] of lists.entries()) {
        const own = fromKept.cells.filter(({ model }) => model === `model ${k}`)
        const named = images.map(one => JSON.stringify([one.label, one.region, one.country]))
        for (const key of new Set(named)) {
          const [label, region, country] = JSON.parse(key) as [string, GroupValue, GroupValue]
          const cells = own.filter(
            cell =>
              cell.label === label &&
              cell.groups['region'] === region &&
              cell.groups['country'] === country,
          )
          const same = images.filter((_, i) => named[i] === key)
          const total = (name: 'n' | 'top1' | 'errors') =>
            cells.reduce((sum, cell) => sum + cell[name], 0)
          expect([total('n'), total('top1'), total('errors')]).toEqual([
            same.filter(({ correct }) => correct !== null).length,
            same.filter(({ correct }) => correct).length,
            same.filter(({ correct }) => correct === null).length,
          ])
        }
      }
      const byRegion = { columns: ['region', 'label'], exclude: undefined }
      const asked = await openRunByColumns(dir, byRegion)
      expect(countsOf(await openRunByColumns(dir, byRegion))).toEqual(countsOf(asked))
      const first = await openDashboardStore(dir)
      const second = await openDashboardStore(dir)
      expect(second.counts('made up')).toEqual(first.counts('made up'))
      await rm(dir, { recursive: true })
    }),
    { numRuns: long ? 15 : 8 },
  )
})

it('are read instead of the rows, and counted again where the shard is another', async () => {
  dir = await storeRun([homes('a', 0.5)])
  const [folder] = await evaluationFolders()
  const shard = join(
    folder!,
    (await readdir(folder!)).find(name => name.endsWith('.parquet'))!,
  )
  await utimes(shard, 1000, 1000)
  const before = countsOf(await openRun(dir))
  const bytes = await readFile(shard)
  const writeShard = async (content: Uint8Array, time: number) => {
    await writeFile(shard, content)
    await utimes(shard, time, time)
  }
  await writeShard(Buffer.alloc(bytes.length, 7), 1000)
  expect(countsOf(await openRun(dir))).toEqual(before)
  await writeShard(Buffer.alloc(bytes.length, 7), 1001)
  const damaged = await openRun(dir)
  expect(damaged.cells).toEqual([])
  expect(damaged.failures.map(({ code }) => code)).toEqual(['damaged'])
  await writeShard(bytes, 1002)
  expect(countsOf(await openRun(dir))).toEqual(before)
})

it('of a shard that was cut, replaced or removed since are no answer', async () => {
  dir = await storeRun([homes('a', 0.25), homes('b', 0.75)])
  const before = countsOf(await openRun(dir))
  const [a, b] = await evaluationFolders()
  const shardOf = async (folder: string) =>
    join(
      folder,
      (await readdir(folder)).find(name => name.endsWith('.parquet'))!,
    )
  const [first, second] = [await shardOf(a!), await shardOf(b!)]
  await cp(join(a!, keptCountsName), join(b!, keptCountsName))
  expect(countsOf(await openRun(dir))).toEqual(before)
  const bytes = await readFile(first)
  await writeFile(first, bytes.subarray(0, bytes.length - 9))
  const cut = await openRun(dir)
  expect(cut.failures.map(({ code, model }) => [code, model])).toEqual([['damaged', 'a']])
  expect(new Set(cut.cells.map(({ model }) => model))).toEqual(new Set(['b']))
  await writeFile(first, bytes)
  await rm(second)
  const gone = await openRun(dir)
  expect(gone.failures.map(({ code, model }) => [code, model])).toEqual([['damaged', 'b']])
  expect(new Set(gone.cells.map(({ model }) => model))).toEqual(new Set(['a']))
})

it('of equal values in columns of different names stay apart', async () => {
  const named = (dataset: string, column: string): StoredResult => ({
    model: 'a',
    dataset,
    correct: evenly(40, 0.5),
    groups: i => ({ [column]: `value ${i % 2}` }),
  })
  dir = await storeRun([named('by place', 'place'), named('by origin', 'origin')])
  await openRun(dir)
  const { cells } = await openRun(dir)
  const columns = cells.map(({ dataset, groups }) => [dataset, ...Object.keys(groups)].join(': '))
  expect(new Set(columns)).toEqual(new Set(['by place: place', 'by origin: origin']))
})

it('that are damaged anywhere are counted again', async () => {
  dir = await storeRun([homes('a')])
  const before = countsOf(await openRun(dir))
  const [file] = await keptFiles()
  const whole = await readFile(file!)
  const header = whole.indexOf('\n')
  const damages = [
    Buffer.alloc(0),
    Buffer.from('{}\n'),
    whole.subarray(0, header),
    whole.subarray(0, whole.length - 1),
    Buffer.from(whole.toString('latin1').replace('"keysBytes":', '"keysBytes":1'), 'latin1'),
    ...Array.from({ length: 24 }, (_, i) => {
      const changed = Buffer.from(whole)
      const at = Math.floor((i * (whole.length - 1)) / 23)
      changed[at] = changed[at]! ^ (1 << (i % 8))
      return changed
    }),
  ]
  for (const damage of damages) {
    await writeFile(file!, damage)
    expect(countsOf(await openRun(dir))).toEqual(before)
  }
})

it('are kept by several at once, and by nobody where the file cannot be written', async () => {
  dir = await storeRun([homes('a'), homes('b', 0.9)])
  const before = countsOf(await openRun(dir))
  await forget()
  const runs = await Promise.all(Array.from({ length: 8 }, () => openRun(dir)))
  for (const run of runs) expect(countsOf(run)).toEqual(before)
  const names = await Promise.all((await evaluationFolders()).map(folder => readdir(folder)))
  for (const list of names)
    expect(list.filter(name => name.includes('kept'))).toEqual([keptCountsName])
  await forget()
  for (const file of await keptFiles()) await mkdir(join(file, 'in the way'), { recursive: true })
  expect(countsOf(await openRun(dir))).toEqual(before)
  for (const folder of await evaluationFolders())
    expect((await readdir(folder)).filter(name => name.endsWith('.tmp'))).toEqual([])
})

it('are never those of all images where some are left out, or count for something else', async () => {
  dir = await storeRun([homes('a')])
  const whole = await openRun(dir)
  const slice = join(dir, 'slice.csv')
  await writeFile(slice, 'dataset,id\nhomes,image-0\nhomes,image-1\n')
  const left = await openRun(dir, slice)
  const total = (run: Run) => run.cells.reduce((sum, { n }) => sum + n, 0)
  expect([total(whole), total(left)]).toEqual([200, 198])
  const ranked = await openRunByMetric(dir, { exclude: undefined, metric: 'mrr' })
  expect(ranked.cells.every(({ top5 }) => top5 === undefined)).toBe(true)
  expect(countsOf(await openRun(dir))).toEqual(countsOf(whole))
})
