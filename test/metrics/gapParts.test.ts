import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decomposeGap } from '../../src/metrics/decomposition.ts'
import { betaQuantile, fUpper } from '../../src/metrics/distributions.ts'
import { gapParts, type StratumCounts } from '../../src/metrics/gapParts.ts'
import { incomeSlopes } from '../../src/metrics/incomeSlopes.ts'
import { macroEstimate, worstMean } from '../../src/metrics/macroMean.ts'
import { shrunkenShares } from '../../src/metrics/shrinkage.ts'
import { randomFrom } from '../../src/lib/random.ts'

/** Fixed values of statsmodels 0.15 and SciPy 1.17 with their input. */
const golden = JSON.parse(
  readFileSync(new URL('./incomeAndShrinkage.json', import.meta.url), 'utf8'),
) as {
  points: [string, number, number, number, string][]
  slopes: [number, number][]
  interactionP: number
  independent: [number, number]
  cells: [number, number][]
  shrunken: number[]
}

const cell = (group: string, strata: string[], n: number, top1: number): StratumCounts => ({
  group,
  strata,
  n,
  top1,
})

describe('parts of a gap', () => {
  const cells = [
    cell('A', ['cup'], 80, 72),
    cell('A', ['bed'], 20, 8),
    cell('B', ['cup'], 30, 24),
    cell('B', ['bed'], 70, 21),
  ]

  it('by one column are Kitagawa’s, and add up', () => {
    const found = gapParts(cells, ['A', 'B'])
    const known = decomposeGap(
      cells.map(({ strata, ...counts }) => ({ ...counts, class: strata[0]! })),
      ['A', 'B'],
    )
    expect(found.gap.value).toBeCloseTo(known.gap!, 12)
    expect(found.parts[0]!.value).toBeCloseTo(known.mix!, 12)
    expect(found.left.value).toBeCloseTo(known.within!, 12)
    expect(found.unmatched).toBeCloseTo(0, 12)
    expect(found.ahead).toEqual([2, 0])
    const [low, high] = found.parts[0]!.interval!
    expect(low).toBeGreaterThan(0.1)
    expect(high).toBeLessThan(0.5)
  })

  it('change sign with the groups, and by two columns do not depend on their order', () => {
    const two = (swap: boolean): StratumCounts[] =>
      ['A', 'B'].flatMap(group =>
        [0, 1, 2].flatMap(c =>
          [0, 1].map(q => {
            const n = 20 + 7 * c * (group === 'A' ? 1 : 3) + 11 * q * (group === 'A' ? 2 : 1)
            const strata = [`c${c}`, `q${q}`]
            return cell(
              group,
              swap ? strata.reverse() : strata,
              n,
              Math.round(n * (0.4 + 0.1 * c + 0.2 * q)),
            )
          }),
        ),
      )
    const [forth, back, turned] = [
      gapParts(two(false), ['A', 'B']),
      gapParts(two(true), ['A', 'B']),
      gapParts(two(false), ['B', 'A']),
    ]
    expect(back.parts[1]!.value).toBeCloseTo(forth.parts[0]!.value!, 12)
    expect(turned.parts[0]!.value).toBeCloseTo(-forth.parts[0]!.value!, 12)
    expect(turned.left.interval![0]).toBeCloseTo(-forth.left.interval![1], 12)
  })

  it('are null with the reason for one household, and for images without counterpart', () => {
    const housed = cells.map(one => ({
      ...one,
      cluster: one.group === 'A' ? 'home' : one.strata[0]!,
    }))
    expect(gapParts(housed, ['A', 'B']).left).toMatchObject({
      interval: null,
      reason: 'no interval: all or most images of A are of one household',
    })
    const apart = gapParts([...cells, cell('B', ['roof'], 100, 50)], ['A', 'B'])
    expect(apart.left).toMatchObject({
      value: null,
      reason: 'cannot be told: 33 % of the images have no counterpart in the other group',
    })
    expect(gapParts(cells, ['A', 'C']).gap.reason).toBe('no images in C')
  })
})

describe('income and shrinkage', () => {
  const points = golden.points.map(([group, x, n, top1, cluster]) => ({
    group,
    x,
    n,
    top1,
    cluster,
  }))

  it('slopes and their errors over households are statsmodels’, and so is the test of equal slopes', () => {
    const { slopes, interactionP } = incomeSlopes(points)
    for (const [i, { slope, standardError }] of slopes.entries()) {
      expect(slope).toBeCloseTo(golden.slopes[i]![0], 12)
      expect(standardError).toBeCloseTo(golden.slopes[i]![1], 12)
    }
    expect(interactionP).toBeCloseTo(golden.interactionP, 12)
  })

  it('of independent images have errors that are robust to unequal variance', () => {
    const all = points.map(({ x, n, top1 }) => ({ x, n, top1, group: 'all' }))
    const [one] = incomeSlopes(all).slopes
    expect([one!.slope, one!.standardError]).toEqual(
      golden.independent.map(value => expect.closeTo(value, 12) as number),
    )
    expect(incomeSlopes(all.slice(0, 1)).slopes[0]!.reason).toBe('all images have one income')
  })

  it('shrunken accuracies are those of SciPy’s integration over the beta distributions of cells', () => {
    const known = golden.cells.map(([n, hits]) => ({ n, hits }))
    const cells = [...known, { n: 3, hits: 0 }, { n: 60, hits: 6 }]
    const found = shrunkenShares(cells)
    for (const [i, share] of golden.shrunken.entries())
      expect(found[i]!.value).toBeCloseTo(share, 3)
    const [few, many] = found.slice(-2)
    expect(few!.value).toBeGreaterThan(many!.value)
    expect(few!.interval[0]).toBeLessThan(few!.value)
    expect(many!.interval[1] - many!.interval[0]).toBeLessThan(0.2)
    expect(shrunkenShares([...cells].reverse()).at(-1)!.value).toBeCloseTo(
      shrunkenShares(cells)[0]!.value,
      12,
    )
  })

  it('distributions are SciPy’s', () => {
    expect(betaQuantile(0.025, 3.2, 1.7)).toBeCloseTo(0.2356065293208369, 12)
    expect(fUpper(3.1, 2, 17)).toBeCloseTo(0.0711488623355275, 12)
  })
})

describe('means over classes and over the worst groups', () => {
  it('of independent images hold in at least 93 % of samples', () => {
    const random = randomFrom(4)
    const draw = (n: number, p: number): number =>
      Array.from({ length: n }).filter(() => random() < p).length
    const shares = [0.3, 0.5, 0.55, 0.7, 0.9, 0.95]
    const sizes = [30, 40, 60, 50, 200, 35]
    let [macro, worst] = [0, 0]
    for (let i = 0; i < 400; i++) {
      const counts = shares.map((p, k) => ({ n: sizes[k]!, top1: draw(sizes[k]!, p) }))
      const [low, high] = macroEstimate(
        counts.map((one, k) => ({ ...one, class: `${k}` })),
      ).interval!
      if (low <= 0.65 && 0.65 <= high) macro++
      const groups = counts.map((one, k) => ({ ...one, group: `${k}`, clustering: null }))
      const [from, to] = worstMean(groups, 0.2).interval!
      if (from <= 0.4 && 0.4 <= to) worst++
    }
    expect(macro / 400).toBeGreaterThan(0.93)
    expect(worst / 400).toBeGreaterThan(0.93)
  })
})
