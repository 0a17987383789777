import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { calibration } from '../../src/metrics/calibration.ts'
import { decomposeGap } from '../../src/metrics/decomposition.ts'
import { disparityTrend } from '../../src/metrics/disparityTrend.ts'
import { failureBias } from '../../src/metrics/failureBias.ts'
import { incomeControlled, incomeQuartiles } from '../../src/metrics/incomeControlled.ts'
import { imagesNeeded, minimumDetectableDifference } from '../../src/metrics/power.ts'
import { classCounts, classScores, macroScores } from '../../src/metrics/recall.ts'
import { scalingTrend, sizeGroups } from '../../src/metrics/scaling.ts'
import { weightedAccuracy } from '../../src/metrics/weightedAccuracy.ts'

describe('power', () => {
  it('is what the images needed give back', () => {
    for (const [baseline, n, otherN] of [
      [0.6, 200, Infinity],
      [0.9, 1000, 500],
      [1, 40, 40],
    ] as const) {
      const drop = minimumDetectableDifference(baseline, n, { otherN }).value!
      expect(imagesNeeded(baseline, drop, { otherN }).value).toBe(n)
    }
  })

  it('follows the textbook formula', () => {
    const z = 1.959963984540054 + 0.8416212335729143
    expect(imagesNeeded(0.6, 0.1).value).toBe(Math.ceil((z / 0.1) ** 2 * 0.25))
    expect(minimumDetectableDifference(0.5, 1e6).value).toBeCloseTo(z * Math.sqrt(0.25 / 1e6), 5)
  })

  it('shrinks with n and says when nothing can be seen', () => {
    const small = minimumDetectableDifference(0.6, 50).value!
    expect(minimumDetectableDifference(0.6, 500).value).toBeLessThan(small / 2)
    expect(minimumDetectableDifference(0.6, 0)).toEqual({ value: null, reason: 'no images' })
    expect(minimumDetectableDifference(0.1, 3, { otherN: 3 }).reason).toBe(
      '3 images cannot show a drop from 0.1 to 0',
    )
    expect(imagesNeeded(0.6, 0.05, { otherN: 100 }).reason).toBe(
      "the other group's 100 images are too few for any size",
    )
    expect(() => imagesNeeded(0.6, 0.7)).toThrow('difference 0.7 is not between')
    expect(() => minimumDetectableDifference(Number.NaN, 5)).toThrow('accuracy NaN is not in 0 … 1')
    expect(() => minimumDetectableDifference(0.5, 5, { otherN: 5, power: 1 })).toThrow(
      'must lie between 0 and 1',
    )
  })
})

describe('calibration', () => {
  it('weights the bins', () => {
    const result = calibration([0.95, 0.95, 0.55, 0.55], [1, 0, 1, 0], 10)
    expect(result.ece).toBeCloseTo(0.5 * 0.45 + 0.5 * 0.05, 12)
    expect(result.mce).toBeCloseTo(0.45, 12)
    expect(result.overconfidence).toBeCloseTo(0.25, 12)
    expect(result.bins.map(bin => [bin.low, bin.high, bin.n])).toEqual([
      [0.5, 0.6, 2],
      [0.9, 1, 2],
    ])
  })

  it('takes ends, and refuses what is no probability', () => {
    expect(calibration([0, 1], [0, 1])).toMatchObject({ ece: 0, mce: 0, n: 2 })
    expect(calibration([], [])).toMatchObject({ ece: null, reason: 'no images' })
    expect(() => calibration([Number.NaN], [1])).toThrow('confidence 1 is NaN, not in 0 … 1')
    expect(() => calibration([0.5], [])).toThrow('1 confidences but 0 outcomes')
    expect(() => calibration([0.5], [1], 0)).toThrow('0 bins')
  })
})

