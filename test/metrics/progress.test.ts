import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracyTable,
  netImprovement,
  oodBenchmarks,
  progressGap,
  progressRate,
} from '../../src/metrics/progress.ts'
import { fitLine } from '../../src/metrics/regression.ts'
import { shared } from '../helpers/shared.ts'
import { testbed } from './golden.ts'

const table = (columns: Record<string, (number | null)[]>) =>
  accuracyTable(
    Object.entries(columns).flatMap(([benchmark, values]) =>
      values.map((accuracy, i) => ({ model: `m${i}`, benchmark, accuracy })),
    ),
  )

describe('fitLine', () => {
  it("gives SciPy's linregress, spearmanr and theilslopes", () => {
    const line = fitLine([1, 2, 3, 4, 7], [2, 1, 4, 3, 9])
    expect(line.slope).toBeCloseTo(1.2452830188679245, 12)
    expect(line.intercept).toBeCloseTo(-0.4339622641509431, 12)
    expect(line.pearson).toBeCloseTo(0.9204922441828914, 12)
    expect(line.standardError).toBeCloseTo(0.30520969958618693, 12)
    expect(line.p).toBeCloseTo(0.02658885886076983, 12)
    expect(line.spearman).toBeCloseTo(0.8, 12)
    expect(line.theilSen!.slope).toBeCloseTo(13 / 12, 12)
    expect(line.theilSen!.intercept).toBeCloseTo(-0.25, 12)
  })

  it('says why there is no line', () => {
    expect(fitLine([], [])).toMatchObject({ slope: null, reason: 'no models' })
    expect(fitLine([1], [2])).toMatchObject({ slope: null, reason: 'one model: a line needs two' })
    expect(fitLine([1, 1, 1], [1, 2, 3])).toMatchObject({
      slope: null,
      reason: 'all x values are equal',
    })
    expect(fitLine([0.25, 0.5], [0.125, 0.375])).toMatchObject({
      r2: 1,
      p: null,
      interval: null,
      reason: 'two models: no standard error',
    })
    expect(fitLine([1, 2, 3], [5, 5, 5])).toMatchObject({ slope: 0, r2: null, p: null })
    expect(() => fitLine([1, Number.NaN], [1, 2])).toThrow('x value 2 is NaN')
    expect(() => fitLine([1, 2], [1])).toThrow('2 x values but 1 y values')
  })

  it('takes a perfect line', () => {
    expect(fitLine([0, 1, 2, 3], [1, 3, 5, 7])).toMatchObject({
      slope: 2,
      r2: 1,
      p: 0,
      interval: [2, 2],
      reason: null,
    })
  })

  it('never gives NaN', () => {
    const value = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { maxLength: 20 }), points => {
        const { theilSen, ...line } = fitLine(
          points.map(p => p[0]),
          points.map(p => p[1]),
        )
        const numbers = [...Object.values(line).flat(), ...Object.values(theilSen ?? {})]
        expect(numbers.some(Number.isNaN)).toBe(false)
      }),
    )
  })

  it('follows shifts and scales', () => {
    const value = fc.nat(1000).map(v => v / 1000)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(value, value), { maxLength: 20 }),
        fc.integer({ min: 1, max: 9 }),
        (points, factor) => {
          const [x, y] = [points.map(p => p[0]), points.map(p => p[1])]
          const line = fitLine(x, y)
          const moved = fitLine(
            x,
            y.map(v => factor * v + 3),
          )
          expect((moved.slope ?? 0) / factor).toBeCloseTo(line.slope ?? 0, 8)
          expect(moved.r2 ?? 0).toBeCloseTo(line.r2 ?? 0, 8)
          expect((moved.theilSen?.slope ?? 0) / factor).toBeCloseTo(line.theilSen?.slope ?? 0, 8)
        },
      ),
    )
  })
})

