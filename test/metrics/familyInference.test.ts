import { describe, expect, it } from 'vitest'
import {
  familyFromName,
  meanInference,
  slopeInference,
  slopeRatioInterval,
} from '../../src/metrics/familyInference.ts'
import { disparityTrend } from '../../src/metrics/disparityTrend.ts'
import { accuracyTable, progressRate } from '../../src/metrics/progress.ts'
import { fillNormal } from '../../src/metrics/samplers.ts'
import { randomFrom } from '../../src/lib/random.ts'

const x = [0.596, 0.647, 0.738, 0.43, 0.678, 0.536, 0.84, 0.432, 0.74, 0.835, 0.514, 0.848]
const y = [0.366, 0.468, 0.521, 0.217, 0.512, 0.328, 0.656, 0.199, 0.533, 0.634, 0.328, 0.662]
const families = Array.from('aaaaaabbcccd')

describe('slopeInference', () => {
  it('agrees with the matrix formulas of CR2 and its Satterthwaite freedom in NumPy', () => {
    const found = slopeInference({ x, families }, y, 0.95)
    expect(found.standardError).toBeCloseTo(0.0375835280752152, 12)
    expect(found.degreesOfFreedom).toBeCloseTo(2.694123625754566, 12)
    expect(found.p).toBeCloseTo(0.00020863826801290937, 12)
    expect(found.interval![0]).toBeCloseTo(0.9312241003662242, 10)
    expect(found.interval![1]).toBeCloseTo(1.1865624454830646, 10)
    const mean = meanInference(y, families, 0.95)
    expect(mean.standardError).toBeCloseTo(0.042225553762767744, 12)
    expect(mean.degreesOfFreedom).toBeCloseTo(1.6471909561464964, 12)
    expect(mean.interval![1]).toBeCloseTo(0.6765770793359959, 10)
  })

  it("is HC2 where every model is a family, as statsmodels' OLS has it", () => {
    const single = [0.756, 0.824, 0.601, 0.677, 0.64, 0.879, 0.559]
    const other = [0.591, 0.688, 0.399, 0.51, 0.535, 0.729, 0.308]
    const found = slopeInference({ x: single, families: Array.from('abcdefg') }, other, 0.95)
    expect(found.standardError).toBeCloseTo(0.1457439861497996, 12)
    expect(found.degreesOfFreedom).toBeCloseTo(2.9645246201819626, 10)
    const one = slopeInference({ x: single, families: Array.from('aaaaaaa') }, other, 0.95)
    expect(one).toEqual(found)
    const mean = meanInference(other, Array.from('abcdefg'), 0.95)
    expect(mean.degreesOfFreedom).toBeCloseTo(6, 10)
  })

  it('gives a reason instead of an interval', () => {
    expect(slopeInference({ x, families: Array.from('aaaaaabbbbbb') }, y, 0.95)).toMatchObject({
      interval: null,
      p: null,
      reason: 'no interval: 2 families of models, 3 needed',
    })
    const lone = { x: [0.5, 0.5, 0.5, 0.9], families: Array.from('abcd') }
    expect(slopeInference(lone, [0.1, 0.2, 0.3, 0.4], 0.95).reason).toBe(
      'no interval: the value rests on one family of models alone',
    )
    const noisy = { x, families, xVariances: x.map(() => 0.02) }
    expect(slopeInference(noisy, y, 0.95)).toMatchObject({
      interval: null,
      reason: 'no interval: x differs little more than by chance',
    })
    const flat = y.map((_, i) => 0.3 + 0.01 * (i % 3))
    expect(slopeRatioInterval({ x, families }, [y, flat], 0.95)).toEqual({
      interval: null,
      reason: 'no interval: the slope below may be 0',
    })
    expect(() => slopeInference({ x, families: ['a'] }, y, 0.95)).toThrow(
      '12 models but 1 families',
    )
  })

  it('has the ratio of a series to itself at 1, and inverts with the series', () => {
    const line = { x, families }
    const own = slopeRatioInterval(line, [y, y], 0.95).interval!
    expect(own[0]).toBeCloseTo(1, 6)
    expect(own[1]).toBeCloseTo(1, 6)
    const other = y.map((value, i) => 0.5 * value + 0.01 * Math.sin(7 * i))
    const [low, high] = slopeRatioInterval(line, [y, other], 0.95).interval!
    const [less, more] = slopeRatioInterval(line, [other, y], 0.95).interval!
    expect(less).toBeCloseTo(1 / high, 10)
    expect(more).toBeCloseTo(1 / low, 10)
  })
})

describe('familyFromName', () => {
  it.each([
    ['resnet50.a1_in1k', 'resnet'],
    ['hub:timm/resnet50.a1_in1k', 'resnet'],
    ['clip:ViT-B-32/laion400m_e31', 'laion'],
    ['models/Own.onnx', 'own'],
    ['50', '50'],
  ])('%s: %s', (name, family) => {
    expect(familyFromName(name)).toBe(family)
  })
})

/** Worlds of models in families that share a deviation; the accuracies on x are those of samples of images. */
function world(
  setting: { models: number; families: number; width: number; slope: number },
  seed: number,
) {
  const random = randomFrom(seed)
  const { models, families: count, width, slope } = setting
  const [shared, own, noise] = [count, models, models].map(n =>
    fillNormal(new Float64Array(n), random),
  ) as [Float64Array, Float64Array, Float64Array]
  const images = 1000
  return Array.from({ length: models }, (_, i) => {
    const truth = 0.75 + width * (random() - 0.5)
    const reference = truth + noise[i]! * Math.sqrt((truth * (1 - truth)) / images)
    const accuracy = 0.45 + slope * (truth - 0.75) + 0.02 * shared[i % count]! + 0.01 * own[i]!
    return { model: `${'abcdefghijklmnop'[i % count]!}${i}`, reference, accuracy, images }
  })
}

describe('coverage of the interval of a rate', () => {
  const samples = 200

  it.each([
    { models: 98, families: 8, width: 0.05, slope: 1.3 },
    { models: 20, families: 5, width: 0.3, slope: 1.3 },
    { models: 20, families: 4, width: 0.4, slope: 0 },
  ])('$models models in $families families over $width', setting => {
    let [covered, claimed] = [0, 0]
    for (let seed = 0; seed < samples; seed++) {
      const rows = world(setting, seed)
      const images = new Map(rows.map(row => [row.model, row.images]))
      const table = accuracyTable(
        rows.flatMap(({ model, reference, accuracy }) => [
          { model, benchmark: 'imagenet-1k', accuracy: reference },
          { model, benchmark: 'geode', accuracy },
        ]),
      )
      const { interval } = progressRate(table, 'geode', { images })
      if (interval === null || (interval[0] <= setting.slope && setting.slope <= interval[1]))
        covered++
      const points = rows.map(({ model, reference, accuracy }) => ({
        model,
        accuracy: reference,
        disparity: accuracy,
      }))
      const trend = disparityTrend(points, { images })
      if (trend.interval !== null && (trend.interval[0] > 0 || trend.interval[1] < 0)) claimed++
    }
    expect(covered / samples).toBeGreaterThan(0.9)
    if (setting.slope === 0) expect(claimed / samples).toBeLessThan(0.1)
  })
})
