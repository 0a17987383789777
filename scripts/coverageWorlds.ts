/** Worlds of known truth for `scripts/coverage.ts`. The settings were chosen before any of them was looked at. */
import { fillNormal } from '../src/metrics/samplers.ts'
import { clusterMoments } from '../src/metrics/designEffect.ts'
import { type ClusterCounts } from '../src/metrics/permutationTest.ts'
import { type Random } from '../src/lib/random.ts'

export const normal = (random: Random): number => fillNormal(new Float64Array(1), random)[0]!

/** Returns a sampler of binomial numbers, by inversion of the summed chances. */
export function binomialSampler(n: number, chance: number): (random: Random) => number {
  const steps = new Float64Array(n + 1)
  let logChance = n * Math.log1p(-chance)
  for (let k = 0; k <= n; k++) {
    steps[k] = (steps[k - 1] ?? 0) + Math.exp(logChance)
    logChance += Math.log(((n - k) * chance) / ((k + 1) * (1 - chance)))
  }
  return random => {
    const u = random()
    let [low, high] = [0, n]
    while (low < high) {
      const middle = (low + high) >> 1
      if (steps[middle]! > u) high = middle
      else low = middle + 1
    }
    return low
  }
}

const samplers = new Map<string, (random: Random) => number>()

/** Draws a binomial number; the samplers of large `n` are cached. */
export function binomial(n: number, chance: number, random: Random): number {
  if (chance <= 0 || chance >= 1) return chance <= 0 ? 0 : n
  if (n < 60) {
    let hits = 0
    for (let i = 0; i < n; i++) if (random() < chance) hits++
    return hits
  }
  const key = `${n} ${chance}`
  let sampler = samplers.get(key)
  if (!sampler) {
    sampler = binomialSampler(n, chance)
    if (samplers.size > 2000) samplers.clear()
    samplers.set(key, sampler)
  }
  return sampler(random)
}

