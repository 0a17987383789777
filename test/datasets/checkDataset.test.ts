import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { checkDataset } from '../../src/datasets/checkDataset.ts'
import { openDataset } from '../../src/datasets/open.ts'
import { lay, makeZip, temporaryFolder } from './fixtures.ts'

const jpeg = await sharp({ create: { width: 40, height: 30, channels: 3, background: '#369' } })
  .jpeg()
  .toBuffer()

describe('checking a data set', () => {
  const row = (file: string, object: string, region: string, country: string): string =>
    `${file},${object},${region},${country}`
  const index = [
    'file_path,object,region,ip_country',
    row('a.jpg', 'stove', 'Africa', 'Kenya'),
    row('b.jpg', 'stove', 'Africa', 'Nigeria'),
    row('c.jpg', 'bag', 'Europe', 'Spain'),
    row('gone.jpg', 'bag', 'Europe', 'Spain'),
    row('cut.jpg', 'tree', 'Europe', 'Spain'),
    row('text.jpg', 'bag', 'Europe', 'Spain'),
    row('ufo.jpg', 'ufo', 'Europe', 'Spain'),
    '',
  ].join('\n')
  const files: Record<string, string | Buffer> = {
    'geode/index.csv': index,
    'geode/images/a.jpg': jpeg,
    'geode/images/b.jpg': jpeg,
    'geode/images/c.jpg': jpeg,
    'geode/images/cut.jpg': jpeg.subarray(0, jpeg.length / 2),
    'geode/images/text.jpg': 'this is no picture',
  }
  const zip = makeZip(
    Object.entries(files).map(([name, content]) => ({ name, content, deflate: true })),
  )
  it.each([
    ['folder', lay(temporaryFolder(), files)],
    ['zip', lay(temporaryFolder(), { 'geode.zip': zip })],
  ])(
    'counts by class and place and names what is missing, unreadable or unknown: %s',
    async (_, data) => {
      const seen: number[] = []
      const check = await checkDataset(await openDataset({ name: 'geode', data }), {
        onProgress: done => seen.push(done),
      })
      expect(check.images).toBe(6)
      expect(check.counts).toEqual({
        class: [
          { value: 'bag', images: 3 },
          { value: 'stove', images: 2 },
          { value: 'tree', images: 1 },
        ],
        region: [
          { value: 'Europe', images: 4 },
          { value: 'Africa', images: 2 },
        ],
        country: [
          { value: 'Spain', images: 4 },
          { value: 'Kenya', images: 1 },
          { value: 'Nigeria', images: 1 },
        ],
      })
      expect(check.unmapped).toBe(1)
      expect(check.missing).toEqual(['gone.jpg'])
      expect(check.unreadable.map(({ id, code }) => [id, code])).toEqual([
        ['cut.jpg', 'truncated'],
        ['text.jpg', 'unknown-format'],
      ])
      expect(check.problems.map(({ id, code }) => [id, code])).toEqual([
        ['ufo.jpg', 'unknown-class'],
      ])
      expect(check.differences).toEqual([
        '6 images, 61940 expected',
        '3 classes, 40 expected',
        '2 regions, 6 expected',
      ])
      expect(seen.at(-1)).toBe(5)
    },
  )

  it('looks files up only when asked, and names classes with too few images', async () => {
    const data = lay(temporaryFolder(), { 'imagenet/val/n01440764/a.JPEG': 'not decoded' })
    const check = await checkDataset(await openDataset({ name: 'imagenet-1k', data }), {
      decode: false,
    })
    expect(check.unreadable).toEqual([])
    expect(check.differences).toEqual([
      '1 images, 50000 expected',
      '1 classes, 1000 expected',
      '1 classes without 50 images: n01440764 1',
    ])
  })

  it('expects nothing of a manifest', async () => {
    const data = lay(temporaryFolder(), { 'm.csv': 'image,label\na.jpg,0\n' })
    expect((await checkDataset(await openDataset({ name: `${data}/m.csv` }))).differences).toEqual(
      [],
    )
  })
})
