/** Worlds for `scripts/coverage.ts` of gaps in parts, and of means over classes and over the worst groups. */
import { type Random, randomFrom } from '../src/lib/random.ts'
import { clusterMoments, groupClusterings } from '../src/metrics/designEffect.ts'
import { gapParts, type StratumCounts } from '../src/metrics/gapParts.ts'
import { macroEstimate, worstMean } from '../src/metrics/macroMean.ts'
import { mean } from '../src/metrics/numbers.ts'
import { Tally } from './coverageTally.ts'
import { drawGroups, groupWorlds } from './coverageWorlds.ts'

/** Two regions with a stated probability for each class × region × income. */
interface PartWorld {
  text: string
  classes: number
  incomes: number
  /** Images of both regions. */
  images: readonly [number, number]
  /** Images of a household. */
  home: number
  /** Chance that an image shares its household's luck. */
  shared: number
  /** Whether the photographs are the same in every sample, so that the truth is that of these. */
  areFixed: boolean
}

const settings: Omit<PartWorld, 'areFixed'>[] = [
  {
    text: '20 classes, 4 incomes, 1,000 and 1,000 images',
    classes: 20,
    incomes: 4,
    images: [1000, 1000],
    home: 1,
    shared: 0,
  },
  {
    text: '12 classes, 4 incomes, 60 and 60 households of 10',
    classes: 12,
    incomes: 4,
    images: [600, 600],
    home: 10,
    shared: 0.2,
  },
  {
    text: '10 classes, 4 incomes, 300 and 2,000 images',
    classes: 10,
    incomes: 4,
    images: [300, 2000],
    home: 1,
    shared: 0,
  },
  {
    text: '8 classes, 3 incomes, 40 and 120 households of 5',
    classes: 8,
    incomes: 3,
    images: [200, 600],
    home: 5,
    shared: 0.3,
  },
]
const partWorlds: PartWorld[] = settings.flatMap(world => [
  { ...world, areFixed: false },
  { ...world, text: `${world.text}, always these`, areFixed: true },
])

/** Shares of the classes and incomes of both regions, and the probability of a right answer in each cell. */
function stateWorld({ classes, incomes }: PartWorld, random: Random) {
  const shares = [0, 1].map(() => Array.from({ length: classes }, () => 0.3 + random()))
  const rich = Array.from({ length: incomes }, (_, q) => incomes - q)
  const base = Array.from({ length: classes }, () => 0.3 + 0.5 * random())
  const chance = [0.12, 0.05].map(shift =>
    base.map(value =>
      rich.map((_, q) => Math.min(0.98, value + shift - 0.05 * q + 0.04 * (random() - 0.5))),
    ),
  )
  return { shares, incomes: [rich, [...rich].reverse()], chance }
}

/** Returns a position drawn by its weight. */
function pick(weights: readonly number[], random: Random): number {
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0)
  let at = 0
  while (at < weights.length - 1 && left > weights[at]!) left -= weights[at++]!
  return at
}

type StatedWorld = ReturnType<typeof stateWorld>

/** Draws the photographs by `places` and the outcomes by `random`; returns the counts and the expected ones. */
function drawParts(
  world: PartWorld,
  stated: StatedWorld,
  { places, random }: { places: Random; random: Random },
) {
  const counts = new Map<string, StratumCounts>()
  const expected = new Map<string, StratumCounts>()
  const add = (into: Map<string, StratumCounts>, key: string, one: StratumCounts): void => {
    const known = into.get(key) ?? { ...one, n: 0, top1: 0 }
    into.set(key, { ...known, n: known.n + one.n, top1: known.top1 + one.top1 })
  }
  for (const side of [0, 1] as const)
    for (let h = 0; h < world.images[side] / world.home; h++) {
      const q = pick(stated.incomes[side]!, places)
      const luck = random()
      for (let k = 0; k < world.home; k++) {
        const c = pick(stated.shares[side]!, places)
        const chance = stated.chance[side]![c]![q]!
        const top1 = (random() < world.shared ? luck : random()) < chance ? 1 : 0
        const strata = [`class ${c}`, `income ${q}`]
        const cell = { group: 'AB'[side]!, strata, n: 1 }
        const cluster = world.home > 1 ? { cluster: `${side} ${h}` } : {}
        add(counts, JSON.stringify([side, c, q, cluster]), { ...cell, ...cluster, top1 })
        add(expected, JSON.stringify([side, c, q]), { ...cell, top1: chance })
      }
    }
  return { counts: [...counts.values()], expected: [...expected.values()] }
}

const valuesOf = (cells: readonly StratumCounts[]): number[] => {
  const { gap, parts, left } = gapParts(cells, ['A', 'B'])
  return [gap, ...parts, left].map(({ value }) => value!)
}

/** The parts of the stated probabilities and shares themselves. */
const trueParts = ({ shares, incomes, chance }: StatedWorld): number[] =>
  valuesOf(
    [0, 1].flatMap(side =>
      shares[side]!.flatMap((share, c) =>
        incomes[side]!.map((weight, q): StratumCounts => {
          const n = 1e6 * share * weight
          const strata = [`class ${c}`, `income ${q}`]
          return {
            group: 'AB'[side]!,
            strata,
            cluster: `${side} ${c} ${q}`,
            n,
            top1: n * chance[side]![c]![q]!,
          }
        }),
      ),
    ),
  )

/** Rows of coverage of the gap, the class part, the income part and what is left. */
export const partRows = (samples: number): string[][] =>
  partWorlds.map(world => {
    const stated = stateWorld(world, randomFrom(20_266))
    const population = trueParts(stated)
    const random = randomFrom(20_267)
    const tallies = [new Tally(), new Tally(), new Tally(), new Tally()]
    for (let i = 0; i < samples; i++) {
      const places = world.areFixed ? randomFrom(20_268) : random
      const { counts, expected } = drawParts(world, stated, { places, random })
      const truth = world.areFixed ? valuesOf(expected) : population
      const { gap, parts, left } = gapParts(counts, ['A', 'B'])
      for (const [k, { interval }] of [gap, ...parts, left].entries())
        tallies[k]!.add(interval, truth[k]!)
    }
    return [world.text, ...tallies.map(tally => tally.text(1, 100))]
  })

/** Rows of coverage of macro accuracy, with groups as classes, of the worst group and of the worst fifth. */
export const meanRows = (samples: number): string[][] =>
  groupWorlds.map(setting => {
    const random = randomFrom(20_269)
    const tallies = [new Tally(), new Tally(), new Tally()] as const
    const sorted = [...setting.shares].sort((a, b) => a - b)
    const truths = [mean(sorted), sorted[0]!, mean(sorted.slice(0, Math.ceil(sorted.length / 5)))]
    for (let i = 0; i < samples; i++) {
      const { groups, clusters } = drawGroups(setting, random)
      const clusterings = clusters && groupClusterings(clusterMoments(clusters))
      const clustered = groups.map(one => ({
        ...one,
        clustering: clusterings?.get(one.group) ?? null,
      }))
      const cells = (clusters ?? groups).map(one => ({ ...one, class: one.group }))
      tallies[0].add(macroEstimate(cells).interval, truths[0]!)
      tallies[1].add(worstMean(clustered, 0).interval, truths[1]!)
      tallies[2].add(worstMean(clustered, 0.2).interval, truths[2]!)
    }
    return [setting.text, ...tallies.map(tally => tally.text(1, 100))]
  })
