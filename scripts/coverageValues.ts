/** Worlds for `scripts/coverage.ts` of means of values between 0 and 1, and of shrunken accuracies of cells. */
import { type Random, randomFrom } from '../src/lib/random.ts'
import { clusteredAccuracy, clusterMoments, effectiveCounts } from '../src/metrics/designEffect.ts'
import { normalQuantile, tQuantile } from '../src/metrics/distributions.ts'
import { type Interval, wilson } from '../src/metrics/intervals.ts'
import { mean, sum } from '../src/metrics/numbers.ts'
import { type ClusterCounts } from '../src/metrics/permutationTest.ts'
import { shrunkenShares } from '../src/metrics/shrinkage.ts'
import { valueClusterings } from '../src/metrics/valueMeans.ts'
import { Tally } from './coverageTally.ts'
import { betaChance, binomial, normal } from './coverageWorlds.ts'

/** Groups of images whose values are reciprocal ranks or probabilities of the right class. */
interface ValueWorld {
  /** What a value is: how it follows from a skill that is normal over images with variance 1. */
  metric: 'mrr' | 'probability'
  /** Mean skill of each group. */
  skills: readonly number[]
  /** Households of each group; of images if `most` is 1. */
  count: number
  /** Most images of a household. */
  most: number
  /** Correlation of the skills of a household's images. */
  rho: number
}

const alike = (groups: number, skill: number): number[] => new Array<number>(groups).fill(skill)

const valueWorlds: readonly ValueWorld[] = [
  { metric: 'mrr', skills: alike(4, 0.5), count: 40, most: 1, rho: 0 },
  { metric: 'mrr', skills: alike(4, 1.6), count: 100, most: 1, rho: 0 },
  { metric: 'mrr', skills: [-1, -0.8, -0.6, -0.4, -0.2, 0], count: 400, most: 1, rho: 0 },
  { metric: 'mrr', skills: alike(2, 2.4), count: 2000, most: 1, rho: 0 },
  { metric: 'probability', skills: alike(4, 0.3), count: 40, most: 1, rho: 0 },
  { metric: 'probability', skills: alike(4, 1.5), count: 40, most: 1, rho: 0 },
  { metric: 'probability', skills: alike(6, -0.5), count: 400, most: 1, rho: 0 },
  { metric: 'probability', skills: alike(2, 2.2), count: 2000, most: 1, rho: 0 },
  { metric: 'mrr', skills: alike(4, 0.5), count: 15, most: 15, rho: 0.3 },
  { metric: 'mrr', skills: [0, 0.3, 0.6, 0.9, 1.2], count: 30, most: 20, rho: 0.1 },
  { metric: 'mrr', skills: alike(8, 0.8), count: 8, most: 30, rho: 0.5 },
  { metric: 'mrr', skills: alike(6, 1.8), count: 25, most: 12, rho: 0.4 },
  { metric: 'probability', skills: alike(4, 0.3), count: 15, most: 15, rho: 0.3 },
  { metric: 'probability', skills: [0.2, 0.5, 0.8, 1.1, 1.4], count: 50, most: 20, rho: 0.2 },
  { metric: 'probability', skills: alike(8, 0), count: 10, most: 8, rho: 0.7 },
  { metric: 'probability', skills: alike(3, 1), count: 6, most: 40, rho: 0.3 },
]

const classes = 1000

/** Returns an image's value by its skill: the reciprocal of a rank among 1,000 classes, or a probability. */
function valueOf(metric: ValueWorld['metric'], skill: number): number {
  if (metric === 'probability') return 1 / (1 + Math.exp(-3 * skill))
  const beaten = 1 / (1 + Math.exp(1.7 * (skill + 0.8)))
  return 1 / (1 + Math.floor((classes - 1) * beaten ** 2))
}

/** Returns the mean value of a group, over quantiles of the skill. */
const trueMean = (metric: ValueWorld['metric'], skill: number): number =>
  mean(
    Array.from({ length: 100_000 }, (_, i) =>
      valueOf(metric, skill + normalQuantile((i + 0.5) / 100_000)),
    ),
  )

