import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildDataset } from '../../src/datasets/build.ts'
import { type Dataset, type Sample } from '../../src/datasets/dataset.ts'
import { ownSpace } from '../../src/datasets/labels/labelSpace.ts'
import { emptyPredictions } from '../../src/results/predictions.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { findImageSource, imageFolders } from '../../src/results/imageSources.ts'
import { recordDataset } from '../../src/results/records.ts'
import { type ResultKey, schemaVersion } from '../../src/results/schema.ts'
import { commitShard } from '../../src/results/writeShard.ts'
import { readImportedAccuracies } from '../../src/results/importedAccuracies.ts'
import { groupAccuracyTable } from '../../src/report/tables/accuracyTables.ts'
import { openRun } from '../../src/results/run.ts'
import { runStatus } from '../../src/results/status.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-rows-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const photos = (
  count: number,
  groups: (i: number) => Sample['groups'],
  labels: (i: number) => number[] = () => [0],
): Dataset => ({
  ...buildDataset({
    name: 'photos',
    samples: Array.from({ length: count }, (_, i) => ({
      id: `${i}`,
      image: { kind: 'file', file: `${i}.jpg` },
      label: 'cup',
      labels: labels(i),
      groups: groups(i),
    })),
    space: ownSpace(['cup', 'mug']),
  }),
  order: 'random',
})

/** Stores shards of a model that is always right; images in `failed` are unreadable. */
async function store(
  out: string,
  dataset: Dataset,
  spans: readonly [number, number][],
  failed: readonly number[] = [],
) {
  const identity: ResultKey = {
    schema: schemaVersion,
    version: '0',
    runtime: '0',
    model: 'm',
    weights: [],
    preprocessing: 'native',
    steps: '',
    dataset: dataset.name,
    content: dataset.hash,
    images: dataset.samples.length,
    labelMap: 'own',
    choices: 'all',
    prompts: '',
    order: 'random',
  }
  await recordDataset(out, dataset)
  for (const [start, end] of spans) {
    const items = dataset.samples.slice(start, end)
    const outcomes = emptyPredictions('m', items.length)
    outcomes.rank.fill(1)
    for (const [i, { id }] of items.entries())
      if (failed.includes(Number(id))) outcomes.status[i] = 'corrupt'
    const shard = { identity, start, end, dataset, predictions: outcomes, seconds: 0 }
    await commitShard(folderStorage(out), shard)
  }
  return openRun(out)
}

describe('grouping columns', () => {
  it('of numbers stay numbers where the first shard has none', async () => {
    const dataset = photos(40, i => ({ income: i < 20 ? null : 100 * (i % 2) }))
    const run = await store(join(folder, 'income'), dataset, [
      [0, 20],
      [20, 40],
    ])
    expect(run.accuracy({ by: 'income' }).map(({ group, n }) => [group, n])).toEqual([
      ['0', 10],
      ['100', 10],
    ])
  })

  it('may have any name, in folders of any name', async () => {
    const names = [
      'filename',
      'status',
      'target_probability',
      'Rank',
      'region',
      'Region',
      'class 0',
      'entry',
      't0',
      'x"y',
    ]
    const dataset = photos(4, i =>
      Object.fromEntries(names.map(name => [name, `${name} ${i % 2}`])),
    )
    expect(dataset.columns).toEqual([
      'filename',
      'status_',
      'target_probability_',
      'Rank_',
      'region',
      'Region_',
      ...names.slice(6),
    ])
    expect(dataset.notes).toContain('its column status is called status_ here')
    const run = await store(join(folder, 'region=all'), dataset, [[0, 4]])
    for (const column of dataset.columns)
      expect(run.accuracy({ by: column }).map(({ n }) => n)).toEqual([2, 2])
    expect(run.accuracy({ by: 'region' })[0]!.group).toBe('region 0')
  })
})

