import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  correctedSlope,
  slopeInference,
  slopesWithoutFamily,
} from '../../src/metrics/familyInference.ts'
import { gapOpinions } from '../../src/metrics/progressGapOpinions.ts'
import { minimize } from '../../src/metrics/minimize.ts'
import { mixedSlope } from '../../src/metrics/mixedModel.ts'
import { accuracyTable, progressGap } from '../../src/metrics/progress.ts'
import { fitLine } from '../../src/metrics/regression.ts'

interface MixedCase {
  families: string[]
  x: number[]
  y: number[]
  slope: number
  intercept: number
  standardError: number
  within: number
  between: { intercept: number; slope: number; covariance: number }
}

const { cases } = JSON.parse(
  readFileSync(new URL('./mixedModel.json', import.meta.url), 'utf8'),
) as { cases: MixedCase[] }

describe('mixedSlope', () => {
  it.each(cases.map((one, i) => [i, one] as const))(
    "is statsmodels' MixedLM within 0.001 (%i)",
    (_, { families, x, y, ...expected }) => {
      const found = mixedSlope({ x, families }, y, 0.95)
      const differences = [
        found.slope! - expected.slope,
        found.intercept! - expected.intercept,
        found.standardError! - expected.standardError,
        found.within! - expected.within,
        found.between!.slope - expected.between.slope,
        found.between!.intercept - expected.between.intercept,
        found.between!.covariance - expected.between.covariance,
      ]
      expect(Math.max(...differences.map(Math.abs))).toBeLessThan(1e-3)
    },
  )

  it('moves and stretches with x and y', () => {
    const { families, x, y } = cases[3]!
    const plain = mixedSlope({ x, families }, y, 0.95)
    const moved = mixedSlope(
      { x: x.map(value => 100 * value + 7), families },
      y.map(v => 3 - 2 * v),
      0.95,
    )
    expect(moved.slope).toBeCloseTo((-2 * plain.slope!) / 100, 6)
    expect(moved.standardError).toBeCloseTo((2 * plain.standardError!) / 100, 5)
  })

  it('says why there is none', () => {
    expect(
      mixedSlope({ x: [1, 2, 3, 4], families: ['a', 'a', 'b', 'b'] }, [1, 2, 2, 4], 0.95).reason,
    ).toBe('no mixed model: 2 families of models, 3 needed')
    expect(
      mixedSlope({ x: [1, 2, 3], families: ['a', 'b', 'c'] }, [1, 2, 2], 0.95).reason,
    ).toContain('hardly a family has two models')
    const same = { x: [1, 1, 1, 1, 1, 1], families: ['a', 'a', 'b', 'b', 'c', 'c'] }
    expect(mixedSlope(same, [1, 2, 3, 4, 5, 6], 0.95).reason).toContain('all x values are equal')
    expect(mixedSlope({ ...same, x: [1, 2, 3, 4, 5, 6] }, same.x, 0.95).reason).toContain(
      'all y values',
    )
  })
})

describe('minimize', () => {
  it('finds the bottom of a narrow valley', () => {
    const valley = ([x = 0, y = 0]: readonly number[]): number =>
      (1 - x) ** 2 + 100 * (y - x * x) ** 2
    expect(minimize(valley, [-1.2, 1]).value).toBeLessThan(1e-6)
  })
})

describe('correctedSlope', () => {
  it('is the least-squares slope over the attenuation of the known variances', () => {
    const x = [0.5, 0.55, 0.62, 0.68, 0.74, 0.8]
    const y = [0.3, 0.33, 0.41, 0.4, 0.5, 0.52]
    const families = ['a', 'b', 'c', 'd', 'e', 'f']
    const xVariances = x.map(value => (value * (1 - value)) / 500)
    const found = correctedSlope({ x, families, xVariances }, y, 0.95)
    const mean = x.reduce((a, b) => a + b) / 6
    const variance = x.reduce((total, value) => total + (value - mean) ** 2, 0) / 5
    const lost = xVariances.reduce((a, b) => a + b) / 6
    expect(found.attenuation).toBeCloseTo(1 - lost / variance, 12)
    expect(found.slope).toBeCloseTo(fitLine(x, y).slope! / found.attenuation!, 12)
    expect(found.interval![0]).toBeLessThan(found.slope!)
    // Without errors nothing is corrected.
    const exact = correctedSlope({ x, families, xVariances: x.map(() => 0) }, y, 0.95)
    expect(exact.attenuation).toBe(1)
    expect(exact.interval![1]).toBeCloseTo(
      slopeInference({ x, families }, y, 0.95).interval![1],
      10,
    )
  })

  it('is null where x differs no more than by chance', () => {
    const x = [0.5, 0.51, 0.52, 0.5]
    const line = { x, families: ['a', 'b', 'c', 'd'], xVariances: x.map(() => 0.01) }
    expect(correctedSlope(line, [0.1, 0.2, 0.3, 0.1], 0.95)).toMatchObject({
      slope: null,
      interval: null,
      reason: 'no correction: x differs no more than by chance',
    })
  })
})

describe('gapOpinions', () => {
  const { families, x, y } = cases[0]!
  const rows = x.flatMap((value, i) => [
    { model: `m${i}`, benchmark: 'imagenet-1k', accuracy: Math.min(1, Math.max(0, value)) },
    {
      model: `m${i}`,
      benchmark: 'standard',
      accuracy: 0.1 + 0.6 * Math.min(1, Math.max(0, value)),
    },
    {
      model: `m${i}`,
      benchmark: 'geode',
      accuracy: Math.min(1, Math.max(0, 0.1 + 0.3 * value + 0.1 * y[i]!)),
    },
  ])
  const table = accuracyTable(rows)
  const options = {
    families: new Map(families.map((family, i) => [`m${i}`, family])),
    images: new Map(families.map((_, i) => [`m${i}`, 1000])),
  }
  const pair = { standard: 'standard', geographic: 'geode' }

  it('ranges over the gaps without each family, as fits without its models have them', () => {
    const { withoutFamily, ratioWithoutFamily } = gapOpinions(table, pair, options)
    const gaps = [...new Set(families)].map(family =>
      progressGap(table, pair, {
        ...options,
        models: families.flatMap((own, i) => (own === family ? [] : `m${i}`)),
      }),
    )
    expect(withoutFamily!.low).toBeCloseTo(Math.min(...gaps.map(gap => gap.difference!)), 12)
    expect(withoutFamily!.high).toBeCloseTo(Math.max(...gaps.map(gap => gap.difference!)), 12)
    expect(ratioWithoutFamily!.high).toBeCloseTo(Math.max(...gaps.map(gap => gap.ratio!)), 12)
    expect(families).toContain(withoutFamily!.highWithout)
  })

  it('has a mixed model and a correction of the difference', () => {
    const { mixed, corrected } = gapOpinions(table, pair, options)
    const gap = progressGap(table, pair, options)
    expect(corrected!.slope).toBeCloseTo(gap.difference! / corrected!.attenuation!, 10)
    expect(mixed.interval![0]).toBeLessThan(mixed.slope!)
    expect(gapOpinions(table, pair, { families: options.families }).corrected).toBeNull()
  })

  it('leaves out the range with two families', () => {
    const two = new Map(families.map((_, i) => [`m${i}`, i % 2 === 0 ? 'a' : 'b']))
    expect(gapOpinions(table, pair, { families: two }).withoutFamily).toBeNull()
    expect(slopesWithoutFamily({ x: [1, 2], families: ['a', 'b'] }, [[1, 2]])).toEqual([])
  })
})
