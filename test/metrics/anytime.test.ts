import { describe, expect, it } from 'vitest'
import {
  anytimeEstimate,
  anytimeExcludes,
  anytimeInterval,
  finiteInterval,
} from '../../src/metrics/anytime.ts'
import { type Random, randomFrom } from '../../src/lib/random.ts'
import { long } from '../helpers/torture.ts'

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/** Outcomes of models that agree on what is hard: `alike` is the share of the latent variance that they have in common. */
function world(
  random: Random,
  images: number,
  models: number,
  alike: number,
  ease: number,
): number[][] {
  const hardness = Array.from({ length: images }, () => normal(random))
  return Array.from({ length: models }, () =>
    hardness.map(x =>
      Number(ease + Math.sqrt(alike) * x + Math.sqrt(1 - alike) * normal(random) > 0),
    ),
  )
}

const counted = (models: readonly number[][]): number[] =>
  models[0]!.map((_, i) => models.reduce((sum, model) => sum + model[i]!, 0))

const stops = [3, 6, 12, 25, 50, 100, 160, 220, 280, 340, 380, 395]

const runs = long ? 1000 : 300

/** Share of the simulated runs in which the truth is left out at any of the stops. */
function missed(
  excludes: (outcomes: number[], bins: number[], truth: number) => boolean,
  bins: 'good' | 'bad',
): number {
  const random = randomFrom(11)
  let wrong = 0
  for (let run = 0; run < runs; run++) {
    const [outcomes, ...others] = world(random, 400, 5, 0.8, random() * 3 - 1)
    const known =
      bins === 'good'
        ? counted(others)
        : outcomes!.map(y => (random() < 0.5 ? 1 - y : Math.floor(random() * 4)))
    const truth = mean(outcomes!)
    if (stops.some(n => excludes(outcomes!.slice(0, n), known, truth))) wrong++
  }
  return wrong / runs
}

describe('an interval that is valid at any stopping time', () => {
  it('misses the truth, at any of twelve looks together, in at most 5 % of the runs', () => {
    expect(
      missed((outcomes, bins, truth) => anytimeExcludes({ outcomes, bins }, truth), 'good'),
    ).toBeLessThan(0.05)
    expect(
      missed((outcomes, bins, truth) => anytimeExcludes({ outcomes, bins }, truth), 'bad'),
    ).toBeLessThan(0.05)
    const targeted = (outcomes: number[], bins: number[], truth: number): boolean =>
      anytimeExcludes({ outcomes, bins }, truth, { target: 0.05 })
    expect(missed(targeted, 'good')).toBeLessThan(0.05)
  })

  it('has the ends beyond which every mean is left out', () => {
    const outcomes = world(randomFrom(3), 300, 1, 0.5, 0.4)[0]!.slice(0, 90)
    const visited = { outcomes, bins: new Array<number>(300).fill(0) }
    const [low, high] = anytimeInterval(visited)
    for (const [value, out] of [
      [low - 1e-6, true],
      [low + 1e-6, false],
      [high - 1e-6, false],
      [high + 1e-6, true],
    ] as const)
      expect(anytimeExcludes(visited, value)).toBe(out)
  })

  it('is the mean itself when all is read, and all that is possible before the first image', () => {
    const outcomes = [1, 0, 1, 1, 0]
    expect(anytimeInterval({ outcomes, bins: [0, 1, 0, 1, 0] })).toEqual([0.6, 0.6])
    expect(anytimeInterval({ outcomes: [], bins: [0, 1, 0] })).toEqual([0, 1])
    expect(anytimeEstimate({ outcomes, bins: [0, 1, 0, 1, 0] })).toBe(0.6)
  })

  it("needs fewer images when other models' outcomes are known", () => {
    const [outcomes, ...others] = world(randomFrom(7), 4000, 11, 0.9, 0.6)
    const read = outcomes!.slice(0, 1000)
    const width = (bins: number[]): number => {
      const [low, high] = anytimeInterval({ outcomes: read, bins }, { target: 0.02 })
      return high - low
    }
    expect(width(counted(others)) / width(new Array<number>(4000).fill(0))).toBeLessThan(0.7)
  })

  it('refuses more outcomes than images', () => {
    expect(() => anytimeInterval({ outcomes: [1, 0], bins: [0] })).toThrow(
      '2 outcomes of a list of 1 images',
    )
  })
})

describe('an interval from counts of a finite group', () => {
  it('misses the truth, at any of twelve looks together, in at most 5 % of the runs', () => {
    const excludes = (outcomes: number[], bins: number[], truth: number): boolean => {
      const [low, high] = finiteInterval({
        hits: Math.round(mean(outcomes) * outcomes.length),
        n: outcomes.length,
        total: bins.length,
      })!
      return truth < low - 1e-12 || truth > high + 1e-12
    }
    expect(missed(excludes, 'good')).toBeLessThan(0.05)
  })

  it('holds exactly the totals whose likelihood is not too small', () => {
    const [hits, n, total] = [7, 20, 60]
    const chance = (all: number): number => {
      let product = 1
      for (let i = 0; i < n; i++)
        product *= (i < hits ? all - i : total - all - (i - hits)) / (total - i)
      return product
    }
    const totals = Array.from({ length: total - n + 1 }, (_, i) => hits + i)
    const marginal = totals.reduce((sum, all) => sum + chance(all), 0) / (total + 1)
    const inside = totals.filter(all => chance(all) >= 0.05 * marginal)
    const [low, high] = finiteInterval({ hits, n, total })!
    expect(low).toBeCloseTo(inside[0]! / total, 12)
    expect(high).toBeCloseTo(inside.at(-1)! / total, 12)
  })

  it('shrinks to a point when all is read, and is null without images', () => {
    expect(finiteInterval({ hits: 3, n: 4, total: 4 })).toEqual([0.75, 0.75])
    expect(finiteInterval({ hits: 0, n: 0, total: 0 })).toBeNull()
    expect(() => finiteInterval({ hits: 1.5, n: 4, total: 9 })).toThrow('1.5 hits of 4 images of 9')
  })
})
