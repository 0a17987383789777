import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDataset } from '../../src/datasets/open.ts'
import { lay, makeZip, photo, temporaryFolder } from './fixtures.ts'

const root = temporaryFolder()

const table = async (name: string, text: string | Buffer) => {
  const file = join(root, name)
  await writeFile(file, text)
  return openDataset({ name: file })
}

describe('tables as people write them', () => {
  it('a wnid before a name is the class', async () => {
    const { samples } = await table(
      'wnids.csv',
      'image,label\na.jpg,"n01440764 tench, Tinca tinca"\nb.jpg,n01491361_tiger_shark\nc.jpg,n01498041: stingray\n',
    )
    expect(samples.map(({ labels }) => labels)).toEqual([[0], [3], [6]])
  })

  it('dashes, question marks and `unknown` are missing groups, as None and nan are', async () => {
    const words = ['-', '--', '?', 'unknown', 'Unknown', 'n.a.', 'None', 'nan']
    const { samples } = await table(
      'missing.csv',
      `image,label,region\na.jpg,tench,Africa\n${words.map((word, i) => `${i}.jpg,tench,${word}\n`).join('')}`,
    )
    expect(samples.map(({ groups }) => groups['region'])).toEqual([
      'Africa',
      ...words.map(() => null),
    ])
  })

  it('points between thousands and decimal commas are numbers', async () => {
    const { samples } = await table(
      'thousands.csv',
      'image;label;income\na.jpg;tench;1.100,5\nb.jpg;tench;99,25\nc.jpg;tench;12.000\n',
    )
    expect(samples.map(({ groups }) => groups['income'])).toEqual([1100.5, 99.25, 12000])
  })

  it('say what to do where they cannot be read', async () => {
    const latin = Buffer.from('image,label,region\na.jpg,tench,C\xf4te\n', 'latin1')
    await expect(table('latin.csv', latin)).rejects.toThrow('line 2 is not UTF-8; save it as UTF-8')
    for (const [name, remedy] of [
      ['rows.csv.bz2', 'uncompress it'],
      ['photos.tgz', 'uncompress it'],
      ['photos.7z', 'unpack it, or pack it as .zip or .tar'],
    ] as const)
      await expect(table(name, '')).rejects.toThrow(remedy)
  })
})

describe('class folders', () => {
  it('are found below single folders, whatever else lies beside these', async () => {
    const files = {
      'my data/train/n01440764/a.jpg': photo(1),
      'my data/train/n01491361/b.jpg': photo(2),
      'my data/readme.txt': 'hello',
      'my data/.DS_Store': 'litter',
      '__MACOSX/my data/._train': 'litter',
    }
    const members = Object.entries(files).map(([path, content]) => ({ name: path, content }))
    for (const name of [lay(join(root, 'wrapped'), files), join(root, 'wrapped.zip')]) {
      if (name.endsWith('.zip')) await writeFile(name, makeZip(members))
      const { samples } = await openDataset({ name })
      expect(samples.map(({ id, labels }) => [id, labels])).toEqual([
        ['n01440764/a.jpg', [0]],
        ['n01491361/b.jpg', [3]],
      ])
    }
  })

  it('that lie deeper are named', async () => {
    const name = lay(join(root, 'deep'), {
      'train/n01440764/a.jpg': photo(1),
      'val/n01440764/b.jpg': photo(2),
    })
    await expect(openDataset({ name })).rejects.toThrow(
      'images lie deeper, as train/n01440764/a.jpg does: name the folder that holds the class folders',
    )
  })
})
