import { describe, expect, it } from 'vitest'
import { inferDisparity } from '../../src/metrics/disparityInference.ts'
import { binomialSampler } from '../../scripts/coverageWorlds.ts'
import { mean } from '../../src/metrics/numbers.ts'
import { type Random, randomFrom } from '../../src/lib/random.ts'
import { long } from '../helpers/torture.ts'

/**
 * Simulated groups with a known gap. GEOGAP_COVERAGE sets the samples per setting: the default keeps the test short; with 1,000
 * the counts are close enough to read; scripts/coverage.ts makes the tables of docs/developers/coverage.md.
 */
const samples = Number(process.env.GEOGAP_COVERAGE ?? 40)

const shapes: Record<string, (position: number, last: number) => number> = {
  'one group behind': i => (i === 0 ? 0 : 1),
  'two camps': (i, last) => (i <= last / 2 ? 0 : 1),
  'evenly spread': (i, last) => i / last,
  'one ahead and one behind': (i, last) => (i === 0 ? 0 : i === last ? 1 : 0.5),
}

const uneven = Array.from({ length: 37 }, (_, i) =>
  Math.round(30 * (2000 / 30) ** (((i * 11) % 37) / 36)),
)

const designs: [name: string, sizes: number[]][] = [
  ['6 groups of 1,700', Array<number>(6).fill(1700)],
  ['6 groups of 245 to 1,101', [346, 618, 311, 1101, 245, 379]],
  ['37 groups of 1,700', Array<number>(37).fill(1700)],
  ['37 groups of 100', Array<number>(37).fill(100)],
  ['37 groups of 30 to 2,000', uneven],
]

interface Count {
  covered: number
  below: number
  above: number
  corrected: number
  raw: number
}

function simulate(sizes: readonly number[], gap: number, shape: string, random: Random): Count {
  const positions = sizes.map((_, i) => shapes[shape]!(i, sizes.length - 1))
  const shares = positions.map(position => 0.6 + gap * (position - mean(positions)))
  const draw = sizes.map((n, k) => binomialSampler(n, shares[k]!))
  const count = { covered: 0, below: 0, above: 0, corrected: 0, raw: 0 }
  for (let sample = 0; sample < samples; sample++) {
    const groups = sizes.map((n, k) => ({ group: `${k}`, n, top1: draw[k]!(random) }))
    const found = inferDisparity(groups, { seed: sample, draws: 500 })
    const interval = found.interval!
    if (interval[0] > gap + 1e-9) count.above++
    else if (interval[1] < gap - 1e-9) count.below++
    else count.covered++
    count.corrected += found.corrected! / samples
    count.raw += found.disparity! / samples
  }
  return count
}

const everySetting = designs.flatMap(([design, sizes]) => [
  { design, sizes, gap: 0, shape: 'one group behind' },
  ...[0.05, 0.15].flatMap(gap => Object.keys(shapes).map(shape => ({ design, sizes, gap, shape }))),
])

/** All settings take two minutes; a fourth of them reaches each design, gap and shape. */
const settings = long ? everySetting : everySetting.filter((_, i) => i % 4 === 1)

describe('coverage of the 95 % interval of a disparity', () => {
  const random = randomFrom(2024)
  const all: Count[] = []

  it.each(settings)('$design, gap $gap, $shape', ({ sizes, gap, shape }) => {
    const count = simulate(sizes, gap, shape, random)
    all.push(count)
    const share = count.covered / samples
    const noise = 3 * Math.sqrt((0.05 * 0.95) / samples)
    expect(share).toBeGreaterThan(0.92 - noise)
    expect(share).toBeLessThanOrEqual(Math.min(1, 0.98 + noise))
    expect(Math.abs(count.corrected - gap)).toBeLessThan(Math.max(0.025, count.raw - gap))
    if (process.env.GEOGAP_COVERAGE) {
      const points = (value: number) => (100 * value).toFixed(1)
      console.log(
        `${points(share)} % | too high ${count.above} | too low ${count.below} | mean corrected ${points(count.corrected)}, observed ${points(count.raw)}`,
      )
    }
  })

  it('is 95 % on average over the settings', () => {
    const covered = all.reduce((sum, count) => sum + count.covered, 0) / (all.length * samples)
    expect(covered).toBeGreaterThan(0.94)
    expect(covered).toBeLessThan(0.975)
  })
})

/** Regions of households whose images share their luck: a household's chance is 1 or 0 with probability `shared`. */
function households(
  counts: readonly number[],
  chances: readonly number[],
  shared: number,
  random: Random,
) {
  return counts.flatMap((count, region) =>
    Array.from({ length: count }, (_, i) => {
      const n = 2 + Math.floor(random() * 9)
      const chance = random() < shared ? Number(random() < chances[region]!) : chances[region]!
      let top1 = 0
      for (let image = 0; image < n; image++) if (random() < chance) top1++
      return { group: `region ${region}`, cluster: `${region}-${i}`, n, top1 }
    }),
  )
}

describe('coverage with households', () => {
  const random = randomFrom(77)

  it.each([0, 0.15])('gap %d', gap => {
    const runs = Math.round(samples * 1.5)
    let [covered, naive] = [0, 0]
    for (let sample = 0; sample < runs; sample++) {
      const chances = [0.65 - gap, 0.65, 0.65, 0.65, 0.65, 0.65]
      const clusters = households([60, 90, 120, 160, 70, 100], chances, 0.3, random)
      const groups = chances.map((_, region) => {
        const mine = clusters.filter(cluster => cluster.group === `region ${region}`)
        const sum = (of: 'n' | 'top1') => mine.reduce((total, cluster) => total + cluster[of], 0)
        return { group: `region ${region}`, n: sum('n'), top1: sum('top1') }
      })
      const contains = ({ interval }: { interval: readonly [number, number] | null }) =>
        interval![0] <= gap + 1e-9 && interval![1] >= gap - 1e-9
      if (contains(inferDisparity(groups, { seed: sample, draws: 300, clusters }))) covered++
      if (contains(inferDisparity(groups, { seed: sample, draws: 300 }))) naive++
    }
    if (process.env.GEOGAP_COVERAGE)
      console.log(`gap ${gap}: ${covered} of ${runs}; images taken as independent: ${naive}`)
    const noise = 3 * Math.sqrt((0.05 * 0.95) / runs)
    expect(covered / runs).toBeGreaterThan(0.92 - noise)
    expect(naive).toBeLessThan(covered)
  })
})
