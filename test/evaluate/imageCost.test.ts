import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { estimateCost, recordCosts, loadCosts } from '../../src/evaluate/imageCost.ts'
import { dryRun } from '../../src/evaluate/evaluate.ts'
import { modelCost } from '../../src/models/modelCost.ts'
import { type EvaluationJob, planJobs, type ModelTask } from '../../src/evaluate/jobs.ts'
import { type InferenceProfile } from '../../src/evaluate/profile.ts'
import { planModelGroups } from '../../src/evaluate/units.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
const before = process.env['GEOGAP_CACHE']
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-costs-'))
  process.env['GEOGAP_CACHE'] = join(folder, 'cache')
})
beforeEach(() => rm(join(folder, 'cache'), { recursive: true, force: true }))
afterAll(async () => {
  if (before === undefined) delete process.env['GEOGAP_CACHE']
  else process.env['GEOGAP_CACHE'] = before
  await rm(folder, { recursive: true, force: true })
})

const model = { name: 'm', multiplyAdds: 5e9 }
const profile = (change: Partial<InferenceProfile> = {}): InferenceProfile => ({
  dataset: 'd',
  models: ['m'],
  images: 100,
  batch: 16,
  threads: 2,
  processes: 1,
  wall: 21,
  decode: 0.5,
  prepare: 0.5,
  infer: [20],
  write: 0,
  idle: 0,
  ...change,
})
const file = () => join(folder, 'cache', 'costs.json')

it('what a model took here is known the next time, for the same machine, engine and size', async () => {
  expect((await loadCosts({}))(model)).toEqual(estimateCost(5e9))
  await recordCosts([profile()], [model], {})
  const costOf = await loadCosts({})
  expect(costOf(model)).toEqual({ infer: 0.4, prepare: 0.02, measured: true })
  for (const other of [
    { ...model, name: 'mm' },
    { ...model, multiplyAdds: 5e8 },
  ])
    expect(costOf(other).measured).toBe(false)
  expect((await loadCosts({ precision: 'fp16' }))(model).measured).toBe(false)
  await recordCosts([profile({ infer: [40] })], [model], {})
  expect((await loadCosts({}))(model).infer).toBeCloseTo(0.6)
})

it('a moment is no measurement, damage is none either, and there is a bound to what is kept', async () => {
  await recordCosts([profile({ infer: [9] })], [model], {})
  await expect(readFile(file())).rejects.toThrow(/ENOENT/)
  await mkdir(join(folder, 'cache'))
  for (const text of ['[{"key":', '{}', '[{"key":"m","infer":-1,"prepare":0}]']) {
    await writeFile(file(), text)
    expect((await loadCosts({}))(model)).toEqual(estimateCost(5e9))
  }
  const models = Array.from({ length: 1100 }, (_, i) => ({ name: `m${i}`, multiplyAdds: 1e9 }))
  const names = models.map(({ name }) => name)
  await recordCosts([profile({ models: names, infer: names.map(() => 10) })], models, {})
  const costOf = await loadCosts({})
  expect(models.filter(one => costOf(one).measured)).toEqual(models.slice(100))
  await rm(join(folder, 'cache'), { recursive: true })
  await writeFile(join(folder, 'cache'), 'a file')
  await recordCosts([profile()], [model], {})
  await rm(join(folder, 'cache'))
})

const span = { start: 0, end: 100_000 }
const task = (seconds?: number, bytes = 1e8): ModelTask => ({
  model: { name: 'm', architecture: 'a', classes: 3, files: [] },
  bytes,
  multiplyAdds: 5e9,
  steps: [],
  missing: [span],
  ...(seconds !== undefined && { cost: { infer: seconds, prepare: 0, measured: true } }),
})

it('as many processes run as memory has room for, of models of any size, and their threads fill the cores', () => {
  const way = (cores: number, memory: number) => {
    const [{ processes, group }] = planJobs([task(0.1, 5e8)], 'all', {
      cores,
      memoryBytes: memory,
    }) as [EvaluationJob]
    return [processes, group.threads]
  }
  const found = [
    way(2, 3e9),
    way(2, 2.9e9),
    way(4, 5e9),
    way(7, 9.1e9),
    way(16, 16e9),
    way(16, 1e9),
  ]
  expect(found).toEqual([[2, 1], [1, 2], [2, 2], [6, 1], [8, 2], [1, 16]]) // prettier-ignore
})

/** Time until the last process ends, over that of processes without any pause, if every image takes equally long. */
function stretch({ shards, processes }: Pick<EvaluationJob, 'shards' | 'processes'>): number {
  const ends = new Array<number>(processes).fill(0)
  for (const { start, end } of shards) {
    const next = ends.indexOf(Math.min(...ends))
    ends[next]! += end - start
  }
  const images = shards.reduce((sum, { start, end }) => sum + end - start, 0)
  return (Math.max(...ends) * processes) / images
}

