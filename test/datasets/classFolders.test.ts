import { expect, it } from 'vitest'
import { readImage } from '../../src/datasets/readImage.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { lay, temporaryFolder } from './fixtures.ts'

const folder = lay(temporaryFolder(), {
  'n01443537/b.JPEG': 'bb',
  'n01443537/a.png': 'a',
  'n01440764/c.jpeg': 'ccc',
  'n01440764/notes.txt': 'not an image',
  'n01440764/.hidden.jpg': 'no',
  'n01440764/more/d.jpg': 'deeper',
  'n01443537/phone.HEIC': 'phone',
})

it('reads <wnid>/<file>, sorted, images only', async () => {
  const dataset = await openDataset({ name: folder })
  expect(dataset.samples.map(({ id, labels, label, bytes }) => [id, labels, label, bytes])).toEqual(
    [
      ['n01440764/c.jpeg', [0], 'n01440764', 3],
      ['n01443537/a.png', [1], 'n01443537', 1],
      ['n01443537/b.JPEG', [1], 'n01443537', 2],
      ['n01443537/phone.HEIC', [1], 'n01443537', 5],
    ],
  )
  expect(dataset.problems).toEqual([
    {
      id: 'n01440764/.hidden.jpg',
      code: 'hidden-file',
      message: 'hidden by the dot before its name: n01440764/.hidden.jpg',
    },
    {
      id: 'n01440764/more/d.jpg',
      code: 'no-class',
      message: 'not in a class folder: n01440764/more/d.jpg',
    },
  ])
  expect(Buffer.from(await readImage(dataset.samples[0]!.image)).toString()).toBe('ccc')
})

it('knows a class by its name, however its accents are written', async () => {
  const cafes = lay(temporaryFolder(), {
    'photos/cafe\u0301/a.jpg': 'a',
    'photos/th\u00e9/b.jpg': 'b',
    'classes.txt': 'caf\u00e9\nthe\u0301\n',
  })
  const dataset = await openDataset({ name: `${cafes}/photos`, classes: `${cafes}/classes.txt` })
  expect(dataset.samples.map(({ labels }) => labels)).toEqual([[0], [1]])
})

it('says what it expects of a folder without class folders', async () => {
  const empty = lay(temporaryFolder(), { 'a.jpg': 'a' })
  await expect(openDataset({ name: empty })).rejects.toThrow(
    `no class folders in ${empty}; images such as a.jpg are in no folder; expected <class>/<file>, or a table (CSV, JSONL, Parquet) with a row an image`,
  )
})

it('says what a folder without pictures holds', async () => {
  const bare = temporaryFolder()
  await expect(openDataset({ name: bare })).rejects.toThrow(
    `no images in ${bare}, which has no files; expected <class>/<file>`,
  )
  const texts = lay(temporaryFolder(), { 'cup/notes.txt': 'a' })
  await expect(openDataset({ name: texts })).rejects.toThrow(
    `no images in ${texts}, which has cup/notes.txt and no picture`,
  )
  const results = lay(temporaryFolder(), { 'predictions/a--b/0.parquet': 'a', 'runs/a.json': 'a' })
  await expect(openDataset({ name: results })).rejects.toThrow(
    'it holds results, and a data set is needed',
  )
})

it('reports a file that is gone, or not a file, when it is read', async () => {
  await expect(readImage({ kind: 'file', file: `${folder}/none.jpg` })).rejects.toMatchObject({
    code: 'missing-file',
  })
  await expect(readImage({ kind: 'file', file: folder })).rejects.toMatchObject({
    code: 'unreadable-file',
  })
})