const valueText = ({ metric, skills, count, most, rho }: ValueWorld, truths: number[]): string => {
  const [least, largest] = [Math.min(...truths), Math.max(...truths)].map(x => x.toFixed(2))
  const units =
    most === 1 ? `${count} images` : `${count} households of 1 to ${most}, correlation ${rho}`
  return `${metric === 'mrr' ? 'reciprocal ranks' : 'probabilities'}, ${skills.length} of ${units}, mean ${least!}${least === largest ? '' : ` to ${largest!}`}`
}

/** Draws the households of a group, with the sums of their images' values. */
function drawValues({ metric, count, most, rho }: ValueWorld, skill: number, random: Random) {
  return Array.from({ length: count }, () => {
    const n = Math.max(1, Math.round(most ** random()))
    const home = Math.sqrt(rho) * normal(random)
    const values = Array.from({ length: n }, () =>
      valueOf(metric, skill + home + Math.sqrt(1 - rho) * normal(random)),
    )
    return { n, top1: sum(values), squares: sum(values.map(value => value * value)) }
  })
}

/** Returns the interval of Student's t of a mean over households, whose deviations from the mean are added up (linearization). */
function studentInterval(homes: readonly { n: number; top1: number }[]): Interval {
  const n = sum(homes.map(home => home.n))
  const center = sum(homes.map(home => home.top1)) / n
  const squares = sum(homes.map(home => (home.top1 - center * home.n) ** 2))
  const error = Math.sqrt((squares * homes.length) / (homes.length - 1)) / n
  const half = tQuantile(0.975, homes.length - 1) * error
  return [center - half, center + half]
}

/** Column names of the table of shrunken accuracies. */
export const shrunkenHead = [
  'cells and their true accuracies',
  'shrunken',
  'each alone',
  'worst cell, shrunken',
  'worst cell, alone',
]

/** Rows of coverage of means of values, of a quarter of the samples: as geogap gives them, and by Student's t. */
export const valueRows = (samples: number): string[][] =>
  valueWorlds.map(world => {
    const random = randomFrom(20_270)
    const truths = world.skills.map(skill => trueMean(world.metric, skill))
    const tallies = [new Tally(), new Tally()] as const
    for (let i = 0; i < samples / 4; i++) {
      const homes = world.skills.map(skill => drawValues(world, skill, random))
      const moments = clusterMoments(
        homes.flatMap((own, k) =>
          own.map((home, h): ClusterCounts => ({ group: `${k}`, cluster: `${k} ${h}`, ...home })),
        ),
      )
      const clusterings = valueClusterings(moments)
      for (const [k, { group, n, top1 }] of moments.entries()) {
        const found = clusteredAccuracy({ n, top1 }, clusterings.get(group)!)
        tallies[0].add(found.interval, truths[k]!)
        tallies[1].add(studentInterval(homes[k]!), truths[k]!)
      }
    }
    return [valueText(world, truths), ...tallies.map(tally => tally.text(1, 100))]
  })

/** Cells with true accuracies of some distribution. */
interface CellWorld {
  text: string
  cells: number
  chance: (random: Random) => number
  /** Images of a cell, or households. */
  least: number
  largest: number
  /** Most images of a household. */
  most: number
  rho: number
}

/** Returns a draw from the beta distribution with a mean, and with the weight of so many images. */
const beta =
  (center: number, weight: number) =>
  (random: Random): number =>
    betaChance(center, 1 / (1 + weight), random)

const camps = (random: Random): number => (random() < 0.5 ? 0.6 : 0.9)
const logitNormal = (random: Random): number => 1 / (1 + Math.exp(-1 - normal(random)))

const images = (
  text: string,
  cells: number,
  [chance, least, largest]: [CellWorld['chance'], number, number],
): CellWorld => ({
  text: `${cells} cells of ${least === largest ? '' : `${least} to `}${largest} images, ${text}`,
  cells,
  chance,
  least,
  largest,
  most: 1,
  rho: 0,
})