describe('class scores', () => {
  it('gives recall, precision and F1', () => {
    const scores = classScores(classCounts(['a', 'a', 'b', 'b', 'c'], ['a', 'b', 'b', null, 'b']))
    expect(scores.map(s => [s.class, s.recall, s.precision, s.f1])).toEqual([
      ['a', 0.5, 1, 2 / 3],
      ['b', 0.5, 1 / 3, 0.4],
      ['c', 0, null, 0],
    ])
    expect(scores[2]!.reason).toBe('never predicted')
    expect(macroScores(scores)).toMatchObject({ classes: 3, recall: 1 / 3 })
  })

  it('says what is missing', () => {
    const [row] = classScores([{ class: 'x', n: 0, hits: 0, predicted: 0 }])
    expect(row).toMatchObject({
      recall: null,
      f1: null,
      interval: null,
      reason: 'no images, never predicted',
    })
    expect(macroScores([row!])).toMatchObject({ recall: null, reason: 'no class has images' })
    expect(() => classScores([{ class: 'x', n: 1, hits: 2, predicted: 3 }])).toThrow(
      'impossible counts of x',
    )
    expect(() => classScores([row!, row!])).toThrow('duplicate class: x')
    expect(() => classCounts(['a'], [])).toThrow('1 images but 0 predictions')
  })
})

describe('weighted accuracy', () => {
  it('is the plain one for equal weights', () => {
    expect(weightedAccuracy({ weight: 8, squares: 16, hits: 6 })).toMatchObject({
      value: 0.75,
      effectiveN: 4,
      reason: null,
    })
  })

  it('loses effective images with unequal weights', () => {
    expect(weightedAccuracy({ weight: 10, squares: 66, hits: 2 }).effectiveN).toBeCloseTo(
      100 / 66,
      12,
    )
    expect(weightedAccuracy({ weight: 0, squares: 0, hits: 0 })).toMatchObject({
      value: null,
      reason: 'no images with a weight',
    })
    expect(() => weightedAccuracy({ weight: Number.NaN, squares: 1, hits: 1 })).toThrow(
      'impossible weights: sum NaN',
    )
    expect(() => weightedAccuracy({ weight: 1, squares: 1, hits: 2 })).toThrow('impossible weights')
  })
})

describe('failureBias', () => {
  const row = (group: string, failed: number, images: number) => ({ group, failed, images })

  it('gives the chi-square test for many failures', () => {
    const result = failureBias([row('a', 30, 500), row('b', 60, 500)], { seed: 1 })
    expect(result.chiSquare).toBeCloseTo(10.989010989, 8)
    expect(result.p).toBeCloseTo(0.0009165370761145338, 12)
    expect(result.method).toBe('chi-square')
  })

  it('permutes where failures are few', () => {
    const result = failureBias([row('a', 3, 10), row('b', 0, 10)], { seed: 1, draws: 20_000 })
    expect(result.method).toBe('permutation')
    expect(Math.abs(result.p! - 2 * (120 / 1140))).toBeLessThan(0.015)
  })

  it('has reasons for no answer', () => {
    expect(failureBias([row('a', 0, 5), row('b', 0, 5)], { seed: 1 })).toMatchObject({
      p: null,
      failed: 0,
      reason: 'no image failed',
    })
    expect(failureBias([row('a', 5, 5), row('b', 5, 5)], { seed: 1 }).reason).toBe(
      'every image failed',
    )
    expect(failureBias([row('a', 1, 5), row('b', 0, 0)], { seed: 1 })).toMatchObject({
      p: null,
      reason: 'only one group',
    })
    expect(failureBias([row('b', 0, 0)], { seed: 1 }).groups[0]).toMatchObject({
      rate: null,
      interval: null,
    })
    expect(() => failureBias([row('a', 6, 5)], { seed: 1 })).toThrow('impossible counts of a')
  })
})

