import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDataset } from '../../src/datasets/open.ts'
import { query } from '../../src/lib/sql.ts'
import { type FakeDatasetHub, startDatasetHub } from '../lib/hub/fakeDatasetHub.ts'
import { lay, makeTar, temporaryFolder } from './fixtures.ts'

const csv = 'file_name,label,country\na.jpg,tench,Kenya\nmore/b.jpg,n01443537,Peru\n'
const images = { 'a.jpg': 'a', 'more/b.jpg': 'bb', 'more/c.jpg': 'c' }
const open = (name: string, options = {}) => openDataset({ name, ...options })
const shown = (dataset: Awaited<ReturnType<typeof open>>) =>
  dataset.samples.map(({ id, labels, bytes, groups }) => [id, labels, bytes, groups['country']])

const expected = [
  ['a.jpg', [0], 1, 'Kenya'],
  ['more/b.jpg', [1], 2, 'Peru'],
]
const jsonl =
  '{"file_name": "a.jpg", "label": "tench", "country": "Kenya"}\n{"file_name": "more/b.jpg", "label": "goldfish", "country": "Peru"}\n'

it.each([
  ['metadata.csv', csv],
  ['metadata.jsonl', jsonl],
])(
  'reads a folder of images with %s, and says which images it does not name',
  async (file, text) => {
    const folder = lay(temporaryFolder(), { ...images, [file]: text })
    for (const name of [folder, join(folder, file)]) {
      const dataset = await open(name)
      expect(shown(dataset)).toEqual(expected)
      expect(dataset.problems).toEqual([
        { id: 'more/c.jpg', code: 'no-label', message: `no row of ${file} names more/c.jpg` },
      ])
    }
  },
)

it('reads metadata.parquet, which holds no image bytes', async () => {
  const folder = lay(temporaryFolder(), images)
  await query(
    `COPY (SELECT * FROM (VALUES ('a.jpg', 'tench', 'Kenya'), ('more/b.jpg', 'goldfish', 'Peru')) t(file_name, label, country)) TO '${folder}/metadata.parquet' (FORMAT parquet)`,
  )
  expect(shown(await open(folder))).toEqual(expected)
})

it('reads an archive of such a folder', async () => {
  const file = join(temporaryFolder(), 'images.tar')
  const files = Object.entries({ ...images, 'metadata.csv': csv })
  writeFileSync(file, makeTar(Object.fromEntries(files.map(([k, v]) => [`images/${k}`, v]))))
  expect((await open(file)).samples.map(({ id, bytes }) => [id, bytes])).toEqual([
    ['images/a.jpg', 1],
    ['images/more/b.jpg', 2],
  ])
})

it('takes the split that is evaluated, and says so', async () => {
  const folder = lay(temporaryFolder(), {
    'train/metadata.csv': 'file_name,label\na.jpg,tench\n',
    'train/a.jpg': 'a',
    'validation/metadata.csv': 'file_name,label\nv.jpg,goldfish\n',
    'validation/v.jpg': 'v',
    'test/metadata.csv': 'file_name,label\nt.jpg,-1\n',
    'test/t.jpg': 't',
  })
  const dataset = await open(folder)
  expect(dataset.samples.map(({ id, labels }) => [id, labels])).toEqual([['validation/v.jpg', [1]]])
  expect(dataset.notes).toEqual([
    'its split test has no labels and is not read',
    'it is the split validation; not read: train',
  ])
  expect(dataset.problems).toEqual([])
})

it('takes folders for classes where the table has no labels', async () => {
  const folder = lay(temporaryFolder(), {
    'metadata.csv': 'file_name,country\ntest/goldfish/a.jpg,Kenya\ntest/tench/b.jpg,Peru\n',
    'test/goldfish/a.jpg': 'a',
    'test/tench/b.jpg': 'b',
  })
  const dataset = await open(folder)
  expect(dataset.samples.map(({ labels, groups }) => [labels, groups])).toEqual([
    [[1], { country: 'Kenya' }],
    [[0], { country: 'Peru' }],
  ])
  expect(dataset.notes).toEqual([
    'its labels are the names of its folders, because metadata.csv has none',
  ])
})

