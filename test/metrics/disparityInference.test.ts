import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { designEffect } from '../../src/metrics/designEffect.ts'
import { pairDifference } from '../../src/metrics/disparity.ts'
import { exceedsDisparity, inferDisparity } from '../../src/metrics/disparityInference.ts'
import { miettinenNurminen } from '../../src/metrics/intervals.ts'
import { posteriorMeans } from '../../src/metrics/mixture.ts'
import { mean } from '../../src/metrics/numbers.ts'
import { equalityNull, rejectsEquality } from '../../src/metrics/permutationTest.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { shared, sharedPath } from '../helpers/shared.ts'

const group = (name: string, top1: number, n: number) => ({ group: name, top1, n })

describe('equalityNull', () => {
  it('gives the chance that a hypergeometric table gives', () => {
    const { p, expected } = equalityNull([group('a', 8, 10), group('b', 2, 10)], {
      seed: 3,
      draws: 40_000,
    })
    // P(|8 - 2| or more) of 10 of 20 dealt to 10: 2 (C(10,8)C(10,2) + C(10,9)C(10,1) + 1) / C(20,10)
    expect(Math.abs(p - (2 * (45 * 45 + 100 + 1)) / 184_756)).toBeLessThan(0.003)
    expect(Math.abs(expected - 0.1803)).toBeLessThan(0.01)
  })

  it('expects more from many small groups than from few large ones', () => {
    const even = (count: number, n: number) =>
      Array.from({ length: count }, (_, i) => group(`g${i}`, n / 2, n))
    const few = equalityNull(even(6, 1000), { seed: 1 })
    const many = equalityNull(even(37, 100), { seed: 1 })
    expect(few.expected).toBeCloseTo(2.534 * Math.sqrt(0.25 / 1000), 2)
    expect(many.expected).toBeGreaterThan(4 * few.expected)
    expect(few.p).toBe(1)
  })

  it('rejects equality in 5 % of samples when it holds', () => {
    const random = randomFrom(9)
    let rejected = 0
    for (let sample = 0; sample < 400; sample++) {
      const groups = [100, 150, 80, 200, 60].map((n, i) => {
        let top1 = 0
        for (let k = 0; k < n; k++) if (random() < 0.7) top1++
        return group(`g${i}`, top1, n)
      })
      if (equalityNull(groups, { seed: sample, draws: 200 }).p <= 0.05) rejected++
    }
    expect(rejected).toBeGreaterThan(400 * 0.02)
    expect(rejected).toBeLessThan(400 * 0.085)
  })

  it('is rejected at a level exactly where its p-value is at most that', () => {
    for (const level of [0.001, 0.02, 0.3])
      for (const top1 of [80, 70, 66, 60, 40]) {
        const groups = [group('a', 80, 100), group('b', top1, 100), group('c', 75, 100)]
        const { p } = equalityNull(groups, { seed: 4, draws: 999 })
        expect(rejectsEquality(groups, { seed: 4, draws: 999, level })).toBe(p <= level)
      }
  })

  it('keeps households together', () => {
    const clusters = Array.from({ length: 40 }, (_, i) => ({
      ...group(i % 2 ? 'a' : 'b', i % 4 < 2 ? 20 : 0, 20),
      cluster: `h${i}`,
    }))
    const groups = [group('a', 200, 400), group('b', 200, 400)]
    const apart = equalityNull(groups, { seed: 1 })
    const together = equalityNull(groups, { seed: 1 }, clusters)
    expect(together.unit).toBe('clusters')
    expect(together.expected / apart.expected).toBeCloseTo(Math.sqrt(20), 0)
  })

  it('refuses weighted counts', () => {
    expect(() => equalityNull([group('a', 0.5, 2), group('b', 1, 2)], { seed: 1 })).toThrow(
      'weights cannot be permuted',
    )
  })
})