it('Parquet files are read in one way, where no folder adds a column', () => {
  const source = new URL('../../src/', import.meta.url)
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  )
  const others = files.filter(name =>
    /read_parquet\(\$|read_parquet\('/.test(readFileSync(new URL(name, source), 'utf8')),
  )
  expect(others).toEqual(['lib/sql.ts'])
})

it('what an evaluation that was cut off has stored hides nothing that another one did', async () => {
  const spans = [[0, 3], [0, 5], [4, 8], [5, 10]] satisfies [number, number][] // prettier-ignore
  const run = await store(
    join(folder, 'at once'),
    photos(10, () => ({})),
    spans,
  )
  expect(run.accuracy()).toMatchObject([{ n: 10, of: null }])
  expect(run.entries[0]!.shards.map(({ start, end }) => [start, end])).toEqual([[0, 5], [5, 10]]) // prettier-ignore
})

it('images that cannot be scored and failed are no part of an unfinished group', async () => {
  const dataset = photos(10, i => ({ region: i < 5 ? 'Africa' : 'Asia' }), i => (i % 5 === 0 ? [] : [0])) // prettier-ignore
  const run = await store(join(folder, 'unmapped'), dataset, [[0, 5]], [0, 1])
  expect(run.accuracy({ by: 'region' })).toMatchObject([
    { group: 'Africa', n: 3, errors: 1, of: 4, low: 1, high: 1 },
  ])
  expect(run.cells.reduce((sum, { unscored }) => sum + unscored, 0)).toBe(1)
})

it('images of a store are found again', async () => {
  const image = { kind: 'file', file: 's3://bucket/photos/a.jpg' } as const
  const [first] = photos(1, () => ({})).samples
  const dataset = { ...photos(1, () => ({})), samples: [{ ...first!, image }] }
  await recordDataset(join(folder, 'store'), dataset)
  expect(await findImageSource(join(folder, 'store'), dataset.hash, '0')).toEqual(image)
  expect(imageFolders(dataset)).toEqual(['s3://bucket/photos'])
})

it('a manifest that names a file elsewhere is damaged, and nothing there is read or removed', async () => {
  const out = join(folder, 'hostile')
  const again = () => store(out, photos(2, () => ({})), [[0, 2]]) // prettier-ignore
  const run = await again()
  const file = join(run.entries[0]!.folder, '00000000-00000002.json')
  const outside = join(run.entries[0]!.folder, '../../outside.parquet')
  await writeFile(outside, '')
  const manifest = await readFile(file, 'utf8')
  for (const name of ['../../outside.parquet', '/etc/hosts', '..', '.hidden', 'a/b.parquet']) {
    await writeFile(file, manifest.replace(/"file": "[^"]*"/, `"file": ${JSON.stringify(name)}`))
    const { entries, failures } = await openRun(out)
    expect([entries.length, failures[0]!.message]).toEqual([
      0,
      expect.stringContaining('is not a shard manifest of this version'),
    ])
    expect((await again()).accuracy()).toEqual(run.accuracy())
    expect(await readFile(outside, 'utf8')).toBe('')
  }
})

it.each(['runs', 'datasets', 'failures', 'estimates', 'studies', 'imported'])(
  'a broken record in %s is named, and the others answer',
  async kind => {
    const out = join(folder, `broken-${kind}`)
    const before = await store(out, photos(2, () => ({})), [[0, 2]]) // prettier-ignore
    for (const text of ['', '{"half', '{"name": 1}']) {
      await folderStorage(out).put(`${kind}/x.json`, temporary => writeFile(temporary, text))
      const message = expect.stringMatching(/^not .* of this version: .*x\.json/) as string
      const run = await openRun(out)
      expect(run.accuracy()).toEqual(before.accuracy())
      expect(run.failures).toMatchObject([{ code: 'damaged', dataset: `${kind}/x.json`, message }])
      expect(groupAccuracyTable(run, []).notes.join()).toContain(`left out: ${kind}/x.json: not `)
      const { results } = await runStatus(out)
      expect(results.filter(({ state }) => state === 'damaged')).toMatchObject([{ message }])
      expect(await readImportedAccuracies(out)).toEqual([])
    }
  },
)
