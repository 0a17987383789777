import { mkdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkDataset } from '../../../src/datasets/checkDataset.ts'
import { fetchBenchmark } from '../../../src/datasets/fetch.ts'
import { type HubDatasetOptions } from '../../../src/datasets/hub/download.ts'
import { imagenetClasses } from '../../../src/datasets/labels/imagenet.ts'
import { type DatasetSpec, listDataset, openDataset } from '../../../src/datasets/open.ts'
import { dryRun, evaluate } from '../../../src/evaluate/evaluate.ts'
import { forecastTable } from '../../../src/cli/print/forecast.ts'
import { rescore } from '../../../src/evaluate/rescore.ts'
import { query } from '../../../src/lib/sql.ts'
import {
  type FakeDatasetHub,
  goodToken,
  poorToken,
  startDatasetHub,
} from '../../lib/hub/fakeDatasetHub.ts'
import { makeTar, temporaryFolder } from '../fixtures.ts'

const root = temporaryFolder()
const commitOf = (digit: string): string => digit.repeat(40)
const photos: Buffer[] = []
let hub: FakeDatasetHub
let homes = 0
let hubOptions: HubDatasetOptions

/** ImageNet's names as the hub's copy of it has them: lists of synonyms, the second of two equal ones numbered. */
const hubNames = imagenetClasses.map(({ synonyms }) => synonyms.join(', '))
hubNames[134] = 'crane'
hubNames[517] = 'crane2'
const nameFeature = (names: readonly string[], name = 'label') => ({
  name,
  dtype: { class_label: { names: Object.fromEntries(names.map((text, i) => [String(i), text])) } },
})

/** Parquet with image bytes, a label column and further columns, in SQL. */
async function parquet(labels: readonly (number | string)[], more = ''): Promise<Buffer> {
  const file = join(root, `made-${Math.random()}.parquet`)
  const rows = labels.map((label, i) => {
    const hex = [...photos[i % photos.length]!].map(b => `\\x${b.toString(16).padStart(2, '0')}`)
    const value = typeof label === 'number' ? String(label) : `'${label}'`
    return `({'bytes': '${hex.join('')}'::BLOB, 'path': 'p${i}.jpg'}, ${value}, ${i})`
  })
  await query(
    `COPY (SELECT image, label${more} FROM (VALUES ${rows.join(', ')}) t(image, label, i)) TO '${file}' (FORMAT parquet)`,
  )
  return readFileSync(file)
}

const shard = (labels: readonly number[], codes: readonly number[][] = []): Buffer =>
  makeTar(
    Object.fromEntries(
      labels.flatMap((label, i) => [
        [`s${i}.jpg`, photos[i % photos.length]!],
        [`s${i}.cls`, Buffer.from(String(label))],
        ...(codes[i] ? [[`s${i}.json`, Buffer.from(JSON.stringify(codes[i]))] as const] : []),
      ]),
    ),
  )
const text = (content: string): Buffer => Buffer.from(content)