it('names the classes of indices by the card, and refuses indices without names', async () => {
  const files = {
    'metadata.csv': 'file_name,object\na.jpg,1\nb.jpg,0\n',
    'a.jpg': 'a',
    'b.jpg': 'b',
  }
  const card =
    "---\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: object\n    dtype:\n      class_label:\n        names:\n          '0': stove\n          '1': mug\n---\n"
  const dataset = await open(lay(temporaryFolder(), { ...files, 'README.md': card }))
  expect(dataset.classes).toEqual(['stove', 'mug'])
  expect(dataset.samples.map(({ label, labels }) => [label, labels])).toEqual([
    ['mug', [1]],
    ['stove', [0]],
  ])
  const plain = lay(temporaryFolder(), files)
  await expect(open(plain)).rejects.toMatchObject({ code: 'no-label-column' })
  await expect(open(plain, { map: { label: 'object' } })).rejects.toMatchObject({
    code: 'no-class-names',
  })
})

it('shows files that are missing, finds names in other Unicode forms and refuses two tables', async () => {
  const folder = lay(temporaryFolder(), {
    'metadata.csv': 'file_name,label\ngone.jpg,tench\ncafe\u0301.jpg,tench\n',
    'caf\u00e9.jpg': 'c',
  })
  expect((await open(folder)).samples.map(({ bytes }) => bytes)).toEqual([null, 1])
  lay(folder, { 'metadata.jsonl': jsonl })
  await expect(open(folder)).rejects.toMatchObject({ code: 'several-tables' })
})

it('reads a column file_name of any table', async () => {
  const folder = lay(temporaryFolder(), { 'list.csv': 'file_name,label\na.jpg,3\n', 'a.jpg': 'a' })
  expect((await open(join(folder, 'list.csv'))).samples.map(({ labels }) => labels)).toEqual([[3]])
})

describe('of the hub', () => {
  let hub: FakeDatasetHub
  beforeAll(async () => {
    const features = [{ name: 'object', dtype: { class_label: { names: ['stove', 'mug'] } } }]
    hub = await startDatasetHub({
      'acme/photos': {
        commit: '1'.repeat(40),
        card: { dataset_info: { features } },
        files: {
          'metadata.jsonl': Buffer.from(
            '{"file_name": "test/a.jpg", "object": 1, "country": "Kenya"}\n{"file_name": "train/b.jpg", "object": 0, "country": "Peru"}\n',
          ),
          'test/a.jpg': Buffer.from('a'),
          'test/unlisted.jpg': Buffer.from('u'),
          'train/b.jpg': Buffer.from('b'),
        },
      },
      'acme/folders': {
        commit: '2'.repeat(40),
        files: { 'test/tench/a.jpg': Buffer.from('a'), 'test/goldfish/b.jpg': Buffer.from('b') },
      },
    })
  })
  afterAll(() => hub.close())
  const options = () => {
    const home = temporaryFolder()
    return {
      hub: { env: { HF_HOME: home, GEOGAP_CACHE: join(home, 'g'), HF_ENDPOINT: hub.endpoint } },
    }
  }

  it('images are named by a table, with the classes of the card, and one split is read', async () => {
    const settings = options()
    const dataset = await open('hf:acme/photos', settings)
    expect(dataset.classes).toEqual(['stove', 'mug'])
    expect(dataset.samples.map(({ id, label, groups }) => [id, label, groups])).toEqual([
      ['test/a.jpg', 'mug', { country: 'Kenya' }],
    ])
    expect(dataset.problems.map(({ id }) => id)).toEqual(['test/unlisted.jpg'])
    const trained = await open('hf:acme/photos:train', settings)
    expect(trained.samples.map(({ label }) => label)).toEqual(['stove'])
  })

  it('images lie in class folders', async () => {
    const { samples } = await open('hf:acme/folders', options())
    expect(samples.map(({ labels }) => labels)).toEqual([[1], [0]])
  })
})
