import { randomFrom } from '../../src/lib/random.ts'
import { describe, expect, it } from 'vitest'
import { type ExactTest, rejectFamilywise, lowerTailTest } from '../../src/metrics/familywise.ts'
import { pairedInterval } from '../../src/metrics/pairedInterval.ts'
import { mcnemar } from '../../src/metrics/pairedTests.ts'
import { designEffect } from '../../src/metrics/designEffect.ts'
import {
  changeMoments,
  joinOutcomes,
  signFlipMidP,
  signFlipP,
  signFlips,
} from '../../src/metrics/signFlip.ts'

const pairs = (both: number, onlyFirst: number, onlySecond: number, neither: number) => ({
  both,
  onlyFirst,
  onlySecond,
  neither,
})

/** Tango's statistic with the nuisance share found by searching the likelihood, not by the closed form. */
function searched(gained: number, lost: number, n: number, at: number): number {
  const term = (count: number, share: number): number => (count === 0 ? 0 : count * Math.log(share))
  const likelihood = (q: number): number =>
    term(gained, q + at) + term(lost, q) + term(n - gained - lost, 1 - 2 * q - at)
  let [low, high] = [Math.max(0, -at), (1 - at) / 2]
  for (let i = 0; i < 200; i++) {
    const [a, b] = [low + (high - low) * 0.382, low + (high - low) * 0.618]
    if (likelihood(a) > likelihood(b)) high = b
    else low = a
  }
  const q = (low + high) / 2
  return (gained - lost - n * at) / Math.sqrt(n * (2 * q + at * (1 - at)))
}

describe('pairedInterval', () => {
  it.each([
    [20, 40, 160],
    [1, 12, 400],
    [7, 3, 30],
  ])(
    'has its ends where the score statistic is ±1.96 (lost %i, gained %i of %i)',
    (lost, gained, n) => {
      const [low, high] = pairedInterval(pairs(n - lost - gained, lost, gained, 0))!
      expect(searched(gained, lost, n, low)).toBeCloseTo(1.959964, 4)
      expect(searched(gained, lost, n, high)).toBeCloseTo(-1.959964, 4)
      expect(low).toBeLessThan((gained - lost) / n)
      expect(high).toBeGreaterThan((gained - lost) / n)
    },
  )

  it('leaves out 0 exactly when McNemar without correction does', () => {
    expect(pairedInterval(pairs(100, 10, 21, 50))![0]).toBeGreaterThan(0)
    expect(pairedInterval(pairs(100, 10, 20, 50))![0]).toBeLessThan(0)
  })

  it('is wide, not empty, where nothing flipped, and mirrors with the sides', () => {
    const [low, high] = pairedInterval(pairs(40, 0, 0, 10))!
    expect(low).toBeLessThan(-0.03)
    expect(high).toBeGreaterThan(0.03)
    const there = pairedInterval(pairs(40, 3, 9, 10))!
    const back = pairedInterval(pairs(40, 9, 3, 10))!
    expect(back[0]).toBeCloseTo(-there[1], 9)
    expect(back[1]).toBeCloseTo(-there[0], 9)
    expect(pairedInterval(pairs(0, 0, 12, 0))![1]).toBe(1)
    expect(pairedInterval(pairs(0, 0, 0, 0))).toBeNull()
  })
})

describe('the mid-p of independent images', () => {
  // Flips that Fagerland, Lydersen and Laake (BMC Med. Res. Methodol. 2013, 13:91) take from Bentur et al., and others; mid-p by SciPy
  // 1.17's binomial distribution as 2 P(X ≤ k) - P(X = k), exact p by statsmodels' mcnemar(exact=True).
  it.each([
    [1, 7, 0.0390625, 0.0703125],
    [6, 16, 0.03468966484069824, 0.052478790283203125],
    [25, 2, 3.0323863029479947e-6, 5.647540092468262e-6],
    // As many each way: twice the one-sided mid-p is 1, of which the article takes off half of P(X = k).
    [5, 5, 1, 1],
    [0, 3, 0.125, 0.25],
    [37, 16, 0.003838265880326098, 0.005486344876760141],
    [240, 310, 0.0028294803725802497, 0.0032232676763761965],
  ])('is SciPy’s for %i and %i flipped images', (lost, gained, midP, exactP) => {
    const counts = pairs(600 - lost - gained, lost, gained, 0)
    expect(signFlipMidP(counts) / midP).toBeCloseTo(1, 9)
    expect(mcnemar(counts).p! / exactP).toBeCloseTo(1, 9)
  })
})