beforeAll(async () => {
  for (let i = 0; i < 4; i++) {
    const background = { r: 60 * i, g: 200 - 40 * i, b: (170 * i + 60) % 256 }
    photos.push(
      await sharp({ create: { width: 40, height: 44, channels: 3, background } })
        .jpeg()
        .toBuffer(),
    )
  }
  const places = `, ['Kenya', 'Ghana', 'Peru'][i % 3 + 1] AS country, ['Africa', 'Africa', 'Americas'][i % 3 + 1] AS region, 100.5 * i AS income`
  const classified = await parquet([134, 517, 0])
  const hidden = await parquet([-1, -1])
  hub = await startDatasetHub(
    {
      'djghosh/wds_geode_test': {
        commit: commitOf('a'),
        card: { license: 'cc-by-4.0' },
        files: {
          'README.md': text('---\nlicense: cc-by-4.0\n---\n'),
          'classnames.txt': text('bag\nhand soap\nstove\n'),
          'zeroshot_classification_templates.txt': text('a photo of {c}.'),
          'test/nshards.txt': text('2\n'),
          'test/0.tar': shard([0, 1]),
          'test/1.tar': shard([2, 0, 1]),
        },
      },
      'ILSVRC/imagenet-1k': {
        commit: commitOf('b'),
        gated: true,
        card: {
          license: 'other',
          license_name: 'imagenet-agreement',
          extra_gated_prompt: 'You agree to the terms of ImageNet.',
          dataset_info: {
            features: [{ name: 'image', dtype: 'image' }, nameFeature(hubNames)],
            splits: [{ name: 'validation', num_examples: 3 }],
          },
        },
        files: {
          'README.md': text('---\n---\n'),
          'data/train-00000-of-00001.parquet': await parquet([1, 2]),
          'data/validation-00000-of-00002.parquet': classified,
          'data/validation-00001-of-00002.parquet': await parquet([1]),
          'data/test-00000-of-00001.parquet': hidden,
        },
      },
      'acme/world': {
        commit: commitOf('c'),
        card: {
          configs: [
            { config_name: 'homes', data_files: [{ split: 'test', path: 'homes/test-*' }] },
            {
              config_name: 'streets',
              data_files: [
                { split: 'val', path: ['streets/**/v*.parquet'] },
                { split: 'test', path: 'streets/t.parquet' },
              ],
            },
          ],
          dataset_info: [
            { config_name: 'homes', features: [nameFeature(['stove', 'mug'], 'object')] },
          ],
        },
        files: {
          'homes/test-00000-of-00001.parquet': await parquet([0, 1, 1], ` AS object${places}`),
          'streets/a/v.parquet': await parquet(['mug', 'stove']),
          'streets/t.parquet': await parquet(['mug']),
        },
      },
      'clip-benchmark/wds_cranes': {
        commit: commitOf('9'),
        files: {
          'classnames.txt': text('crane\nsunglasses\ncrane2\n'),
          'test/imagenet-test-00.tar': shard([0, 1]),
          'test/imagenet-test-01.tar': shard([2]),
          'train/0.tar': shard([0]),
        },
      },
      'clip-benchmark/wds_imagenet-r': {
        commit: commitOf('8'),
        files: { 'classnames.txt': text('goldfish\nmissile\n'), 'test/0.tar': shard([0, 1]) },
      },
      'acme/unlabelled': {
        commit: commitOf('d'),
        files: { 'test-00000-of-00001.parquet': hidden, 'train.parquet': hidden },
      },
      'acme/texts': { commit: commitOf('e'), files: { 'README.md': text(''), 'a.csv': text('a') } },
      'acme/huge': {
        commit: commitOf('f'),
        files: { 'classnames.txt': text('a\nb\n'), 'test/0.tar': shard([0, 1]) },
        statedSizes: { 'test/0.tar': 1e18 },
      },
    },
    { 'old/geode': 'djghosh/wds_geode_test' },
  )
})
afterAll(() => hub.close())
beforeEach(() => {
  hub.seen.length = 0
  hub.faults = () => undefined
  hubOptions = optionsOf({})
  process.env['GEOGAP_CACHE'] = hubOptions.env!['GEOGAP_CACHE']
})

const quick = { stallMs: 400, backoffMs: 5, attempts: 3 }
function optionsOf(env: Record<string, string>): HubDatasetOptions {
  const home = join(root, `home-${homes++}`)
  mkdirSync(home)
  const places = { HF_HOME: home, GEOGAP_CACHE: join(home, 'geogap'), HF_ENDPOINT: hub.endpoint }
  return { env: { ...places, ...env }, network: quick }
}
const withEnv = (env: Record<string, string>): HubDatasetOptions => ({
  ...hubOptions,
  env: { ...hubOptions.env, ...env },
})
const list = (name: string, spec: Partial<DatasetSpec> = {}) =>
  listDataset({ name, hub: hubOptions, ...spec })
