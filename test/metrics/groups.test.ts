import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { accuracy, accuracyByGroup, groupBy, macroAccuracy } from '../../src/metrics/accuracy.ts'
import { disparity, pairDifference } from '../../src/metrics/disparity.ts'
import { binomialCdf } from '../../src/metrics/distributions.ts'
import { newcombe, shareInterval, wilson } from '../../src/metrics/intervals.ts'
import { shared } from '../helpers/shared.ts'
import { type GroupTruth, outcomes } from './golden.ts'

const groups = (...rows: [group: string, top1: number, n: number][]) =>
  rows.map(([group, top1, n]) => ({ group, top1, n }))

describe('accuracy', () => {
  it('is null with a reason for an empty cell', () => {
    expect(accuracy({ n: 0, top1: 0, errors: 4 })).toMatchObject({
      top1: null,
      interval: null,
      reason: 'all 4 images failed',
    })
    expect(accuracy({ n: 0, top1: 0 })).toMatchObject({
      top1: null,
      top5: null,
      reason: 'no images',
    })
  })

  it('gives both accuracies with intervals', () => {
    const row = accuracy({ n: 200, top1: 90, top5: 200, errors: 3 })
    expect(row).toMatchObject({ top1: 0.45, top5: 1, errors: 3, reason: null })
    expect(row.interval![0]).toBeLessThan(0.45)
    expect(row.interval5![1]).toBe(1)
    expect(row.interval5![0]).toBeLessThan(1)
  })

  it('takes a group of one', () => {
    expect(wilson(1, 1)![0]).toBeCloseTo(0.2065493143772375, 12)
    const [low, high] = accuracy({ n: 1, top1: 1 }).interval!
    expect(low).toBeCloseTo(0.1635, 4)
    expect(high).toBe(1)
  })

  it.each([
    [{ n: 3, top1: 4 }],
    [{ n: Number.NaN, top1: 0 }],
    [{ n: 3, top1: Number.NaN }],
    [{ n: 3, top1: 2, top5: 1 }],
    [{ n: 3, top1: 2, errors: -1 }],
    [{ n: Infinity, top1: 2 }],
  ])('refuses impossible counts %j', counts => {
    expect(() => accuracy(counts)).toThrow(/impossible counts/)
  })

  it('refuses duplicate groups and names them', () => {
    expect(() => accuracyByGroup(groups(['Asia', 1, 2], ['Asia', 1, 2]))).toThrow(
      'duplicate group: Asia',
    )
  })

  it('averages classes, not images, in macro', () => {
    expect(
      macroAccuracy([
        { n: 10, top1: 10 },
        { n: 990, top1: 0 },
        { n: 0, top1: 0 },
      ]),
    ).toEqual({ value: 0.5, classes: 2, reason: null })
    expect(macroAccuracy([{ n: 0, top1: 0 }])).toMatchObject({
      value: null,
      reason: 'no class has images',
    })
  })

  it('groups a cube by intersections', () => {
    const cell = (region: string, income: string | null, top1: number) => ({
      groups: { region, income },
      n: 10,
      top1,
      errors: 1,
    })
    const cube = [
      cell('Asia', 'Q1', 3),
      cell('Asia', 'Q1', 5),
      cell('Asia', 'Q2', 1),
      cell('Africa', null, 7),
    ]
    const { groups: cells, unknown } = groupBy(cube, ['region', 'income'])
    expect(cells.map(c => [c.group, c.n, c.top1, c.errors])).toEqual([
      ['Asia × Q1', 20, 8, 2],
      ['Asia × Q2', 10, 1, 1],
    ])
    expect(unknown).toMatchObject({ n: 10, top1: 7, errors: 1 })
    expect(cells[0]!.top5).toBeUndefined()
  })
})

describe('wilson', () => {
  it('contains the share, stays in 0 … 1 and shrinks with n', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1e6 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (n, part) => {
          const hits = Math.round(part * n)
          const [low, high] = wilson(hits, n)!
          const [low4, high4] = wilson(4 * hits, 4 * n)!
          return (
            low >= 0 &&
            low <= hits / n &&
            high >= hits / n &&
            high <= 1 &&
            high4 - low4 <= high - low
          )
        },
      ),
    )
  })

  it('is symmetric', () => {
    const [low, high] = wilson(3, 40)!
    const mirrored = wilson(37, 40)!
    expect(mirrored[0]).toBeCloseTo(1 - high, 14)
    expect(mirrored[1]).toBeCloseTo(1 - low, 14)
  })

  it('covers shares near 1 where it is widened', () => {
    for (const n of [20, 30, 60, 100, 400]) {
      const shares = Array.from({ length: 199 }, (_, i) => 0.5 + i * 0.0025)
      const coverage = (interval: typeof wilson): number =>
        Math.min(
          ...shares.map(share => {
            let covered = 0
            for (let hits = 0; hits <= n; hits++) {
              const [low, high] = interval(hits, n)!
              if (low <= share && share <= high)
                covered += binomialCdf(hits, n, share) - binomialCdf(hits - 1, n, share)
            }
            return covered
          }),
        )
      expect(coverage(shareInterval)).toBeGreaterThan(0.929)
      expect(coverage(wilson)).toBeLessThanOrEqual(coverage(shareInterval))
    }
    expect(shareInterval(212, 500)).toEqual(wilson(212, 500))
    expect(shareInterval(0, 0)).toBeNull()
    expect(shareInterval(3.5, 7.25)![0]).toBeLessThan(wilson(3.5, 7.25)![0])
  })

  it('refuses a bad confidence', () => {
    expect(() => wilson(1, 2, 95)).toThrow('confidence 95 is not between 0 and 1')
  })

  it("gives Newcombe's published example", () => {
    const [low, high] = newcombe({ hits: 56, n: 70 }, { hits: 48, n: 80 })!
    expect(low).toBeCloseTo(0.0524, 4)
    expect(high).toBeCloseTo(0.3339, 4)
  })
})

