import { describe, expect, it } from 'vitest'
import { createGeometryOf } from '../../../src/lib/pixels/geometry.ts'
import {
  centerCrop,
  imagenetMean,
  imagenetStd,
  type Interpolation,
  interpolations,
  normalize,
  resize,
} from '../../../src/lib/pixels/steps.ts'

const one = 1 << 22
/** Each result of an axis as [source position, weight] pairs. */
function taps(interpolation: Interpolation, from: number, to: number): [number, number][][] {
  const steps = [resize(to, interpolation), centerCrop(to), normalize(imagenetMean, imagenetStd)]
  const { bounds, weights, maxTaps, first } = createGeometryOf(steps)(from, from).across
  return Array.from({ length: to }, (_, i) =>
    Array.from({ length: bounds[2 * i + 1]! }, (_, k): [number, number] => [
      first + bounds[2 * i]! + k,
      weights[i * maxTaps + k]! / one,
    ]).filter(([, weight]) => Math.abs(weight) > 1e-6),
  )
}

describe('centerCrop', () => {
  it('splits an odd rest by rounding half to even, or by floor as Transformers does', () => {
    const first = (width: number, offset?: 'floor') => {
      const steps = [centerCrop(4, offset), normalize(imagenetMean, imagenetStd)]
      return createGeometryOf(steps)(4, width).across.first
    }
    expect([5, 7, 9, 10].map(width => first(width))).toEqual([0, 2, 2, 3])
    expect([5, 7, 9, 10].map(width => first(width, 'floor'))).toEqual([0, 1, 2, 3])
  })
})

describe("Pillow's filters", () => {
  it('take the nearest pixel', () => {
    const positions = (from: number, to: number) =>
      taps('nearest', from, to).map(found => found.map(([position]) => position))
    expect(positions(8, 4)).toEqual([[1], [3], [5], [7]])
    expect(positions(3, 6)).toEqual([[0], [0], [1], [1], [2], [2]])
    expect(positions(10, 3)).toEqual([[1], [5], [8]])
    // The center is exactly 225, and Pillow's sum of steps stays just below.
    expect(positions(300, 346)[259]).toEqual([224])
  })

  it('average whole boxes', () => {
    expect(taps('box', 6, 2)).toEqual([
      [0, 1, 2].map((position): unknown => [position, expect.closeTo(1 / 3, 6)]),
      [3, 4, 5].map((position): unknown => [position, expect.closeTo(1 / 3, 6)]),
    ])
  })

  it('weigh as their formulas say, for a crop in the middle of a long axis', () => {
    const sinc = (x: number): number => Math.sin(Math.PI * x) / (Math.PI * x)
    const middle = (interpolation: Interpolation) => new Map(taps(interpolation, 40, 20)[10])
    const ratio = (found: Map<number, number>, a: number, b: number) =>
      found.get(a)! / found.get(b)!
    // The center of result 10 is source 21: positions 20 and 21 are a quarter of a result away, 22 three quarters.
    const lanczos = (x: number): number => sinc(x) * sinc(x / 3)
    const hamming = (x: number): number => sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x))
    expect(ratio(middle('lanczos'), 22, 21)).toBeCloseTo(lanczos(0.75) / lanczos(0.25), 5)
    expect(ratio(middle('hamming'), 22, 21)).toBeCloseTo(hamming(0.75) / hamming(0.25), 5)
    expect(middle('lanczos').size).toBe(12)
    expect(middle('hamming').size).toBe(4)
  })

  it.each(interpolations)('%s: weights add up to one', interpolation => {
    for (const [from, to] of [
      [64, 32],
      [33, 32],
      [100, 17],
      [20, 32],
    ] as const)
      for (const found of taps(interpolation, from, to))
        expect(found.reduce((sum, [, weight]) => sum + weight, 0)).toBeCloseTo(1, 4)
  })

  it('of a size that was seen is kept, and others do not change it', () => {
    const geometryOf = createGeometryOf([centerCrop(4), normalize(imagenetMean, imagenetStd)])
    const first = geometryOf(5, 9)
    for (let width = 10; width < 60; width++) geometryOf(5, width)
    expect(geometryOf(5, 9)).toBe(first)
    for (let width = 10; width < 90; width++) geometryOf(5, width)
    expect(geometryOf(5, 9)).not.toBe(first)
    expect(geometryOf(5, 9)).toEqual(first)
  })
})