const blobs = (repo: string): Promise<string[]> =>
  readdir(
    join(hubOptions.env!['HF_HOME']!, 'hub', `datasets--${repo.replace('/', '--')}`, 'blobs'),
  ).catch(() => [])
const refusal = (name: string, spec: Partial<DatasetSpec> = {}) =>
  list(name, spec).then(
    () => 'no error',
    (error: unknown) => `${(error as { code: string }).code}: ${(error as Error).message}`,
  )

describe('WebDataset shards of the hub', () => {
  it('are read with their class names and the shipped map, in the order of their numbers', async () => {
    const dataset = await list('hf:djghosh/wds_geode_test')
    expect(dataset).toMatchObject({
      name: 'hf:djghosh/wds_geode_test',
      labelSpace: 'imagenet-1k',
      labelMap: { name: 'geode-paper-1' },
      revision: commitOf('a'),
    })
    expect(dataset.samples.map(({ id, label }) => [id, label])).toEqual([
      ['0/s0', 'bag'],
      ['0/s1', 'hand soap'],
      ['1/s0', 'stove'],
      ['1/s1', 'bag'],
      ['1/s2', 'hand soap'],
    ])
    expect(dataset.notes?.[0]).toContain('the split test of djghosh/wds_geode_test on the hub')
    const check = await checkDataset(dataset)
    expect([check.images, check.missing, check.unreadable]).toEqual([5, [], []])
  })

  it('have their own classes for zero-shot models, and other maps by name', async () => {
    expect(await list('hf:djghosh/wds_geode_test', { labels: 'original' })).toMatchObject({
      labelSpace: 'own',
      classes: ['bag', 'hand soap', 'stove'],
    })
    const mapped = await list('hf:djghosh/wds_geode_test', { labels: 'geode-paper' })
    expect(mapped.labelMap.name).toBe('geode-paper-1')
  })

  it('of a benchmark have its choices, and a note says which copy they are', async () => {
    const { samples, choices, notes } = await list('hf:clip-benchmark/wds_imagenet-r@main:test')
    expect([samples.map(({ labels }) => labels), choices.length]).toEqual([[[1], [657]], 200])
    expect(notes!.join(' ')).toMatch(/copy of imagenet-r, .* has 2 images, not 30000, and does not/)
  })

  it('whose names are all ImageNet classes are scored by these, also names that a list numbers', async () => {
    const { samples, labelSpace } = await list('hf:clip-benchmark/wds_cranes')
    expect(labelSpace).toBe('imagenet-1k')
    expect(samples.map(({ labels }) => labels)).toEqual([[134], [836, 837], [517]])
  })

  it('lie in the standard cache, are asked for once, and need no network at a known commit', async () => {
    await list('hf:djghosh/wds_geode_test')
    const home = hubOptions.env!['HF_HOME']!
    const folder = join(home, 'hub/datasets--djghosh--wds_geode_test/snapshots', commitOf('a'))
    expect((await readdir(folder)).sort()).toEqual(['classnames.txt', 'test'])
    hub.seen.length = 0
    await list('hf:djghosh/wds_geode_test')
    expect(hub.bodies()).toEqual([])
    hub.seen.length = 0
    await list(`hf:djghosh/wds_geode_test@${commitOf('a')}:test`)
    const offline = withEnv({ HF_HUB_OFFLINE: '1' })
    await list('hf:djghosh/wds_geode_test', { hub: offline })
    await list('hf:djghosh/wds_geode_test', { hub: withEnv({ HF_ENDPOINT: hub.endpoint }) })
    expect(hub.seen.filter(({ path }) => path.includes('tree'))).toHaveLength(3)
    expect(await refusal('hf:djghosh/wds_geode_test@v1', { hub: offline })).toMatch(/hub-offline/)
  })

  it('are found under their old name', async () => {
    expect((await list('hf:old/geode', { labels: 'original' })).samples).toHaveLength(5)
  })

  it('are continued where a connection was cut, and are whole only when all is there', async () => {
    hub.faults = n => (n < 12 ? { cutAfter: n === 0 ? 1500 : 0 } : undefined)
    expect(await refusal('hf:djghosh/wds_geode_test')).toMatch(
      /download-failed: .*after 3 attempts/,
    )
    hub.seen.length = 0
    hub.faults = () => undefined
    expect((await list('hf:djghosh/wds_geode_test')).samples).toHaveLength(5)
    expect(hub.bodies().map(({ range }) => range)).toEqual(['bytes=1500-', undefined])
  })
})

