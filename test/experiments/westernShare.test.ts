import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  largestSize,
  drawWesternSample,
  westernShares,
} from '../../src/experiments/westernShare.ts'
import { isWestern } from '../../src/datasets/labels/regions.ts'

const regionsOf = (counts: Record<string, number>) =>
  Object.entries(counts).flatMap(([region, count]) => Array<string>(count).fill(region))

const regions = regionsOf({ Europe: 40, Americas: 30, Asia: 50, Africa: 20 })
const westernCount = (sample: readonly number[]) =>
  sample.filter(i => isWestern(regions[i]!)).length

describe('western shares', () => {
  it('keep the size and hit the share', () => {
    const size = largestSize(regions, westernShares)
    expect(size).toBe(70)
    for (const share of westernShares) {
      const sample = drawWesternSample(regions, { size, share, seed: 1 })
      expect(new Set(sample).size).toBe(size)
      expect(westernCount(sample)).toBe(Math.round(share * size))
    }
  })

  it('keep the western images of a smaller share and lose other ones', () => {
    const [half, more] = [0.5, 0.8].map(
      share => new Set(drawWesternSample(regions, { size: 60, share, seed: 5 })),
    )
    expect([...half!].filter(i => isWestern(regions[i]!)).every(i => more!.has(i))).toBe(true)
    expect([...more!].filter(i => !isWestern(regions[i]!)).every(i => half!.has(i))).toBe(true)
  })

  it('depend on the seed', () => {
    const sample = (seed: number) => drawWesternSample(regions, { size: 60, share: 0.5, seed })
    expect(sample(1)).toEqual(sample(1))
    expect(sample(1)).not.toEqual(sample(2))
  })

  it('have a largest size that is the largest', () => {
    fc.assert(
      fc.property(
        fc.nat(30),
        fc.nat(30),
        fc.constantFrom(0, 0.3, 0.5, 0.55, 0.9, 1),
        (western, other, share) => {
          const rows = regionsOf({ Europe: western, Asia: other })
          const size = largestSize(rows, [share])
          const draw = (count: number) =>
            drawWesternSample(rows, { size: count, share, seed: 1 }).length
          if (size > 0) expect(draw(size)).toBe(size)
          expect(() => draw(size + 1)).toThrow(/needs|no (non-)?western images/)
        },
      ),
    )
  })

  it('say what is wrong', () => {
    const draw =
      (share: number, size = 60, rows: (string | null)[] = regions) =>
      () =>
        drawWesternSample(rows, { size, share, seed: 1 })
    expect(draw(0.9, 80)).toThrow(
      'a western share of 0.9 of 80 images needs 72 western ones, there are 70; the largest size is 78',
    )
    expect(draw(0.5, 4, ['Europe', 'Europe'])).toThrow(
      'no non-western images for a western share of 0.5',
    )
    expect(draw(0.5, 1, ['Europe', null])).toThrow('image 2 of 2 has no region')
    expect(draw(1.1)).toThrow('western share 1.1 is not between 0 and 1')
    expect(draw(0.5, 0)).toThrow('size 0 is not a number of images')
  })
})