describe('familywise', () => {
  const sure = (p: number): ExactTest => ({ p, attainable: t => t })

  it("takes Holm's steps where p-values are continuous", () => {
    expect(rejectFamilywise([0.01, 0.04, 0.03, 0.005].map(sure))).toEqual([
      true,
      false,
      false,
      true,
    ])
    expect(rejectFamilywise([0.01, 0.0124, 0.06, 0.03].map(sure))).toEqual([
      true,
      true,
      false,
      false,
    ])
    expect(rejectFamilywise([])).toEqual([])
  })

  it('finds what trying every p-value of every step finds', () => {
    const random = randomFrom(5)
    for (let round = 0; round < 30; round++) {
      const family = Array.from({ length: 12 }, () => {
        const n = 5 + Math.floor(random() * 40)
        return lowerTailTest(Math.floor(random() * n * 0.6), n, 0.5)
      })
      const rejected = family.map(() => false)
      for (let found: ExactTest[] | null = null; found?.length !== 0;) {
        const open = family.filter((_, i) => !rejected[i])
        found = open.filter(
          ({ p }) => open.reduce((sum, test) => sum + test.attainable(p), 0) <= 0.05,
        )
        for (const test of found) rejected[family.indexOf(test)] = true
      }
      expect(rejectFamilywise(family)).toEqual(rejected)
    }
  })

  it('does not count tests that could not reach the p-value at hand', () => {
    const weak = Array.from({ length: 9 }, () => lowerTailTest(1, 2, 0.5))
    expect(rejectFamilywise([lowerTailTest(0, 5, 0.5), ...weak])[0]).toBe(true)
    expect(rejectFamilywise([sure(0.03125), ...Array.from({ length: 9 }, () => sure(1))])[0]).toBe(
      false,
    )
  })

  it('knows the p-values that a binomial test can give', () => {
    const { p, attainable } = lowerTailTest(2, 10, 0.5)
    expect(p).toBeCloseTo(56 / 1024, 12)
    expect(attainable(0.05)).toBeCloseTo(11 / 1024, 12)
    expect(attainable(56 / 1024)).toBeCloseTo(56 / 1024, 12)
    expect(attainable(0.0001)).toBe(0)
    expect(attainable(1)).toBe(1)
  })
})

describe('sign flips of clusters', () => {
  const cell = (cluster: string | null, onlyFirst: number, onlySecond: number) => ({
    cluster,
    onlyFirst,
    onlySecond,
    both: 5,
    neither: 2,
  })

  it('count every way that the signs can fall', () => {
    const nets = [3, -1, 2, 2, -4]
    const sums = Array.from({ length: 32 }, (_, way) =>
      nets.reduce((sum, net, i) => sum + ((way >> i) & 1 ? Math.abs(net) : 0), 0),
    )
    const outcomes = { ...pairs(0, 9, 11, 0), nets }
    const { gained, total, atMost } = signFlips(outcomes)
    expect({ gained, total }).toEqual({ gained: 7, total: 12 })
    for (let k = -1; k <= 13; k++)
      expect(atMost(k)).toBeCloseTo(sums.filter(sum => sum <= k).length / 32, 12)
    expect(signFlipP({ ...outcomes, nets: [3, 1, 2, 2, 4] })).toBeCloseTo(2 / 32, 12)
  })

  it("are McNemar's exact test where every household has one flipped image, and where there are none", () => {
    const single = joinOutcomes([
      cell('a', 1, 0),
      cell('b', 0, 1),
      cell('c', 1, 0),
      cell(null, 4, 0),
    ])
    const plain = joinOutcomes([cell(null, 6, 1)])
    expect(plain.nets).toBeUndefined()
    for (const outcomes of [single, plain])
      expect(signFlipP(outcomes)).toBeCloseTo(mcnemar(pairs(0, 6, 1, 0)).p!, 12)
    expect(changeMoments([{ ...cell(null, 6, 1), group: 'all' }])).toEqual([])
    expect(signFlipP(joinOutcomes([]))).toBe(1)
  })

  it('add a household up over its classes, and widen the interval where households flip as one', () => {
    const cells = [cell('a', 4, 0), cell('a', 2, 1), cell('b', 0, 3), cell('c', 1, 1)]
    const joined = joinOutcomes(cells)
    expect(joined).toEqual({ ...pairs(20, 7, 5, 8), nets: [-5, 3] })
    const [sums] = changeMoments(cells.map(one => ({ ...one, group: 'all' })))
    expect(sums).toMatchObject({ clusters: 3, n: 40, top1: -2, squares: 12, hitSquares: 34 })
    expect(sums!.sizeHits).toBe(-5 * 21 + 3 * 10)
    const { byGroup } = designEffect([sums!])
    const narrow = pairedInterval(joined)!
    const wide = pairedInterval(joined, 0.95, byGroup.get('all'))!
    expect(wide[0]).toBeLessThan(narrow[0])
    expect(wide[1]).toBeGreaterThan(narrow[1])
  })
})