describe('disparity', () => {
  it('compares large groups and lists the small', () => {
    const result = disparity(groups(['Europe', 80, 100], ['Africa', 60, 100], ['Oceania', 1, 29]))
    expect(result).toMatchObject({
      best: 'Europe',
      worst: 'Africa',
      groups: 2,
      leftOut: [{ group: 'Oceania', n: 29 }],
    })
    expect(result.disparity).toBeCloseTo(0.2, 12)
    expect(result.ratio).toBeCloseTo(0.75, 12)
  })

  it('is null with a reason for fewer than two groups', () => {
    expect(disparity([])).toMatchObject({
      disparity: null,
      reason: 'no group with at least 30 images',
    })
    expect(disparity(groups(['Asia', 20, 40], ['Africa', 2, 4]))).toMatchObject({
      disparity: null,
      best: null,
      groups: 1,
    })
    expect(disparity(groups(['Asia', 0, 0], ['Africa', 2, 4]), 0).reason).toBe(
      'only one group with at least 0 images',
    )
  })

  it('is 0 where all are equal, and has no ratio where all are 0', () => {
    expect(disparity(groups(['a', 40, 40], ['b', 50, 50]))).toMatchObject({
      disparity: 0,
      ratio: 1,
      best: 'a',
      worst: 'b',
    })
    expect(disparity(groups(['a', 0, 40], ['b', 0, 50]))).toMatchObject({
      disparity: 0,
      ratio: null,
    })
  })

  it('lies between 0 and 1 and does not depend on the order', () => {
    const cell = fc.record({
      n: fc.integer({ min: 0, max: 300 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.array(cell, { maxLength: 12 }), cells => {
        const rows = cells.map(({ n, part }, i) => ({
          group: `g${i}`,
          n,
          top1: Math.floor(part * n),
        }))
        const forward = disparity(rows, 10).disparity
        return (
          forward === disparity(rows.toReversed(), 10).disparity &&
          (forward === null || (forward >= 0 && forward <= 1))
        )
      }),
    )
  })

  it('names the missing group of a pair', () => {
    expect(pairDifference(groups(['Europe', 1, 2]))).toEqual({
      value: null,
      interval: null,
      reason: 'no group Africa',
    })
    expect(pairDifference(groups(['Europe', 1, 2], ['Africa', 0, 0])).reason).toBe(
      'no images in Africa',
    )
    expect(pairDifference(groups(['x', 1, 2], ['y', 0, 2]), { pair: ['y', 'x'] }).value).toBe(-0.5)
  })
})

// The golden cases lie beside the repository, not in it.
describe.skipIf(!shared)('golden outcomes', () => {
  it('gives accuracies, Wilson bounds and disparities to 1e-9', () => {
    const { images, correct, expected } = outcomes()
    for (const [model, truth] of Object.entries(expected.models)) {
      const hits = correct.get(model)!
      expect(Math.abs(hits.reduce((a, b) => a + b, 0) / hits.length - truth.accuracy)).toBeLessThan(
        1e-9,
      )
      for (const column of ['region', 'country', 'income'] as const) {
        const cube = images.map((image, i) => ({
          groups: { [column]: image[column] },
          n: 1,
          top1: hits[i]!,
        }))
        const { groups: cells } = groupBy(cube, [column])
        expectGroups([...cells], truth[column])
        if (column === 'region') {
          expect(Math.abs(pairDifference(cells).value! - truth.europe_minus_africa)).toBeLessThan(
            1e-9,
          )
        }
      }
    }
  })
})

function expectGroups(
  cells: { group: string; n: number; top1: number }[],
  truth: GroupTruth,
): void {
  const rows = accuracyByGroup(cells)
  expect(rows.map(row => row.group).sort()).toEqual(Object.keys(truth.n).sort())
  for (const row of rows) {
    expect(row.n).toBe(truth.n[row.group])
    expect(Math.abs(row.top1! - truth.accuracy[row.group]!)).toBeLessThan(1e-9)
    for (const end of [0, 1] as const) {
      expect(Math.abs(row.interval![end] - truth.wilson95[row.group]![end])).toBeLessThan(1e-9)
    }
  }
  const ours = disparity(cells)
  expect(ours).toMatchObject({ best: truth.best, worst: truth.worst })
  expect(Math.abs(ours.disparity! - truth.disparity)).toBeLessThan(1e-9)
  expect(Math.abs(ours.ratio! - truth.ratio)).toBeLessThan(1e-9)
}
