import { expect, it } from 'vitest'
import { readImage } from '../../src/datasets/images.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { lay, temporaryFolder } from './fixtures.ts'

const folder = lay(temporaryFolder(), {
  'n01443537/b.JPEG': 'bb',
  'n01443537/a.png': 'a',
  'n01440764/c.jpeg': 'ccc',
  'n01440764/notes.txt': 'not an image',
  'n01440764/.hidden.jpg': 'no',
})

it('reads <wnid>/<file>, sorted, images only', async () => {
  const dataset = await openDataset({ name: folder })
  expect(dataset.items.map(({ id, labels, label, bytes }) => [id, labels, label, bytes])).toEqual([
    ['n01440764/c.jpeg', [0], 'n01440764', 3],
    ['n01443537/a.png', [1], 'n01443537', 1],
    ['n01443537/b.JPEG', [1], 'n01443537', 2],
  ])
  expect(Buffer.from(await readImage(dataset.items[0]!.image)).toString()).toBe('ccc')
})

it('says what it expects of a folder without class folders', async () => {
  const empty = lay(temporaryFolder(), { 'a.jpg': 'a' })
  await expect(openDataset({ name: empty })).rejects.toThrow(
    `no class folders in ${empty}; expected <class>/<file>, or a table (CSV, JSONL, Parquet) with a row an image`,
  )
})

it('reports a file that is gone, or not a file, when it is read', async () => {
  await expect(readImage({ kind: 'file', file: `${folder}/none.jpg` })).rejects.toMatchObject({ code: 'missing-file' })
  await expect(readImage({ kind: 'file', file: folder })).rejects.toMatchObject({ code: 'unreadable-file' })
})
