import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placeLabels, spreadPositions } from '../../../src/report/figures/labels.ts'
import { roundDomain } from '../../../src/report/figures/axisDomain.ts'

describe('spread', () => {
  it('leaves labels that do not touch where they want to be', () => {
    expect(spreadPositions([10, 50, 90], [10, 10, 10], [0, 100])).toEqual([10, 50, 90])
  })

  it('keeps labels apart, in order and inside', () => {
    const labels = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(labels, wanted => {
        const heights = wanted.map(() => 12)
        const placed = spreadPositions(wanted, heights, [0, 100])
        const sorted = [...placed].sort((a, b) => a - b)
        expect(Math.min(...placed)).toBeGreaterThanOrEqual(6 - 1e-9)
        expect(Math.max(...placed)).toBeLessThanOrEqual(94 + 1e-9)
        for (const [i, value] of sorted.slice(1).entries())
          expect(value - sorted[i]!).toBeGreaterThanOrEqual(12 - 1e-9)
        for (const [i, a] of wanted.entries())
          for (const [j, b] of wanted.entries())
            if (a < b) expect(placed[i]!).toBeLessThan(placed[j]!)
      }),
    )
  })
})

describe('besidePoints', () => {
  const area = { width: 300, height: 100, size: 10, radius: 4 }

  it('labels apart points on their right', () => {
    const placed = placeLabels(
      [
        { x: 20, y: 20, text: 'a' },
        { x: 150, y: 80, text: 'b' },
      ],
      area,
    )
    expect(placed.map(({ text, align }) => [text, align])).toEqual([
      ['a', 'left'],
      ['b', 'left'],
    ])
  })

  it('turns to the left at the right edge', () => {
    expect(placeLabels([{ x: 290, y: 50, text: 'a long name' }], area)[0]!.align).toBe('right')
  })

  it('leaves a label out rather than cover another', () => {
    const crowd = Array.from({ length: 30 }, (_, i) => ({
      x: 150 + (i % 6),
      y: 50 + (i % 5),
      text: `point ${i}`,
    }))
    expect(placeLabels(crowd, area).length).toBeLessThan(8)
  })

  it('keeps clear of obstacles', () => {
    const wall = Array.from({ length: 40 }, (_, i) => ({ x: 30, y: 2.5 * i }))
    const placed = placeLabels([{ x: 20, y: 50, text: 'wide label' }], area, wall)
    expect(placed).toEqual([])
  })
})

describe('roundBounds', () => {
  it('ends on ticks around all values', () => {
    const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), {
      minLength: 1,
      maxLength: 20,
    })
    fc.assert(
      fc.property(values, numbers => {
        const { domain, values } = roundDomain(numbers, [0, 100])
        expect(domain[0]).toBeLessThanOrEqual(Math.min(...numbers))
        expect(domain[1]).toBeGreaterThanOrEqual(Math.max(...numbers))
        expect(values[0]).toBe(domain[0])
        expect(values.at(-1)).toBe(domain[1])
        expect(domain[0]).toBeGreaterThanOrEqual(0)
        expect(domain[1]).toBeLessThanOrEqual(100)
        expect(values.length).toBeLessThanOrEqual(7)
      }),
    )
  })
})