describe('inferDisparity', () => {
  it('is null with a reason for one group or only small ones', () => {
    const none = { disparity: null, p: null, corrected: null, interval: null, expected: null }
    expect(inferDisparity([group('a', 5, 50)], { seed: 1 })).toMatchObject({
      ...none,
      reason: 'only one group with at least 30 images',
    })
    const small = inferDisparity([group('a', 5, 9), group('b', 0, 1), group('c', 0, 0)], {
      seed: 1,
    })
    expect(small).toMatchObject({
      ...none,
      leftOut: [{ group: 'a' }, { group: 'b' }, { group: 'c' }],
    })
  })

  it('takes groups of one, two groups, perfect scores and zeros', () => {
    for (const groups of [
      [group('a', 1, 1), group('b', 0, 1)],
      [group('a', 1, 1), group('b', 1, 1), group('c', 1, 1)],
      [group('a', 50, 50), group('b', 60, 60)],
      [group('a', 0, 50), group('b', 0, 60)],
      [group('a', 0, 50), group('b', 60, 60)],
    ]) {
      const { disparity, interval, p, corrected, expected } = inferDisparity(groups, {
        seed: 1,
        minN: 1,
      })
      for (const value of [disparity, p, corrected, expected, ...interval!]) {
        expect(value).toBeGreaterThanOrEqual(0)
        expect(value).toBeLessThanOrEqual(1)
      }
      expect(interval![0]).toBeLessThanOrEqual(corrected!)
      expect(interval![1]).toBeGreaterThanOrEqual(corrected!)
    }
    expect(
      inferDisparity([group('a', 0, 50), group('b', 60, 60)], { seed: 1 }).interval![0],
    ).toBeGreaterThan(0.8)
    expect(
      inferDisparity([group('a', 50, 50), group('b', 60, 60)], { seed: 1 }).interval![1],
    ).toBeLessThan(0.15)
  })

  it('never gives NaN, and orders its ends', () => {
    const cell = fc.record({
      n: fc.integer({ min: 1, max: 400 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(fc.array(cell, { minLength: 2, maxLength: 12 }), fc.integer(), (cells, seed) => {
        const groups = cells.map(({ n, part }, i) => group(`g${i}`, Math.round(part * n), n))
        const found = inferDisparity(groups, { seed, draws: 60, minN: 1 })
        const [low, high] = found.interval!
        return (
          0 <= low &&
          low <= found.corrected! &&
          found.corrected! <= high &&
          high <= 1 &&
          found.p! > 0 &&
          found.p! <= 1
        )
      }),
      { numRuns: 40 },
    )
  })

  it('finds a gap that is there and none that is not', () => {
    const gap = inferDisparity(
      [group('a', 1600, 2000), group('b', 1300, 2000), group('c', 1590, 2000)],
      { seed: 4 },
    )
    expect(gap.p).toBeLessThan(0.002)
    expect(gap.interval![0]).toBeGreaterThan(0.1)
    expect(gap.interval![1]).toBeLessThan(0.2)
    const none = inferDisparity(
      [group('a', 61, 100), group('b', 66, 100), group('c', 58, 100), group('d', 63, 100)],
      {
        seed: 4,
      },
    )
    expect(none.p).toBeGreaterThan(0.3)
    expect(none.interval![0]).toBe(0)
    expect(none.corrected).toBeLessThan(none.disparity!)
    expect(inferDisparity([group('a', 61, 100), group('b', 66, 100)], { seed: 4 })).toEqual(
      inferDisparity([group('a', 61, 100), group('b', 66, 100)], { seed: 4 }),
    )
  })

  it('widens with households and refuses those that do not add up', () => {
    const clusters = Array.from({ length: 120 }, (_, i) => ({
      ...group(i % 3 ? 'a' : 'b', (i * 7919) % 11 < 6 ? 10 : 1, 10),
      cluster: `h${i}`,
    }))
    const sums = ['a', 'b'].map(name => {
      const mine = clusters.filter(cluster => cluster.group === name)
      return group(
        name,
        mine.reduce((sum, c) => sum + c.top1, 0),
        mine.length * 10,
      )
    })
    const apart = inferDisparity(sums, { seed: 1 })
    const together = inferDisparity(sums, { seed: 1, clusters })
    expect(together.clusterCorrelation).toBeGreaterThan(0.7)
    expect(together.interval![1] - together.interval![0]).toBeGreaterThan(
      1.5 * (apart.interval![1] - apart.interval![0]),
    )
    expect(() => inferDisparity(sums, { seed: 1, clusters: clusters.slice(1) })).toThrow(
      'households of b have',
    )
  })
})

describe('miettinenNurminen', () => {
  it('gives the interval that Newcombe (1998, table II) prints', () => {
    const [low, high] = miettinenNurminen({ hits: 56, n: 70 }, { hits: 48, n: 80 })!
    expect(low).toBeCloseTo(0.0528, 4)
    expect(high).toBeCloseTo(0.3382, 4)
    expect(miettinenNurminen({ hits: 0, n: 0 }, { hits: 48, n: 80 })).toBeNull()
  })

  it('takes shares of 0 and 1', () => {
    expect(miettinenNurminen({ hits: 10, n: 10 }, { hits: 0, n: 10 })![1]).toBe(1)
    const [low, high] = miettinenNurminen({ hits: 10, n: 10 }, { hits: 10, n: 10 })!
    expect(low).toBeCloseTo(-high, 9)
    expect(high).toBeGreaterThan(0.2)
  })
})

describe('interval and p-value', () => {
  const random = randomFrom(17)
  const draw = (n: number, chance: number) => {
    let top1 = 0
    for (let i = 0; i < n; i++) if (random() < chance) top1++
    return top1
  }

  it.each([
    [6, 100, 0.99],
    [20, 100, 0.99],
    [6, 250, 0.99],
    [6, 150, 0.98],
    [6, 40, 0.965],
  ])('%d equal groups of %d images at accuracy %d: 0 is inside, as p says', (count, n, chance) => {
    let excluded = 0
    for (let sample = 0; sample < 60; sample++) {
      const groups = Array.from({ length: count }, (_, i) => group(`g${i}`, draw(n, chance), n))
      const { p, interval } = inferDisparity(groups, { seed: sample, draws: 200 })
      expect(interval![0] > 0).toBe(p! <= 0.05)
      if (interval![0] > 0) excluded++
    }
    expect(excluded).toBeLessThanOrEqual(9)
  })

  it('of two groups of 40 images with 24 right each leave a difference of 20 points possible', () => {
    const { interval } = inferDisparity([group('a', 24, 40), group('b', 24, 40)], { seed: 1 })
    expect(interval![0]).toBe(0)
    expect(interval![1]).toBeGreaterThan(0.19)
    const more = inferDisparity([group('a', 25, 40), group('b', 24, 40)], { seed: 1 }).interval!
    expect(more[1] - interval![1]).toBeLessThan(0.04)
  })
})

describe('households', () => {
  const countries = ['Europe', 'Africa', 'Asia']
  const home = (name: string, i: number, top1: number) => ({
    ...group(name, top1, 20),
    cluster: `${name}-${i}`,
  })
  const totals = (clusters: readonly { group: string; n: number; top1: number }[]) =>
    countries.map(name => {
      const mine = clusters.filter(cluster => cluster.group === name)
      return group(
        name,
        mine.reduce((sum, c) => sum + c.top1, 0),
        mine.reduce((sum, c) => sum + c.n, 0),
      )
    })

  it('give no interval, but the reason, where a group has only one', () => {
    const clusters = countries.map((name, i) => home(name, 0, 6 * i))
    const found = inferDisparity(totals(clusters), { seed: 1, minN: 1, clusters })
    expect(found).toMatchObject({ disparity: 0.6, interval: null, corrected: null })
    expect(found.reason).toBe('no interval: all images of Europe are of one household')
    expect(pairDifference(totals(clusters), { pair: ['Asia', 'Africa'], clusters })).toMatchObject({
      value: 0.3,
      interval: null,
      reason: 'no interval: all images of Africa are of one household',
    })
  })

  it('widen the difference of two groups as much as their households differ', () => {
    const clusters = countries.flatMap(name =>
      Array.from({ length: 30 }, (_, i) => home(name, i, i % 3 === 0 ? 2 : 18)),
    )
    const groups = totals(clusters)
    const width = (interval: readonly [number, number] | null) => interval![1] - interval![0]
    const apart = width(pairDifference(groups).interval)
    const together = width(pairDifference(groups, { clusters }).interval)
    expect(together).toBeGreaterThan(2.5 * apart)
    expect(pairDifference(groups, { confidence: 0.95 })).toEqual(pairDifference(groups))
  })

  it('are judged by their own group where correlations differ', () => {
    const clusters = countries.flatMap((name, g) =>
      Array.from({ length: 60 }, (_, i) => home(name, i, g === 0 ? (i % 2) * 20 : 9 + (i % 3))),
    )
    const { byGroup } = designEffect(clusters)
    expect(byGroup.get('Europe')).toBeGreaterThan(14)
    expect(byGroup.get('Africa')).toBeLessThan(3)
  })
})

describe('designEffect', () => {
  it('is 1 for single images and the cluster size for identical ones', () => {
    const single = Array.from({ length: 50 }, (_, i) => ({
      ...group('a', i % 2, 1),
      cluster: `${i}`,
    }))
    expect(designEffect(single).byGroup.get('a')).toBe(1)
    const same = Array.from({ length: 50 }, (_, i) => ({
      ...group('a', i % 2 ? 4 : 0, 4),
      cluster: `${i}`,
    }))
    expect(designEffect(same).correlation).toBeCloseTo(1, 12)
    expect(designEffect(same).byGroup.get('a')! / 4).toBeGreaterThan(1)
    expect(designEffect(same).byGroup.get('a')! / 4).toBeLessThan(1.2)
    expect(designEffect([]).correlation).toBe(0)
    const only = designEffect([{ ...group('a', 3, 5), cluster: 'only' }])
    expect(only.reason).toBe('no interval: all images of a are of one household')
    expect(only.byGroup.get('a')).toBeCloseTo(1 + 4 * 0.3, 12)
  })
})

describe('posteriorMeans', () => {
  it('are numbers for any number of images', () => {
    const means = posteriorMeans(
      Float64Array.of(0.01, 0.5137, 0.99),
      new Float64Array(3).fill(1e10),
    )
    for (const [i, x] of [0.01, 0.5137, 0.99].entries())
      expect(Math.abs(means[i]! - x)).toBeLessThan(0.007)
  })

  it('collapses equal groups and keeps camps apart', () => {
    const random = randomFrom(2)
    const noisy = (center: number) =>
      center + 0.01 * (random() + random() + random() + random() - 2) * Math.sqrt(3)
    const n = new Float64Array(40).fill(2500)
    const equal = posteriorMeans(
      Float64Array.from({ length: 40 }, () => noisy(0.5)),
      n,
    )
    expect(Math.max(...equal) - Math.min(...equal)).toBeLessThan(0.01)
    const camps = posteriorMeans(
      Float64Array.from({ length: 40 }, (_, i) => noisy(i < 20 ? 0.4 : 0.6)),
      n,
    )
    expect(mean(camps.subarray(0, 20))).toBeCloseTo(0.4, 2)
    expect(mean(camps.subarray(20))).toBeCloseTo(0.6, 2)
    expect(Math.min(...camps.subarray(20)) - Math.max(...camps.subarray(0, 20))).toBeGreaterThan(
      0.17,
    )
    expect([...posteriorMeans(Float64Array.of(0.3, 0.3), n.subarray(0, 2))]).toEqual([0.3, 0.3])
  })
})

// GeoDE's test metadata lie beside the repository, not in it.
describe.skipIf(!shared)("GeoDE's groups under equal accuracy", () => {
  const counts = (part: number) => {
    const sizes = new Map<string, number>()
    for (const line of readFileSync(sharedPath('data/geode/metadata_test_1k.csv'), 'utf8')
      .trim()
      .split('\n')
      .slice(1)) {
      const name = line.split(',')[part]!
      sizes.set(name, (sizes.get(name) ?? 0) + 1)
    }
    return [...sizes].map(([name, n]) => group(name, Math.round(n / 2), n))
  }
  const [region, country] = [3, 4]

  it.each([
    ['six regions', region, 1, 6, 0.03],
    ['countries of 30 images or more', country, 30, 20, 0.125],
    ['all countries', country, 1, 37, 0.98],
  ])('%s show a disparity', (_, part, minN, groups, expected) => {
    const kept = counts(part).filter(cell => cell.n >= minN)
    expect(kept).toHaveLength(groups)
    expect(Math.abs(equalityNull(kept, { seed: 1 }).expected - expected)).toBeLessThan(0.015)
  })
})

describe('exceedsDisparity', () => {
  it('is whether the lower end of the interval at that level is beyond the limit', () => {
    for (const level of [0.01, 0.2])
      for (const sizes of [
        [120, 90],
        [120, 90, 200, 60],
      ])
        for (const lost of [0, 20, 45]) {
          const groups = sizes.map((n, i) =>
            group(`g${i}`, Math.round(0.8 * n) - (i === 1 ? lost : 0), n),
          )
          const options = { seed: 2, draws: 500 }
          const { interval } = inferDisparity(groups, { ...options, confidence: 1 - level })
          for (const limit of [0, 0.05, 0.2, 0.4])
            expect(exceedsDisparity(groups, limit, { ...options, level })).toBe(
              interval![0] > limit,
            )
        }
  })
})
