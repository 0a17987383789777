import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bootstrapAccuracies,
  cellTable,
  differenceOf,
  disparityDraws,
  drawsOf,
} from '../../src/metrics/bootstrap.ts'
import { mean, percentileInterval, quantile } from '../../src/metrics/numbers.ts'
import {
  benjaminiHochberg,
  mcnemar,
  pairCounts,
  pairedBootstrap,
} from '../../src/metrics/pairedTests.ts'
import { fillNormal, hypergeometricSampler, samplePoissonOne } from '../../src/metrics/samplers.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { shared } from '../helpers/shared.ts'
import { outcomes } from './golden.ts'

describe('random numbers', () => {
  it('have the right means and variances', () => {
    const random = randomFrom(11)
    const draws = 40_000
    const moments = (values: number[]) => {
      const m = mean(values)
      return [m, mean(values.map(v => (v - m) ** 2))] as const
    }
    const uniform = moments(Array.from({ length: draws }, random))
    expect(uniform[0]).toBeCloseTo(0.5, 2)
    expect(uniform[1]).toBeCloseTo(1 / 12, 2)
    const poisson = moments(Array.from({ length: draws }, () => samplePoissonOne(random)))
    expect(Math.abs(poisson[0] - 1)).toBeLessThan(0.02)
    expect(Math.abs(poisson[1] - 1)).toBeLessThan(0.04)
    const normal = moments([...fillNormal(new Float64Array(draws), random)])
    expect(Math.abs(normal[0])).toBeLessThan(0.02)
    expect(Math.abs(normal[1] - 1)).toBeLessThan(0.03)
  })

  it('draw hypergeometric counts with the right chances', () => {
    const draw = hypergeometricSampler(50, randomFrom(5))
    const seen = new Map<number, number>()
    for (let i = 0; i < 50_000; i++) {
      const k = draw(10, 20, 50)
      seen.set(k, (seen.get(k) ?? 0) + 1)
    }
    const chances = [0.002925, 0.027855, 0.108337, 0.225947, 0.280058, 0.215085, 0.103405]
    for (const [k, chance] of chances.entries())
      expect(Math.abs((seen.get(k) ?? 0) / 50_000 - chance)).toBeLessThan(0.008)
  })

  it('draw possible hypergeometric counts at the edges', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.nat(60), fc.nat(60), fc.integer(), (a, b, c, seed) => {
        const [total, good, take] = [Math.max(a, b, c), Math.min(a, b), c]
        const k = hypergeometricSampler(total, randomFrom(seed))(take, good, total)
        return k >= Math.max(0, take - (total - good)) && k <= Math.min(take, good)
      }),
    )
  })

  it('are the same for the same seed only', () => {
    const first = (seed: number) => Array.from({ length: 4 }, randomFrom(seed))
    expect(first(1)).toEqual(first(1))
    expect(first(1)).not.toEqual(first(2))
    expect(first(1)).not.toEqual(first(1 + 2 ** 32))
  })
})

describe('quantiles', () => {
  it("are NumPy's", () => {
    expect(quantile([1, 2, 4, 8], 0.5)).toBe(3)
    expect(quantile([1, 2, 4, 8], 0.975)).toBeCloseTo(7.7, 12)
    expect(quantile([5], 0.3)).toBe(5)
  })

  it('need some draws, and skip undefined ones', () => {
    expect(percentileInterval([1, 2, 3])).toBeNull()
    expect(
      percentileInterval([Number.NaN, ...Array.from({ length: 101 }, (_, i) => i)], 0.5),
    ).toEqual([25, 75])
  })
})

describe('mcnemar', () => {
  it('is the exact binomial test', () => {
    const test = mcnemar({ both: 10, onlyFirst: 1, onlySecond: 6, neither: 3 })
    expect(test.difference).toBe(-0.25)
    expect(test.p).toBeCloseTo(0.125, 14)
    expect(mcnemar({ both: 5, onlyFirst: 3, onlySecond: 3, neither: 0 }).p).toBe(1)
  })

  it('is 1 without discordant images, null without images', () => {
    expect(mcnemar({ both: 5, onlyFirst: 0, onlySecond: 0, neither: 5 })).toMatchObject({
      difference: 0,
      p: 1,
    })
    expect(mcnemar(pairCounts([], []))).toMatchObject({
      difference: null,
      p: null,
      reason: 'no images in common',
    })
    expect(mcnemar(pairCounts([1, null, 0], [null, 1, 0]))).toMatchObject({ difference: 0, p: 1 })
    expect(() => mcnemar({ both: Number.NaN, onlyFirst: 0, onlySecond: 0, neither: 0 })).toThrow(
      'both is NaN',
    )
    expect(() => pairCounts([1], [1, 0])).toThrow(
      '1 outcomes of the first model but 2 of the second',
    )
  })
})

describe('benjaminiHochberg', () => {
  it('adjusts, keeps nulls and never decreases an order', () => {
    const adjusted = benjaminiHochberg([0.01, null, 0.04, 0.03, 0.5])
    expect(adjusted[1]).toBeNull()
    for (const [i, value] of [0.04, null, 0.16 / 3, 0.16 / 3, 0.5].entries()) {
      if (value !== null) expect(adjusted[i]).toBeCloseTo(value, 12)
    }
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true })), p => {
        const q = benjaminiHochberg(p)
        return p.every((value, i) => q[i]! >= value * (1 - 1e-12) && q[i]! <= 1)
      }),
    )
    expect(() => benjaminiHochberg([Number.NaN])).toThrow('p-value NaN is not in 0 … 1')
  })
})