describe('decomposeGap', () => {
  const cell = (name: string, group: string, top1: number, n: number) => ({
    class: name,
    group,
    top1,
    n,
  })

  it('finds mix where classes are equally hard, and difference where shares are equal', () => {
    const mix = decomposeGap(
      [
        cell('easy', 'E', 72, 80),
        cell('hard', 'E', 2, 20),
        cell('easy', 'A', 18, 20),
        cell('hard', 'A', 8, 80),
      ],
      ['E', 'A'],
    )
    expect(mix.within).toBeCloseTo(0, 12)
    expect(mix.mix).toBeCloseTo(0.48, 12)
    const within = decomposeGap(
      [cell('x', 'E', 9, 10), cell('y', 'E', 5, 10), cell('x', 'A', 5, 10), cell('y', 'A', 5, 10)],
      ['E', 'A'],
    )
    expect(within).toMatchObject({ mix: 0, reason: null })
    expect(within.within).toBeCloseTo(0.2, 12)
    expect(within.classes.map(c => c.class)).toEqual(['x', 'y'])
    expect(within.classes[0]!.difference).toBeCloseTo(0.4, 12)
  })

  it('always adds up, and swapping groups changes signs', () => {
    const counts = fc.record({ n: fc.nat(30), part: fc.double({ min: 0, max: 1, noNaN: true }) })
    fc.assert(
      fc.property(fc.array(fc.tuple(counts, counts), { minLength: 1, maxLength: 8 }), rows => {
        const cells = rows.flatMap((pair, i) =>
          pair.map(({ n, part }, g) => cell(`c${i}`, g ? 'A' : 'E', Math.round(n * part), n)),
        )
        const [forward, back] = [decomposeGap(cells, ['E', 'A']), decomposeGap(cells, ['A', 'E'])]
        if (forward.gap === null) return forward.reason !== null && back.gap === null
        const parts = forward.within! + forward.mix! + forward.unmatched!
        return (
          Math.abs(parts - forward.gap) < 1e-12 &&
          Math.abs(back.within! + forward.within!) < 1e-12 &&
          Math.abs(back.mix! + forward.mix!) < 1e-12
        )
      }),
    )
  })

  it('counts classes that one group lacks as unmatched', () => {
    const result = decomposeGap(
      [cell('x', 'E', 5, 10), cell('z', 'E', 10, 10), cell('x', 'A', 5, 10)],
      ['E', 'A'],
    )
    expect(result.gap).toBeCloseTo(0.25, 12)
    expect(result.unmatched).toBeCloseTo(0.25 + 0.25, 12)
    expect(result.classes.find(c => c.class === 'z')).toMatchObject({
      difference: null,
      accuracy: [1, null],
      interval: null,
    })
    expect(decomposeGap([cell('x', 'E', 5, 10)], ['E', 'A'])).toMatchObject({
      gap: null,
      reason: 'no images in A',
    })
    expect(decomposeGap([cell('x', 'E', 5, 10), cell('y', 'A', 5, 10)], ['E', 'A']).reason).toBe(
      'the groups have no class in common',
    )
    expect(() => decomposeGap([cell('x', 'E', 5, 10), cell('x', 'E', 5, 10)], ['E', 'A'])).toThrow(
      'duplicate row: x in E',
    )
  })
})

describe('income', () => {
  it('makes quartiles with their bounds, Q1 the richest', () => {
    const { bounds, quartile } = incomeQuartiles([10, null, 20, 30, 40, 50])!
    expect(bounds).toEqual([20, 30, 40])
    expect(quartile).toEqual(['Q4', null, 'Q4', 'Q3', 'Q2', 'Q1'])
    expect(incomeQuartiles([1, 1, 2, 3, null])).toBeNull()
    expect(() => incomeQuartiles([Number.NaN])).toThrow('income is NaN')
  })

  it('compares groups at equal income', () => {
    const cell = (income: string, group: string, top1: number, n: number) => ({
      income,
      group,
      top1,
      n,
    })
    const result = incomeControlled([
      cell('Q2', 'Europe', 611, 1000),
      cell('Q2', 'Africa', 525, 1000),
      cell('Q3', 'Europe', 519, 1000),
      cell('Q3', 'Africa', 452, 1000),
      cell('Q4', 'Europe', 9, 10),
    ])
    expect(result.rows.map(row => row.income)).toEqual(['Q2', 'Q3', 'Q4'])
    expect(result.rows[0]!.difference).toBeCloseTo(0.086, 12)
    expect(result.rows[2]).toMatchObject({
      difference: null,
      interval: null,
      reason: 'no images in Africa',
    })
    expect(result.controlled.value).toBeCloseTo((0.086 + 0.067) / 2, 12)
    expect(result.controlled.interval![0]).toBeGreaterThan(0.04)
    expect(result.controlled.interval![1]).toBeLessThan(0.11)
    expect(incomeControlled([]).controlled.reason).toBe('no income level has images of both groups')
    expect(() => incomeControlled([cell('Q1', 'a', 1, 2), cell('Q1', 'a', 1, 2)])).toThrow(
      'duplicate row: a at Q1',
    )
  })
})