const planTable = readFileSync(
  new URL('../../docs/developers/performance.md', import.meta.url),
  'utf8',
)
  .split('\n')
  .flatMap(line => /^\| (\S+) \((\S+) MB, (\S+) GMAC\) \|(.*)\|$/.exec(line)?.slice(1) ?? [])

it('machines of many cores are used as the page says, and no process waits for the last shard', () => {
  const rows = Array.from({ length: planTable.length / 4 }, (_, i) =>
    planTable.slice(4 * i, 4 * i + 4),
  )
  expect(rows.length).toBe(4)
  for (const [name, megabytes, gmac, cells] of rows) {
    const found = [4, 16, 64, 192].map(cores => {
      const sized = {
        ...task(undefined, Number(megabytes) * 1e6),
        multiplyAdds: Number(gmac) * 1e9,
      }
      const all = { ...sized, missing: [{ start: 0, end: 50_000 }] }
      const [job] = planJobs([all], 'all', { cores, memoryBytes: 2e9 * cores })
      const { processes, group, shards } = job!
      expect(stretch(job!), `${name} on ${cores} cores`).toBeLessThan(1.1)
      return `${processes} × ${group.threads}, ${shards[0]!.end - shards[0]!.start}`
    })
    expect(`${name}: ${found.join(' | ')}`).toBe(`${name}: ${cells!.trim()}`)
  }
})

it('a few images are cut so that all processes end together', () => {
  const sizes = (end: number) =>
    planJobs([{ ...task(), missing: [{ start: 0, end }] }], 'all', { cores: 2 })[0]!.shards.map(
      ({ start, end }) => end - start,
    )
  expect([20, 64, 96, 128].map(sizes)).toEqual([[20], [32, 32], [48, 48], [32, 32, 32, 32]])
  expect([98, 100, 170].map(sizes)).toEqual([
    [52, 46],
    [52, 48],
    [44, 44, 44, 38],
  ])
})

it('shards and units follow what was measured, batches do not', () => {
  const [guessed, fast, slow] = [undefined, 0.05, 0.5].map(
    seconds => planJobs([task(seconds)], 'all', { cores: 2 })[0]!,
  )
  const sizes = [guessed!, fast!, slow!].map(({ shards }) => shards[0]!.end)
  expect(sizes).toEqual([384, 800, 64])
  expect(new Set([guessed!, fast!, slow!].map(({ group }) => group.batch))).toEqual(new Set([4]))
  expect(sizes.filter(size => size % 16 > 0)).toEqual([])
})

it('few images are inferred at once by a thread, all that are read by a device', () => {
  const sizes = (multiplyAdds: number, options: Partial<Parameters<typeof planJobs>[2]>) => {
    const { threads, batch, ahead } = planJobs([{ ...task(), multiplyAdds }], 'all', {
      cores: 2,
      ...options,
    })[0]!.group
    return { threads, batch, ahead }
  }
  expect(sizes(1e9, {})).toEqual({ threads: 1, batch: 4, ahead: 16 })
  expect(sizes(9e9, {})).toEqual({ threads: 1, batch: 4, ahead: 8 })
  expect(sizes(9e9, { memoryBytes: 1e9 })).toEqual({ threads: 2, batch: 8, ahead: undefined })
  expect(sizes(1e9, { device: 'cuda' })).toMatchObject({ batch: 16, ahead: undefined })
  expect(sizes(1e9, { batch: 5 })).toMatchObject({ batch: 5, ahead: undefined })
})

it('a forecast and the units of a queue say and use what was measured; shares of machines go by the rule', async () => {
  const spec = await writeModel(folder)
  const options = {
    models: [spec],
    datasets: [{ name: await writeWorld(folder, 12), classes: join(folder, 'classes.txt') }],
    out: join(folder, 'results'),
  }
  expect((await dryRun(options))[0]).toMatchObject({ measured: false })
  const measured = { name: spec.name, multiplyAdds: modelCost(spec).multiplyAdds }
  await recordCosts([profile({ models: [spec.name], images: 10 })], [measured], {})
  const [{ seconds, measured: is } = {}] = await dryRun(options)
  expect(is).toBe(true)
  expect(seconds).toBeCloseTo((12 * 4.2) / availableParallelism())
  const target = { suits: 'all' as const, dataset: { samples: new Array<never>(5000) } }
  const [rule, own] = [undefined, await loadCosts({})].map(
    costOf => planModelGroups([target], [spec], { preprocessing: 'native', costOf })[0]!,
  )
  expect(rule!.shard).toBe(1024)
  expect(own).toMatchObject({ shard: 64, unit: 128 })
})