const housed = (
  text: string,
  cells: number,
  [chance, count, most, rho]: [CellWorld['chance'], number, number, number],
): CellWorld => ({
  text: `${cells} cells of ${count} households of 1 to ${most}, correlation ${rho}, ${text}`,
  cells,
  chance,
  least: count,
  largest: count,
  most,
  rho,
})

const cellWorlds: readonly CellWorld[] = [
  images('beta, mean .67, weight 9', 144, [beta(0.667, 9), 3, 30]),
  images('beta, mean .7, weight 20', 60, [beta(0.7, 20), 30, 30]),
  images('beta, mean .7, weight 30', 6, [beta(0.7, 30), 200, 200]),
  images('all .8', 12, [() => 0.8, 50, 50]),
  images('beta, mean .91, weight 22', 20, [beta(0.91, 22), 5, 500]),
  images('beta, mean .5, weight 4', 600, [beta(0.5, 4), 1, 10]),
  images('camps .6 and .9', 40, [camps, 40, 40]),
  images('beta, mean .75, weight 40', 8, [beta(0.75, 40), 30, 3000]),
  images('logit-normal', 100, [logitNormal, 20, 20]),
  images('beta, mean .6, weight 10', 3, [beta(0.6, 10), 100, 100]),
  images('all .99', 30, [() => 0.99, 40, 40]),
  housed('beta, mean .7, weight 10', 60, [beta(0.7, 10), 10, 6, 0.3]),
  housed('beta, mean .7, weight 20', 24, [beta(0.7, 20), 15, 15, 0.3]),
  housed('beta, mean .8, weight 40', 6, [beta(0.8, 40), 40, 20, 0.2]),
  housed('beta, mean .6, weight 8', 144, [beta(0.6, 8), 3, 10, 0.4]),
  housed('all .85', 40, [() => 0.85, 8, 20, 0.25]),
]

/** Draws the households of the cells of a world. */
function drawCells(world: CellWorld, random: Random) {
  const truths = Array.from({ length: world.cells }, () => world.chance(random))
  const clusters = truths.flatMap((truth, k): ClusterCounts[] => {
    const { least, largest, most, rho } = world
    const count = Math.round(least * (largest / least) ** random())
    const group = `${k}`
    if (most === 1)
      return [{ group, cluster: group, n: count, top1: binomial(count, truth, random) }]
    return Array.from({ length: count }, (_, h) => {
      const n = Math.max(1, Math.round(most ** random()))
      const top1 = binomial(n, betaChance(truth, rho, random), random)
      return { group, cluster: `${k} ${h}`, n, top1 }
    })
  })
  return { truths, moments: clusterMoments(clusters) }
}

/**
 * Rows of coverage of shrunken accuracies and of those of each cell alone (Wilson), over all cells and of the one that seems worst, of an
 * eighth of the samples.
 */
export const shrunkenRows = (samples: number): string[][] =>
  cellWorlds.map(world => {
    const random = randomFrom(20_271)
    const tallies = Array.from({ length: 4 }, () => new Tally())
    for (let i = 0; i < samples / 8; i++) {
      const { truths, moments } = drawCells(world, random)
      const effective = world.most > 1 ? effectiveCounts(moments) : null
      const cells = moments.map(({ group, n, top1 }) => effective?.get(group) ?? { n, hits: top1 })
      const shrunken = shrunkenShares(cells)
      const alone = cells.map(({ n, hits }) => ({ value: hits / n, interval: wilson(hits, n) }))
      for (const [side, found] of [shrunken, alone].entries()) {
        const worst = found.reduce((a, b, k) => (b.value < found[a]!.value ? k : a), 0)
        for (const [k, { interval }] of found.entries()) tallies[side]!.add(interval, truths[k]!)
        tallies[2 + side]!.add(found[worst]!.interval, truths[worst]!)
      }
    }
    return [world.text, ...tallies.map(tally => tally.text(1, 100))]
  })