describe('Parquet files of the hub', () => {
  const gated = () => ({ hub: withEnv({ HF_TOKEN: goodToken }) })

  it('are those of the labelled split, with the classes of the card; hidden labels cost a footer', async () => {
    const terms: string[] = []
    const bodiesBefore: number[] = []
    const hubWithTerms = {
      ...withEnv({ HF_TOKEN: goodToken }),
      onTerms: (text: string) => {
        terms.push(text)
        bodiesBefore.push(hub.bodies().filter(({ range }) => range === undefined).length)
      },
    }
    const dataset = await list('hf:ILSVRC/imagenet-1k', { hub: hubWithTerms })
    expect(dataset).toMatchObject({ labelSpace: 'imagenet-1k', problems: [] })
    expect(dataset.samples.map(({ labels }) => labels)).toEqual([[134], [517], [0], [1]])
    expect(dataset.notes).toContain('its split test has no labels and is not read')
    expect(terms).toHaveLength(1)
    expect(terms[0]).toContain('terms: other, imagenet-agreement, as its card says')
    expect(terms[0]).toContain('You agree to the terms of ImageNet.')
    const read = hub.bodies().map(({ path }) => path)
    expect(read.filter(path => path.includes('train'))).toEqual([])
    expect(hub.bodies().every(({ authorization }) => authorization === undefined)).toBe(true)
  })

  it('give other columns as groups, and the class by the only column that the card names', async () => {
    const { samples, columns } = await list('hf:acme/world:homes')
    expect(columns).toEqual(['country', 'region', 'income'])
    expect(
      samples.map(({ label, groups }) => [label, groups['country'], groups['income']]),
    ).toEqual([
      ['stove', 'Kenya', 0],
      ['mug', 'Ghana', 100.5],
      ['mug', 'Peru', 201],
    ])
  })

  it('are chosen by configuration and split', async () => {
    const own = { labels: 'original' }
    expect((await list('hf:acme/world:streets/val', own)).samples).toHaveLength(2)
    expect((await list('hf:acme/world@v1:streets/validation', own)).samples).toHaveLength(2)
    expect((await list('hf:ILSVRC/imagenet-1k:train', gated())).samples).toHaveLength(2)
    expect(await refusal('hf:acme/world:streets', own)).toBe(
      'many-splits: hf:acme/world:streets has several splits with labels: validation, test; choose one, as in hf:acme/world:streets/validation',
    )
    expect(await refusal('hf:acme/world')).toMatch(
      /^many-configs: .*homes\/test, streets\/validation, streets\/test/,
    )
    expect(await refusal('hf:acme/world:streets/train')).toMatch(
      /unknown-split: unknown split: streets\/train; nearest: streets\/test/,
    )
    expect(await refusal('hf:ILSVRC/imagenet-1k:test', gated())).toMatch(
      /no-labelled-split: .* without any are: test/,
    )
    expect(await refusal('hf:acme/unlabelled')).toMatch(/without any are: test, train/)
  })
})

