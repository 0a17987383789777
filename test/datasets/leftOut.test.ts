import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkDataset } from '../../src/datasets/checkDataset.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { imagenetWnids } from '../../src/datasets/labels/imagenet.ts'
import { datasetCheckText } from '../../src/report/tables/datasetTable.ts'
import { leftOutImages, leftOutText } from '../../src/results/leftOutImages.ts'
import { readDatasetRecords, recordDataset } from '../../src/results/records.ts'
import { lay, makeTar, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()

/** What results say of a data set's images that are in no row, and what a check shows. */
async function outcomes(name: string, data?: string) {
  const dataset = await openDataset({ name, ...(data === undefined ? {} : { data }) })
  const results = join(root, `results-${dataset.hash.slice(0, 8)}`)
  await recordDataset(results, dataset)
  const record = (await readDatasetRecords(results)).get(dataset.hash)!
  const check = await checkDataset(dataset, { decode: false })
  return { dataset, record, check, text: datasetCheckText(check) }
}

describe.skipIf(process.platform === 'win32')('entries of a folder', () => {
  it('that cannot be read, or that nobody knows, are rows or problems', async () => {
    const folder = lay(join(root, 'odd'), {
      'n01440764/a.jpg': 'x',
      'n01440764/photo.jpg_large': 'x',
      'n01440764/raw.cr2': 'x',
      'n01440764/.photo.jpg': 'x',
      'n01440764/._a.jpg': 'x',
      'n01440764/.DS_Store': 'x',
      'n01440764/.thumbnails/a.jpg': 'x',
      'n01440764/labels.txt': 'x',
      'n01440764/deeper/b.jpg': 'x',
      'README.md': 'x',
    })
    symlinkSync(join(folder, 'nowhere'), join(folder, 'n01440764/annexed.jpg'))
    symlinkSync(join(folder, 'nowhere'), join(folder, 'n01443537'))
    const bytes = Buffer.concat([Buffer.from(join(folder, 'n01440764/caf')), Buffer.from([0xe9])])
    writeFileSync(Buffer.concat([bytes, Buffer.from('.jpg')]), 'x')
    const { dataset, record, check, text } = await outcomes(folder)
    expect(dataset.samples.map(({ id, bytes: size }) => [id, size])).toEqual([
      ['n01440764/a.jpg', 1],
      ['n01440764/annexed.jpg', null],
      ['n01440764/caf\\xE9.jpg', null],
    ])
    expect(check.missing).toEqual(['n01440764/annexed.jpg', 'n01440764/caf\\xE9.jpg'])
    expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
      ['n01440764/.photo.jpg', 'hidden-file'],
      ['n01440764/photo.jpg_large', 'unknown-ending'],
      ['n01440764/raw.cr2', 'unknown-ending'],
      ['n01440764/deeper/b.jpg', 'no-class'],
      ['n01443537', 'missing-file'],
    ])
    expect(text).not.toContain('whole')
    expect(leftOutText(record)).toBe(
      'left out of odd, which has 3 images here: 2 files of an unknown ending, 1 hidden by a dot before the name, 1 outside of class folders, 1 links to nothing',
    )
  })

  it('in a class folder whose name is not UTF-8 are rows', async () => {
    const folder = lay(join(root, 'latin'), { 'n01440764/a.jpg': 'x' })
    const name = Buffer.concat([Buffer.from(join(folder, 'n01443537')), Buffer.from([0xe9])])
    mkdirSync(name)
    writeFileSync(Buffer.concat([name, Buffer.from('/b.jpg')]), 'x')
    await expect(openDataset({ name: folder })).rejects.toThrow('n01443537\\xE9')
  })

  it('are found at any depth, and links to a folder above end', async () => {
    const deep = Array.from({ length: 20 }, (_, i) => `f${i}`).join('/')
    const folder = lay(join(root, 'deep'), {
      [`n01440764/${deep}/a.jpg`]: 'x',
      'n01440764/b.jpg': 'x',
    })
    symlinkSync(folder, join(folder, 'n01440764/again'))
    const { dataset, text } = await outcomes(folder)
    expect(dataset.samples.map(({ id }) => id)).toEqual(['n01440764/b.jpg'])
    expect(dataset.problems.map(({ id, code }) => [id, code])).toEqual([
      [`n01440764/${deep}/a.jpg`, 'no-class'],
    ])
    expect(text).not.toContain('whole')
  })

  it('that are all known leave nothing out', async () => {
    const { record, text } = await outcomes(
      lay(join(root, 'fine'), {
        'n01440764/a.jpg': 'x',
        'n01440764/Thumbs.db': 'x',
        'README.txt': 'x',
      }),
    )
    expect(leftOutText(record)).toBeUndefined()
    expect(text).toContain('whole')
  })
})

it('a benchmark says how many of the images that its authors count are not there', async () => {
  const data = lay(join(root, 'data'), {
    [`imagenet-r/${imagenetWnids[1]!}/art_0.jpg`]: 'x',
    [`imagenet-r/${imagenetWnids[1]!}/art_1.jpg`]: 'x',
    'imagenet-r/README.txt': 'x',
  })
  const { record } = await outcomes('imagenet-r', data)
  expect(leftOutImages(record)).toEqual([{ code: 'absent', count: 29_998 }])
  expect(leftOutText(record)).toBe(
    'left out of imagenet-r, which has 2 images here: 29998 not in this copy of the benchmark',
  )
})

it('samples of shards and rows of tables are counted by their reason', async () => {
  const shards = lay(join(root, 'wds'), {
    'classnames.txt': 'goldfinch\nsaree\n',
    'test/nshards.txt': '1',
    'test/0.tar': makeTar({
      'a.jpg': 'x',
      'a.cls': '0',
      'b.jpg': 'x',
      'c.heif2': 'x',
      'c.cls': '1',
      noise: 'x',
    }),
  })
  const { record } = await outcomes(shards)
  expect(leftOutImages(record)).toEqual([
    { code: 'unknown-ending', count: 1 },
    { code: 'no-label', count: 1 },
    { code: 'no-image', count: 1 },
  ])
  lay(root, { 'a.jpg': 'x', 'table.csv': 'image,label\na.jpg,goldfinch\nb.jpg,-1\nc.jpg,\n' })
  const table = await outcomes(join(root, 'table.csv'))
  expect(leftOutText(table.record)).toBe(
    'left out of table, which has 1 images here: 2 without a label',
  )
  const mapped = await openDataset({
    name: lay(join(root, 'mapped'), {
      'classnames.txt': 'goldfinch\nsaree\n',
      'test/nshards.txt': '1',
      'test/0.tar': makeTar({ 'a.jpg': 'x', 'a.cls': '0', 'b.jpg': 'x', 'b.cls': '1' }),
    }),
    labels: 'imagenet',
  })
  await recordDataset(join(root, 'mapped-results'), mapped)
  const [only] = (await readDatasetRecords(join(root, 'mapped-results'))).values()
  expect(leftOutImages(only!)).toEqual([{ code: 'unscored', count: 1 }])
})