describe('bootstrap of accuracies', () => {
  const images = Array.from({ length: 600 }, (_, i) => {
    const household = Math.floor(i / 3)
    const right = (household * 7919) % 10 < 6 ? 1 : 0
    return {
      cluster: `h${household}`,
      group: household % 2 ? 'Africa' : 'Europe',
      correct: [right, i % 2] as (0 | 1)[],
    }
  })
  const table = cellTable(images, ['same', 'apart'])

  it('widens for clusters and not for independent images', () => {
    const draws = bootstrapAccuracies(table, { seed: 1, draws: 2000 })
    const width = (model: string) => {
      const [low, high] = percentileInterval(drawsOf(draws, model))!
      return high - low
    }
    const binomial = 2 * 1.96 * Math.sqrt((0.6 * 0.4) / 600)
    expect(width('same') / (binomial * Math.sqrt(3))).toBeCloseTo(1, 1)
    expect(width('apart') / (2 * 1.96 * Math.sqrt(0.25 / 600))).toBeLessThan(0.9)
  })

  it('agrees between Poisson and multinomial weights, is seeded, and pairs models', () => {
    const [poisson, multinomial] = (['poisson', 'multinomial'] as const).map(weights =>
      percentileInterval(
        drawsOf(bootstrapAccuracies(table, { seed: 2, draws: 4000, weights }), 'same', 'Europe'),
      )!,
    )
    for (const end of [0, 1] as const)
      expect(Math.abs(poisson![end] - multinomial![end])).toBeLessThan(0.015)
    const once = bootstrapAccuracies(table, { seed: 2, draws: 30 })
    expect(bootstrapAccuracies(table, { seed: 2, draws: 30 })).toEqual(once)
    const twin = cellTable(
      images.map(row => ({ ...row, correct: [row.correct[0]!, row.correct[0]!] })),
      ['a', 'b'],
    )
    const paired = bootstrapAccuracies(twin, { seed: 2, draws: 30 })
    expect(
      differenceOf(drawsOf(paired, 'a'), drawsOf(paired, 'b')).every(value => value === 0),
    ).toBe(true)
    expect(pairedBootstrap(paired, ['a', 'b'])).toEqual({ interval: [0, 0], p: 1 })
  })

  it('leaves failed images out of one model only', () => {
    const failed = cellTable(
      [
        { cluster: 'a', group: 'x', correct: [1, null] },
        { cluster: 'a', group: 'x', correct: [0, 1] },
      ],
      ['first', 'second'],
    )
    expect([...failed.n]).toEqual([2, 1])
    const draws = bootstrapAccuracies(failed, { seed: 1, draws: 40 })
    const known = drawsOf(draws, 'second').filter(value => !Number.isNaN(value))
    expect(known.length).toBeLessThan(40)
    expect(known.every(value => value === 1)).toBe(true)
    expect(percentileInterval(drawsOf(draws, 'second'))).toEqual([1, 1])
  })

  it('refuses tables that do not fit and unknown names', () => {
    expect(() => bootstrapAccuracies({ ...table, clusters: 5 }, { seed: 1 })).toThrow('do not fit')
    expect(() =>
      bootstrapAccuracies({ ...table, hits: table.hits.map(() => Number.NaN) }, { seed: 1 }),
    ).toThrow('impossible counts')
    const draws = bootstrapAccuracies(table, { seed: 1, draws: 20 })
    expect(() => drawsOf(draws, 'other')).toThrow('unknown model: other; known: same, apart')
    expect(() => drawsOf(draws, 'same', 'Asia')).toThrow(
      'unknown group: Asia; known: Europe, Africa',
    )
  })
})

// The golden cases lie beside the repository, not in it.
describe.skipIf(!shared)('golden resampling', () => {
  const { images, correct, expected } = shared
    ? outcomes()
    : { images: [], correct: new Map<string, Uint8Array>(), expected: { models: {}, pairs: {} } }

  it('gives exact p-values and their adjustment to 1e-9', () => {
    const names = Object.keys(expected.pairs)
    const ps = names.map(name => {
      const [a, b] = name.split(' vs ')
      const result = mcnemar(pairCounts(correct.get(a!)!, correct.get(b!)!))
      const truth = expected.pairs[name]!.mcnemar_exact_p
      expect(Math.abs(result.p! - truth)).toBeLessThan(1e-9)
      expect(Math.abs(result.p! / truth - 1)).toBeLessThan(1e-9)
      return result.p
    })
    for (const [i, adjusted] of benjaminiHochberg(ps).entries()) {
      expect(Math.abs(adjusted! / expected.pairs[names[i]!]!.bh_adjusted_p - 1)).toBeLessThan(1e-9)
    }
  })

  it.each(['poisson', 'multinomial'] as const)(
    'gives household intervals within 0.004 (%s)',
    weights => {
      const models = [...correct.keys()]
      const rows = images.map((image, i) => ({
        cluster: image.household,
        group: image.region,
        correct: models.map(model => correct.get(model)![i] as 0 | 1),
      }))
      const draws = bootstrapAccuracies(cellTable(rows, models), {
        seed: 20,
        draws: 10_000,
        weights,
      })
      let worst = 0
      for (const model of models) {
        const truth = expected.models[model]!.cluster_bootstrap95
        const ours = [
          percentileInterval(drawsOf(draws, model))!,
          percentileInterval(disparityDraws(draws, model))!,
        ]
        for (const [i, interval] of [truth.accuracy, truth.region_disparity].entries()) {
          for (const end of [0, 1] as const)
            worst = Math.max(worst, Math.abs(ours[i]![end] - interval[end]))
        }
      }
      expect(worst).toBeLessThan(0.004)
    },
  )
})