describe('progress', () => {
  const imagenet = [0.5, 0.6, 0.7, 0.8]
  const rows = {
    'imagenet-1k': imagenet,
    fast: imagenet.map(v => 2 * v - 0.8),
    slow: imagenet.map(v => 0.5 * v),
    'imagenet-r': [0.1, 0.3, 0.5, 0.6],
  }

  it('gives the gap as difference, ratio and by improvements', () => {
    const gap = progressGap(table(rows), { standard: 'fast', geographic: 'slow' })
    expect(gap.difference).toBeCloseTo(1.5, 12)
    expect(gap.ratio).toBeCloseTo(4, 12)
    expect(gap.byImprovements).toBeCloseTo(1.5, 12)
  })

  it('averages rates over benchmarks but takes the fit of the mean accuracy', () => {
    const both = progressRate(table(rows), ['fast', 'imagenet-r'])
    const [a, b] = [progressRate(table(rows), 'fast'), progressRate(table(rows), 'imagenet-r')]
    expect(both.slope).toBeCloseTo((a.slope! + b.slope!) / 2, 12)
    expect(both.netImprovement).toBeCloseTo((0.6 + 0.5) / 2, 12)
    const fit = fitLine(
      imagenet,
      imagenet.map((_, i) => (rows.fast[i]! + rows['imagenet-r'][i]!) / 2),
    )
    expect(both.r2).toBeCloseTo(fit.r2!, 12)
    expect(oodBenchmarks).toHaveLength(3)
  })

  it('names models without a value, such as half of them', () => {
    const rate = progressRate(table({ ...rows, slow: [0.25, null, 0.35, null] }), 'slow')
    expect(rate).toMatchObject({
      n: 2,
      reason: 'two models: no standard error',
      models: ['m0', 'm2'],
    })
    expect(rate.leftOut).toEqual([
      { model: 'm1', reason: 'no accuracy on slow' },
      { model: 'm3', reason: 'no accuracy on slow' },
    ])
    const gap = progressGap(table({ ...rows, slow: [0.25, null, null, null] }), {
      standard: 'fast',
      geographic: 'slow',
    })
    expect(gap).toMatchObject({
      difference: null,
      ratio: null,
      reason: 'one model: a line needs two',
    })
    expect(progressRate(table(rows), 'nothing')).toMatchObject({
      slope: null,
      netImprovement: null,
      reason: 'no models',
    })
  })

  it('takes an explicit set of models', () => {
    const rate = progressRate(table(rows), 'imagenet-r', { models: ['m0', 'm1', 'm2', 'other'] })
    expect(rate.slope).toBeCloseTo(2, 12)
    expect(rate.leftOut).toEqual([
      { model: 'other', reason: 'no accuracy on imagenet-1k, imagenet-r' },
    ])
  })

  it('transforms both axes, and leaves out what has no logit', () => {
    const perfect = table({ 'imagenet-1k': [0.5, 0.6, 0.7, 0.9], r: [0.2, 0.4, 0.5, 1] })
    for (const axis of ['logit', 'probit'] as const) {
      const rate = progressRate(perfect, 'r', { axis })
      expect(rate.leftOut).toEqual([
        { model: 'm3', reason: `an accuracy of 0 or 1 has no ${axis}` },
      ])
      expect(rate.n).toBe(3)
    }
    const line = progressRate(table({ 'imagenet-1k': [0.5, 0.6, 0.7], r: [0.5, 0.6, 0.7] }), 'r', {
      axis: 'logit',
    })
    expect(line.slope).toBeCloseTo(1, 12)
  })

  it('gives no ratio against a falling benchmark', () => {
    const gap = progressGap(
      table({ 'imagenet-1k': imagenet, up: imagenet, down: imagenet.map(v => 1 - v) }),
      { standard: 'up', geographic: 'down' },
    )
    expect(gap).toMatchObject({ ratio: null, reason: 'no ratio: the rate on down is not positive' })
    expect(gap.difference).toBeCloseTo(2, 12)
    expect(gap.intervals.ratio).toBeNull()
  })

  it('names best and worst, and refuses bad rows', () => {
    expect(netImprovement(table(rows), 'imagenet-r')).toMatchObject({
      value: 0.5,
      best: 'm3',
      worst: 'm0',
      models: 4,
    })
    expect(netImprovement(table(rows), 'imagenet-r', ['m1'])).toMatchObject({
      value: 0,
      best: 'm1',
      worst: 'm1',
    })
    expect(netImprovement(table(rows), 'none')).toMatchObject({
      value: null,
      reason: 'no model has an accuracy on none',
    })
    const row = { model: 'a', benchmark: 'b', accuracy: 0.5 }
    expect(() => accuracyTable([row, row])).toThrow('duplicate row: a on b')
    expect(() => accuracyTable([{ ...row, accuracy: Number.NaN }])).toThrow(
      'accuracy of a on b is NaN, not in 0 … 1',
    )
    expect(() => accuracyTable([{ ...row, accuracy: 56 }])).toThrow('not in 0 … 1')
  })
})

// The golden cases lie beside the repository, not in it.
describe.skipIf(!shared)('golden lines', () => {
  it('agrees with SciPy on the published testbed to 1e-6', () => {
    const { models, expected } = testbed()
    const x = models.map(model => model.imagenet_top1!)
    let worst = 0
    for (const [benchmark, truth] of Object.entries(expected)) {
      const y = models.map(model => model[benchmark]!)
      const line = fitLine(x, y)
      const near = (ours: number, theirs: number) => {
        worst = Math.max(worst, Math.abs(ours - theirs))
        expect(Math.abs(ours - theirs)).toBeLessThan(1e-9)
      }
      expect(line.n).toBe(truth.n)
      near(line.slope!, truth.progress_rate)
      near(line.intercept!, truth.intercept)
      near(line.r2!, truth.r2)
      near(line.standardError!, truth.slope_stderr)
      near(line.spearman!, truth.spearman)
      near(line.interval![0], truth.slope_ci95[0])
      near(line.interval![1], truth.slope_ci95[1])
      expect(line.p! / truth.p).toBeCloseTo(1, 9)
      near(Math.max(...y) - Math.min(...y), truth.net_improvement)
    }
    expect(worst).toBeLessThan(1e-9)
  })
})