describe('errors of the hub', () => {
  it.each([
    ['hf:acme/nothing', /hub-not-found: no data set repository acme\/nothing at http/],
    ['hf:acme/world@v9', /hub-not-found: data set repository acme\/world has no revision v9/],
    ['hf:acme/texts', /no-images: .* it has 1 of \.md, 1 of \.csv/],
    ['hf:acme/world:a:b', /bad-hub-name: not hf:OWNER\/NAME/],
    [
      'hf:ILSVRC/imagenet-1k',
      /hub-forbidden: .*gated: accept its terms at http.*\/datasets\/ILSVRC\/imagenet-1k, and run hf auth login, or set HF_TOKEN/,
    ],
    ['hf:acme/huge', /disk-full: hf:acme\/huge needs .* free; set HF_HOME/],
  ])('%s', async (name, expected) => {
    expect(await refusal(name)).toMatch(expected)
    expect(hub.bodies()).toEqual([])
  })

  it('name the account that has no access', async () => {
    const poor = { hub: withEnv({ HF_TOKEN: poorToken }) }
    expect(await refusal('hf:ILSVRC/imagenet-1k', poor)).toMatch(
      /the account of the token in HF_TOKEN has no access/,
    )
  })
})

describe('geogap fetch', () => {
  it('brings a data set of the hub, or the copy of a benchmark there', async () => {
    const first = await fetchBenchmark('geode', root, hubOptions)
    expect(first.map(({ cached }) => cached)).toEqual([false, false, false, false])
    const again = await fetchBenchmark('hf:djghosh/wds_geode_test', root, hubOptions)
    expect(again.map(({ file }) => file)).toEqual(first.map(({ file }) => file))
    expect(again.every(({ cached }) => cached)).toBe(true)
    await expect(fetchBenchmark('imagenet-1k', root, hubOptions)).rejects.toThrow(
      /gated: accept its terms .*; imagenet-1k can be downloaded by hand .*https:\/\/image-net/,
    )
  })
})

describe('an evaluation on the hub', () => {
  it('is forecast without a download, done, and opened again at its commit', async () => {
    const out = join(root, 'results')
    const model = join(root, 'model.safetensors')
    const { initialWeights } = await import('../../../src/models/initialWeights.ts')
    const { writeSafetensors } = await import('../../../src/lib/tensors/safetensors.ts')
    await writeSafetensors(model, initialWeights('lcnet_050', 1000, 5))
    const token = withEnv({ HF_TOKEN: goodToken })
    const datasets = ['hf:ILSVRC/imagenet-1k', 'hf:djghosh/wds_geode_test'].map(name => ({
      name,
      hub: token,
    }))
    const asked = { models: ['lcnet_050'], weights: model, datasets, out }
    const rows = await dryRun(asked)
    expect(await blobs('ILSVRC/imagenet-1k')).toEqual([])
    expect(rows.map(({ images }) => images)).toEqual([3, null])
    expect(forecastTable(rows, { out, free: null })).toContain(
      'of hf:djghosh/wds_geode_test from the hub; how many images that is shows when it is here',
    )
    const run = await evaluate({ ...asked, keep: 'logits' })
    expect(run.accuracy().map(({ dataset, n }) => [dataset, n])).toEqual([
      ['hf:ILSVRC/imagenet-1k', 4],
      ['hf:djghosh/wds_geode_test', 5],
    ])
    expect((await dryRun(asked)).map(({ images, stored }) => [images, stored])).toEqual([
      [0, 4],
      [0, 5],
    ])
    const before = process.env
    process.env = { ...before, ...token.env, HF_HUB_OFFLINE: '1' }
    const again = rescore(out, {
      dataset: 'hf:djghosh/wds_geode_test',
      change: { choices: 'mapped' },
    })
    await again.finally(() => (process.env = before))
    expect((await again).accuracy().some(({ n }) => n === 5)).toBe(true)
    expect((await openDataset({ name: datasets[1]!.name, hub: token })).hash).toMatch(/^\w{64}$/)
  })
})
