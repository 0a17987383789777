import { describe, expect, it } from 'vitest'
import { type DatasetCounts } from '../../src/analysis/datasetCounts.ts'
import { findingOf } from '../../src/dashboard/findings.ts'

/** Two regions of 100 images each; `right` has a model's images that are right in either. */
const cubeOf = (right: Record<string, readonly [number, number]>, n = 100): DatasetCounts => ({
  values: { region: ['Europe', 'Africa'], country: [], income: [], label: ['cup'] },
  isClustered: false,
  codes: { region: [0, 1], country: [-1, -1], income: [-1, -1], label: [0, 0] },
  models: new Map(
    Object.entries(right).map(([model, top1]) => [
      model,
      { n: [n, n], top1, top5: [n, n], errors: [0, 0], households: null },
    ]),
  ),
})

describe('what a data set shows', () => {
  const standard = cubeOf({ a: [40, 40], b: [50, 50], c: [60, 60] })
  const street = cubeOf({ a: [40, 30], b: [45, 35], c: [60, 30] })

  it('is its best model, the regions between which that differs most, and the gain per point', () => {
    const found = findingOf(street, standard)!
    expect(found).toMatchObject({ best: 'c', rate: { n: 200, top1: 0.45 } })
    expect(found.disparity).toMatchObject({
      best: 'Europe',
      worst: 'Africa',
      bestAccuracy: 0.6,
      worstAccuracy: 0.3,
    })
    expect(found.disparity!.interval![0]).toBeGreaterThan(0.1)
    expect(found.gain).toMatchObject({ models: 3 })
    expect(found.gain!.slope).toBeCloseTo(0.5, 12)
    expect(found.gain!.interval![0]).toBeLessThan(0.5)
  })

  it('has no gain against itself, and no regions where they are too small', () => {
    expect(findingOf(standard, standard)!.gain).toBeNull()
    expect(findingOf(cubeOf({ a: [9, 3] }, 10), undefined)).toMatchObject({
      best: 'a',
      disparity: { disparity: null },
      gain: null,
    })
  })

  it('does not take a model that is half done for the best', () => {
    const zero = [20, 0]
    const running = { n: zero, top1: zero, top5: zero, errors: [0, 0], households: null }
    const cube = { ...street, models: new Map([...street.models, ['d', running]]) }
    expect(findingOf(cube, undefined)!.best).toBe('c')
  })

  it('is nothing without a prediction', () => {
    expect(findingOf(cubeOf({}), undefined)).toBeNull()
  })
})