function gamma(shape: number, random: Random): number {
  if (shape < 1) return gamma(shape + 1, random) * random() ** (1 / shape)
  const d = shape - 1 / 3
  for (;;) {
    const x = normal(random)
    const v = (1 + x / Math.sqrt(9 * d)) ** 3
    if (v > 0 && Math.log(random()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

/** A chance of mean `share` whose binary outcomes have the correlation `rho`. */
export function betaChance(share: number, rho: number, random: Random): number {
  if (rho === 0) return share
  if (rho >= 1) return Number(random() < share)
  const a = gamma((share * (1 - rho)) / rho, random)
  const b = gamma(((1 - share) * (1 - rho)) / rho, random)
  return a + b > 0 ? a / (a + b) : Number(random() < share)
}

/** Groups of images with true accuracies; with households, their numbers, sizes and correlations. */
export interface GroupWorld {
  text: string
  shares: readonly number[]
  /** Images of each group, if there are no households. */
  sizes?: readonly number[]
  /** Households of each group, their largest size and the correlation of their images. */
  households?: readonly { count: number; most: number; rho: number }[]
}

const alike = (count: number, value: number): number[] => Array<number>(count).fill(value)
const evenly = (count: number, low: number, high: number): number[] =>
  Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1))
const camps = (count: number, low: number, high: number): number[] =>
  Array.from({ length: count }, (_, i) => (i < count / 2 ? low : high))
/** Sizes from `least` to `most`, equally spaced on a logarithmic scale, in mixed order. */
const uneven = (count: number, least: number, most: number): number[] =>
  Array.from({ length: count }, (_, i) =>
    Math.round(least * (most / least) ** (((i * 7) % count) / Math.max(1, count - 1))),
  )

const plain = (text: string, sizes: readonly number[], shares: readonly number[]): GroupWorld => ({
  text,
  sizes,
  shares,
})
const homes = (
  text: string,
  shares: readonly number[],
  households: NonNullable<GroupWorld['households']>,
): GroupWorld => ({ text, shares, households })

/** The settings that were reported, then those chosen before looking. */
export const groupWorlds: readonly GroupWorld[] = [
  plain('6 of 100, all .99', alike(6, 100), alike(6, 0.99)),
  plain('20 of 100, all .99', alike(20, 100), alike(20, 0.99)),
  plain('6 of 250, all .99', alike(6, 250), alike(6, 0.99)),
  plain('6 of 150, all .98', alike(6, 150), alike(6, 0.98)),
  plain('6 of 40, all .965', alike(6, 40), alike(6, 0.965)),
  plain('2 of 40, both .60', alike(2, 40), alike(2, 0.6)),
  plain('2 of 40, .575 and .625', alike(2, 40), [0.575, 0.625]),
  homes('20 of one household', alike(20, 0.7), Array(20).fill({ count: 1, most: 40, rho: 0.3 })),
  homes(
    '6 of 8 to 50 households, correlation 0 to .6 by group',
    camps(6, 0.6, 0.75),
    [8, 50, 20, 12, 30, 40].map((count, i) => ({ count, most: 12, rho: [0, 0.6, 0.3][i % 3]! })),
  ),
  plain('2 of 60 and 900, both .995', [60, 900], alike(2, 0.995)),
  plain('2 of 300, .90 and .995', alike(2, 300), [0.9, 0.995]),
  plain('3 of 30 to 300, all .95', uneven(3, 30, 300), alike(3, 0.95)),
  plain('4 of 50, one .5, others .8', alike(4, 50), [0.5, 0.8, 0.8, 0.8]),
  plain('5 of 2,000, all .995', alike(5, 2000), alike(5, 0.995)),
  plain('6 of 80 to 3,000, evenly .70 to .80', uneven(6, 80, 3000), evenly(6, 0.7, 0.8)),
  plain('8 of 60, camps .90 and .97', alike(8, 60), camps(8, 0.9, 0.97)),
  plain('12 of 30 to 200, all .5', uneven(12, 30, 200), alike(12, 0.5)),
  plain('15 of 400, one .94, others .99', alike(15, 400), [0.94, ...alike(14, 0.99)]),
  plain('37 of 30 to 2,000, evenly .85 to .95', uneven(37, 30, 2000), evenly(37, 0.85, 0.95)),
  plain('37 of 100, camps .80 and .95', alike(37, 100), camps(37, 0.8, 0.95)),
  plain('60 of 50, all .9', alike(60, 50), alike(60, 0.9)),
  plain('100 of 100, evenly .6 to .8', alike(100, 100), evenly(100, 0.6, 0.8)),
  plain('150 of 40 to 400, all .98', uneven(150, 40, 400), alike(150, 0.98)),
  plain('150 of 100, one .70, others .90', alike(150, 100), [0.7, ...alike(149, 0.9)]),
  homes('2 of 15 households, both .7, correlation .3', alike(2, 0.7), [
    { count: 15, most: 10, rho: 0.3 },
    { count: 15, most: 10, rho: 0.3 },
  ]),
  homes(
    '2 of 6 and 50 households, .6 and .8',
    [0.6, 0.8],
    [
      { count: 6, most: 20, rho: 0.2 },
      { count: 50, most: 20, rho: 0.2 },
    ],
  ),
  homes(
    '3 of 25 households, all .95',
    alike(3, 0.95),
    Array(3).fill({ count: 25, most: 15, rho: 0.4 }),
  ),
  homes(
    '5 of 10 to 50 households of 1 to 60',
    evenly(5, 0.55, 0.7),
    [10, 20, 30, 40, 50].map(count => ({ count, most: 60, rho: 0.1 })),
  ),
  homes(
    '10 of 5 to 50 households, correlation .8',
    alike(10, 0.8),
    uneven(10, 5, 50).map(count => ({ count, most: 8, rho: 0.8 })),
  ),
  homes(
    '20 of 30 households, independent images',
    evenly(20, 0.5, 0.6),
    Array(20).fill({ count: 30, most: 10, rho: 0 }),
  ),
  homes(
    '40 of 4 to 50 households',
    alike(40, 0.85),
    uneven(40, 4, 50).map(count => ({ count, most: 20, rho: 0.25 })),
  ),
]

export interface GroupSample {
  groups: { group: string; n: number; top1: number }[]
  clusters: ClusterCounts[] | undefined
}

/** Draws the groups of a world; households are drawn anew, so that their sizes vary too. */
export function drawGroups({ shares, sizes, households }: GroupWorld, random: Random): GroupSample {
  if (!households) {
    const groups = shares.map((share, i) => ({
      group: `${i}`,
      n: sizes![i]!,
      top1: binomial(sizes![i]!, share, random),
    }))
    return { groups, clusters: undefined }
  }
  const clusters = shares.flatMap((share, i) => {
    const { count, most, rho } = households[i]!
    return Array.from({ length: count }, (_, k) => {
      const n = Math.max(1, Math.round(most ** (count === 1 ? 1 : random())))
      const top1 = binomial(n, betaChance(share, rho, random), random)
      return { group: `${i}`, cluster: `${i} ${k}`, n, top1 }
    })
  })
  const groups = clusterMoments(clusters).map(({ group, n, top1 }) => ({ group, n, top1 }))
  return { groups, clusters }
}

/** Models in families on a line. */
export interface ModelWorld {
  text: string
  models: number
  families: number
  /** Each family has about this share of the models of the one before. */
  taper: number
  /** Share of the variance of x that is between families. */
  between: number
  /** Share of the variance of the deviations that families share. */
  shared: number
  /** True accuracies on the reference lie within this width around .7. */
  width: number
  /** Images of the reference; Infinity for exact accuracies. */
  images: number
  /** Deviations from the line, as a standard deviation. */
  noise: number
  /** Deviations of the families' slopes, as a standard deviation. */
  slopes: number
}

const world = (
  models: number,
  families: number,
  options: Partial<Omit<ModelWorld, 'models' | 'families' | 'text'>>,
): ModelWorld => {
  const all = {
    taper: 1,
    between: 0.5,
    shared: 0.5,
    width: 0.3,
    images: 50_000,
    noise: 0.03,
    slopes: 0,
    ...options,
  }
  const images = all.images === Infinity ? '' : `, ${all.images.toLocaleString('en-US')} images`
  const sizes = all.taper < 1 ? ' of unequal size' : ''
  const text = `${models} in ${families}${sizes}, ${Math.round(100 * all.shared)} % shared, ${Math.round(100 * all.between)} % of x between, ${Math.round(100 * all.width)} points${images}${all.slopes > 0 ? `, slopes ± ${all.slopes}` : ''}`
  return { models, families, text, ...all }
}

export const modelWorlds: readonly ModelWorld[] = [
  world(10, 10, { shared: 0 }),
  world(20, 20, { shared: 0 }),
  world(20, 5, { shared: 0.9 }),
  world(98, 12, { shared: 0.9 }),
  world(20, 20, { shared: 0, width: 0.05, images: 1000, noise: 0.01 }),
  world(98, 98, { shared: 0, width: 0.05, images: 1000, noise: 0.01 }),
  world(3, 3, { shared: 0 }),
  world(4, 3, { shared: 0.5 }),
  world(6, 2, { shared: 0.5 }),
  world(8, 4, { between: 0.9, shared: 0.9 }),
  world(10, 3, { taper: 0.5, between: 0.2 }),
  world(15, 6, { taper: 0.6, between: 0.8 }),
  world(25, 8, { images: 2000, width: 0.1 }),
  world(30, 3, { between: 0.9, shared: 0.8 }),
  world(40, 16, { taper: 0.8, shared: 0.3 }),
  world(60, 7, { width: 0.5, noise: 0.1 }),
  world(60, 10, { taper: 0.7, images: 5000, width: 0.08, noise: 0.01 }),
  world(98, 4, { between: 0.8, shared: 0.9 }),
  world(98, 9, { taper: 0.7, between: 0.1, shared: 0.7 }),
  world(98, 16, { taper: 0.7, between: 0.6, shared: 0.6, images: 1000, width: 0.2 }),
]

/** Worlds for second opinions on a gap: with exact references for mixed models, then with errors of the reference. */
export const opinionWorlds: readonly ModelWorld[] = [
  world(12, 4, {}),
  world(15, 5, { between: 0.2 }),
  world(20, 5, { shared: 0.9 }),
  world(24, 6, { slopes: 0.5, taper: 0.7 }),
  world(30, 3, { between: 0.9, shared: 0.8 }),
  world(40, 8, { shared: 0 }),
  world(40, 16, { taper: 0.8, shared: 0.3 }),
  world(50, 7, { between: 0.9 }),
  world(60, 10, { slopes: 0.3 }),
  world(98, 12, { shared: 0.9 }),
  world(98, 12, { shared: 0.2, slopes: 0.2 }),
  world(98, 16, { taper: 0.7, slopes: 0.4 }),
  world(300, 30, { taper: 0.9, slopes: 0.3 }),
  world(25, 8, { images: 2000, width: 0.1 }),
  world(40, 10, { images: 500, width: 0.2 }),
  world(60, 20, { images: 1000, width: 0.08, noise: 0.01 }),
  world(98, 12, { images: 5000, width: 0.05, noise: 0.01 }),
  world(98, 16, { taper: 0.7, between: 0.6, shared: 0.6, images: 1000, width: 0.2 }),
  world(98, 98, { shared: 0, width: 0.05, images: 1000, noise: 0.01 }),
]

/** Family of each model: sizes fall by `taper`, and every family has a model. */
export function familySizes({ models, families, taper }: ModelWorld): number[] {
  const weights = Array.from({ length: families }, (_, i) => taper ** i)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const sizes = weights.map(weight => Math.max(1, Math.floor((weight / total) * models)))
  let left = models - sizes.reduce((sum, size) => sum + size, 0)
  for (let i = 0; left !== 0; i = (i + 1) % families) {
    const step = left > 0 ? 1 : sizes[i]! > 1 ? -1 : 0
    sizes[i] = sizes[i]! + step
    left -= step
  }
  return sizes
}

export interface ModelSample {
  model: string
  family: string
  x: number
  /** Deviations from two lines, those of a standard and of a geographic benchmark. */
  deviations: readonly [number, number]
  truth: number
}

export function drawModels(setting: ModelWorld, random: Random): ModelSample[] {
  const { between, shared, width, images, noise, slopes } = setting
  const bounded = (): number => Math.sqrt(3) * (2 * random() - 1)
  const samples = familySizes(setting).flatMap((size, f) => {
    const [place, first, second] = [bounded(), normal(random), normal(random)]
    const steep = slopes > 0 ? [slopes * normal(random), slopes * normal(random)] : [0, 0]
    return Array.from({ length: size }, (_, i): ModelSample => {
      const at = Math.sqrt(between) * place + Math.sqrt(1 - between) * bounded()
      const truth = 0.7 + (width / (2 * Math.sqrt(3))) * Math.max(-1.73, Math.min(1.73, at))
      const deviation = (common: number, slope: number): number =>
        noise * (Math.sqrt(shared) * common + Math.sqrt(1 - shared) * normal(random)) +
        slope * (truth - 0.7)
      return {
        model: `${f} ${i}`,
        family: `${f}`,
        truth,
        x: images === Infinity ? truth : binomialNormal(images, truth, random) / images,
        deviations: [deviation(first, steep[0]!), deviation(second, steep[1]!)],
      }
    })
  })
  return samples
}

/** A binomial number of many images, as the nearest whole number to a normal one. */
const binomialNormal = (n: number, share: number, random: Random): number =>
  Math.round(n * share + Math.sqrt(n * share * (1 - share)) * normal(random))
