import { describe, expect, it } from 'vitest'
import type { Dataset } from '../../src/datasets/dataset.ts'
import type { ImageSource } from '../../src/lib/archive/member.ts'
import { shuffleWithinRegions, regionRanges } from '../../src/datasets/evaluationOrder.ts'
import { intersectRanges } from '../../src/lib/ranges.ts'
import { ownDataset } from './ownDataset.ts'

function dataset(kind: ImageSource['kind'], regions: readonly (string | null)[]): Dataset {
  const image = { kind, file: 'x', column: 'image', row: 0, offset: 0, length: 1 } as ImageSource
  const items = regions.map((region, i) => ({
    id: `${i}.jpg`,
    image,
    labels: [0],
    label: 'cup',
    groups: { region },
  }))
  return ownDataset(items, ['region'])
}

const regions = Array.from({ length: 300 }, (_, i) => ['Europe', 'Africa', null][i % 3]!)

describe('the visiting order', () => {
  it('holds every image once, region after region, whatever the order of the files', () => {
    const files = dataset('file', regions)
    const visited = shuffleWithinRegions(files)
    expect(new Set(visited.samples.map(({ id }) => id)).size).toBe(300)
    expect(regionRanges(visited)).toEqual([
      { start: 0, end: 100 },
      { start: 100, end: 200 },
      { start: 200, end: 300 },
    ])
    expect(
      shuffleWithinRegions({ ...files, samples: [...files.samples].reverse() }).samples,
    ).toEqual(visited.samples)
    expect(shuffleWithinRegions(visited)).toBe(visited)
  })

  it('is random within a region: the first half holds about half of either end of the files', () => {
    const { samples: items } = shuffleWithinRegions(
      dataset('file', new Array<null>(2000).fill(null)),
    )
    const early = items.slice(0, 1000).filter(({ id }) => Number.parseInt(id) < 1000).length
    expect(Math.abs(early - 500)).toBeLessThan(60)
  })

  it('leaves images inside Parquet files in their order, as one stratum', () => {
    const files = dataset('parquet', regions)
    expect(shuffleWithinRegions(files)).toBe(files)
    expect(regionRanges(files)).toEqual([{ start: 0, end: 300 }])
  })

  it('cuts what is missing at the borders of strata', () => {
    const parts = [
      { start: 0, end: 10 },
      { start: 10, end: 30 },
    ]
    expect(
      intersectRanges(
        [
          { start: 4, end: 12 },
          { start: 20, end: 25 },
        ],
        parts,
      ),
    ).toEqual([
      { start: 4, end: 10 },
      { start: 10, end: 12 },
      { start: 20, end: 25 },
    ])
  })
})
