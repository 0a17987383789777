import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planRun } from '../../src/evaluate/queue/runPlan.ts'
import { type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { keptCountsName } from '../../src/results/keptCounts.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { query } from '../../src/lib/sql.ts'
import { useCores } from '../helpers/cores.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

useCores(1)
const evaluate = pooledEvaluate()

let folder: string
let manifest: string
let model: ModelSpec
const count = 90

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-evaluate-'))
  manifest = await writeWorld(folder, count)
  model = await writeModel(join(folder, 'models'))
  await truncate(join(folder, 'images/7.png'), 40)
  await writeFile(join(folder, 'images/8.png'), 'no picture')
  await rm(join(folder, 'images/9.png'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const dataset = () => ({ name: manifest, classes: join(folder, 'classes.txt') })

describe('evaluate', () => {
  it('refuses models and data sets that share a name: one would hide the other', async () => {
    const out = join(folder, 'twice')
    const other = { ...(await writeModel(join(folder, 'models'), 2)), name: model.name }
    await expect(evaluate({ models: [model, other], datasets: [dataset()], out })).rejects.toThrow(
      `two models are called ${model.name}`,
    )
    const shorter = join(folder, 'elsewhere/world.csv')
    await mkdir(join(folder, 'elsewhere'))
    await writeFile(shorter, (await readFile(manifest, 'utf8')).split('\n').slice(0, 9).join('\n'))
    const datasets = [dataset(), { ...dataset(), name: shorter, data: folder }]
    const none = join(folder, 'none.csv')
    await writeFile(none, 'id,image,label\n')
    const planned = (options: EvaluateOptions & { out: string }) => planRun(options)
    for (const begin of [evaluate, planned]) {
      await expect(begin({ models: [model, model], datasets, out })).rejects.toThrow(
        'two data sets are called world: rename a file',
      )
      await expect(
        begin({ models: [model], datasets: [{ ...dataset(), name: none }], out }),
      ).rejects.toThrow('no rows in ')
    }
  })

  it('plans for workers in other folders: files of prompts by their absolute paths, lists by their names', async () => {
    const asked = { models: [model], datasets: [dataset()], out: join(folder, 'planned') }
    const promptsOf = async (prompts?: string) =>
      (await planRun({ ...asked, ...(prompts !== undefined && { prompts }) })).plan.request.prompts
    expect([await promptsOf(), await promptsOf('openai'), await promptsOf('own.txt')]).toEqual([
      ...['paper', 'openai', resolve('own.txt')],
    ])
  })

  it('keeps one row per image, failures included, and counts them', async () => {
    const out = join(folder, 'first')
    const run = await evaluate({ models: [model], datasets: [dataset()], out })
    const files = (await readStoredEvaluations(out)).flatMap(shardPaths)
    const rows = await query<{
      id: string
      status: string
      rank: number | null
      correct1: boolean | null
      top5: unknown[]
      p: number
    }>(
      'SELECT id, status, rank, correct1, top5, list_sum(probabilities) AS p FROM read_parquet($1) ORDER BY id',
      [files],
    )
    expect(rows).toHaveLength(count)
    expect(new Set(rows.map(({ id }) => id)).size).toBe(count)
    const failed = Object.fromEntries(
      rows.filter(({ status }) => status !== 'ok').map(({ id, status }) => [id, status]),
    )
    expect(failed).toEqual({
      'picture-7': 'corrupt',
      'picture-8': 'unknown-format',
      'picture-9': 'missing-file',
    })
    for (const row of rows.filter(({ status }) => status === 'ok')) {
      expect(row.correct1).toBe(row.rank === 1)
      expect(row.top5).toHaveLength(3)
      expect(row.p).toBeCloseTo(1, 5)
    }
    const [all] = run.accuracy()
    expect(all).toMatchObject({ n: count - 3, errors: 3, dataset: 'world' })
    const regions = run.accuracy({ by: 'region' })
    expect(regions.map(({ group, n, errors }) => [group, n, errors])).toEqual([
      ['Africa', 43, 2],
      ['Europe', 44, 1],
    ])
    expect(run.accuracy({ by: ['region', 'country'] })).toHaveLength(4)
    expect(run.disparity({ by: 'region' })[0]!.disparity).toBeCloseTo(
      Math.abs(regions[0]!.top1! - regions[1]!.top1!),
      12,
    )
  })

  it('goes on where an interrupted run stopped', async () => {
    const out = join(folder, 'interrupted')
    await evaluate({ models: [model], datasets: [dataset()], out })
    const [entry] = await readStoredEvaluations(out)
    expect(entry!.shards.length).toBeGreaterThan(1)
    const [first] = entry!.shards
    await rm(join(entry!.folder, `${first!.file.slice(0, 17)}.json`))
    const kept = (await times(out)).filter(([name]) => !name.startsWith(first!.file.slice(0, 17)))
    let total = 0
    await evaluate({
      models: [model],
      datasets: [dataset()],
      out,
      onProgress: progress => (total = progress.total),
    })
    expect(total).toBe(first!.end - first!.start)
    const after = new Map(await times(out))
    for (const [name, time] of kept) expect(after.get(name)).toBe(time)
    expect((await readStoredEvaluations(out))[0]!.rows).toBe(count)
  })

  it('does nothing twice, and never mixes other settings or weights', async () => {
    const out = join(folder, 'again')
    const options = { models: [model], datasets: [dataset()], out }
    await evaluate(options)
    const before = await times(out)
    const seen: number[] = []
    await evaluate({ ...options, onProgress: ({ done }) => seen.push(done) })
    expect(seen).toEqual([])
    expect(await times(out)).toEqual(before)
    await evaluate({ ...options, preprocessing: 'paper' })
    const other = { ...(await writeModel(join(folder, 'models'), 2)), name: model.name }
    await evaluate({ ...options, models: [other] })
    const entries = await readStoredEvaluations(out)
    expect(entries.map(({ identity, rows }) => [identity.preprocessing, rows])).toEqual([
      ['native', count],
      ['paper', count],
      ['native', count],
    ])
    expect(new Set(entries.map(({ key }) => key)).size).toBe(3)
  })

  it('goes on without a model that cannot be loaded, and says so', async () => {
    const out = join(folder, 'partly')
    const broken = {
      ...(await writeModel(join(folder, 'models'), 3)),
      architecture: 'lcnet_075',
      name: 'wrong',
    }
    const run = await evaluate({ models: [model, broken], datasets: [dataset()], out })
    expect(run.failures).toMatchObject([
      { model: 'wrong', dataset: 'world', code: 'weights-mismatch' },
    ])
    expect(run.failures[0]!.message).toMatch(/of another shape/)
    expect(run.accuracy()).toHaveLength(1)
    const mended = { ...broken, architecture: 'lcnet_050' }
    expect(
      (await evaluate({ models: [model, mended], datasets: [dataset()], out })).failures,
    ).toEqual([])
  })
})

/** Returns when each file of the shards was written. */
async function times(out: string): Promise<[string, number][]> {
  const [folder] = await readdir(join(out, 'predictions'))
  const names = await readdir(join(out, 'predictions', folder!))
  return Promise.all(
    names
      .filter(name => name !== keptCountsName)
      .sort()
      .map(async (name): Promise<[string, number]> => [
        name,
        (await stat(join(out, 'predictions', folder!, name))).mtimeMs,
      ]),
  )
}