describe('scaling', () => {
  const points = [1e6, 1e7, 1e8, 1e9].map((size, i) => ({
    model: `m${i}`,
    size,
    value: 0.1 + 0.02 * i,
  }))

  it('is the change per tenfold size on the log axis', () => {
    expect(scalingTrend(points).slope).toBeCloseTo(0.02, 12)
    expect(scalingTrend(points, 'linear').slope).toBeGreaterThan(0)
    const holes = scalingTrend([
      ...points,
      { model: 'x', size: null, value: 1 },
      { model: 'y', size: 5, value: null },
    ])
    expect(holes.leftOut).toEqual([
      { model: 'x', reason: 'no size known' },
      { model: 'y', reason: 'no value' },
    ])
    expect(scalingTrend([]).reason).toBe('no models')
    expect(() => scalingTrend([{ model: 'x', size: 0, value: 1 }])).toThrow('size of x is 0')
    expect(() => scalingTrend([{ model: 'x', size: 1, value: Number.NaN }])).toThrow(
      'value of x is NaN',
    )
  })

  it('gives group means with error bars', () => {
    const { groups } = sizeGroups(points, [1e8, 1e10])
    expect(groups.map(group => group.n)).toEqual([2, 2, 0])
    expect(groups[0]).toMatchObject({ low: 0, high: 1e8, models: ['m0', 'm1'], reason: null })
    expect(groups[0]!.mean).toBeCloseTo(0.11, 12)
    expect(groups[0]!.standardError).toBeCloseTo(0.01, 12)
    expect(groups[0]!.interval![1]).toBeCloseTo(0.11 + 12.706204736432095 * 0.01, 10)
    expect(groups[2]).toMatchObject({ mean: null, reason: 'no models' })
    expect(sizeGroups(points.slice(0, 1), []).groups[0]).toMatchObject({
      mean: 0.1,
      standardError: null,
      reason: 'one model: no error bar',
    })
    expect(() => sizeGroups(points, [5, 3])).toThrow('group bounds 5, 3 do not rise')
  })
})

describe('disparityTrend', () => {
  it('reads growth off the models and off the line', () => {
    const trend = disparityTrend([
      { model: 'old', accuracy: 0.5, disparity: 0.05 },
      { model: 'mid', accuracy: 0.6, disparity: 0.1 },
      { model: 'new', accuracy: 0.7, disparity: 0.15 },
      { model: 'gone', accuracy: 0.7, disparity: null },
    ])
    expect(trend).toMatchObject({
      worstModel: 'old',
      bestModel: 'new',
      leftOut: [{ model: 'gone', reason: 'no disparity' }],
    })
    expect(trend.growth).toBeCloseTo(3, 12)
    expect(trend.fittedGrowth).toBeCloseTo(3, 12)
  })

  it('has none for one model or a disparity of 0', () => {
    expect(disparityTrend([{ model: 'a', accuracy: 0.5, disparity: 0.1 }])).toMatchObject({
      growth: null,
      slope: null,
    })
    const zero = disparityTrend([
      { model: 'a', accuracy: 0.5, disparity: 0 },
      { model: 'b', accuracy: 0.6, disparity: 0.1 },
    ])
    expect(zero.growth).toBeNull()
    expect(() => disparityTrend([{ model: 'a', accuracy: Number.NaN, disparity: 0 }])).toThrow(
      'accuracy of a is NaN',
    )
  })
})
