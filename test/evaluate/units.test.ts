import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planModelGroups, joinUnits, takeShare, splitIntoUnits } from '../../src/evaluate/units.ts'
import { estimateCost } from '../../src/evaluate/imageCost.ts'
import { resolveModel } from '../../src/models/catalog.ts'

const target = (images: number) => ({
  suits: 'all' as const,
  dataset: { samples: new Array<never>(images) },
})
const names = ['resnet18', 'resnet50', 'vit_base_patch16_224', 'mobilenetv3_small_100']
const specs = names.map(name => resolveModel(name))

it('units take one to five minutes of four cores, but for the last of a group', () => {
  const groups = planModelGroups([target(300_000)], specs, { preprocessing: 'paper' })
  expect(groups.flatMap(({ models }) => models).sort()).toEqual(
    specs.map(({ name }) => name).sort(),
  )
  for (const { group, start, end } of splitIntoUnits(groups)) {
    const { seconds, unit, shard } = groups[group]!
    expect(unit % shard).toBe(0)
    if (end === 300_000) continue
    const minutes = ((end - start) * seconds) / 4 / 60
    expect(minutes).toBeGreaterThan(1)
    expect(minutes).toBeLessThan(5)
  }
  expect(estimateCost(4e9).infer).toBeGreaterThan(estimateCost(1e8).infer)
})

it('shares are disjoint, cover everything, and cost about the same', () => {
  const groups = planModelGroups([target(30_000), target(1000), target(7)], specs, {
    preprocessing: 'native',
  })
  const units = splitIntoUnits(groups)
  const cost = (list: typeof units) =>
    list.reduce((sum, { group, start, end }) => sum + (end - start) * groups[group]!.seconds, 0)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 * units.length }), count => {
      const shares = Array.from({ length: count }, (_, i) =>
        takeShare(units, groups, { index: i + 1, count }),
      )
      expect(shares.flat()).toEqual(units)
      const largest = Math.max(...units.map(unit => cost([unit])))
      for (const share of shares)
        expect(cost(share)).toBeLessThanOrEqual(cost(units) / count + largest + 1e-9)
    }),
    { numRuns: 50 },
  )
  const images = (list: typeof units) => list.reduce((sum, { start, end }) => sum + end - start, 0)
  expect(joinUnits(units)).toHaveLength(groups.length)
  expect(images(joinUnits(units))).toBe(images(units))
})
