/*
 * How often a gate fails without a change, and how often it finds one, in simulated runs: the tables of docs/developers/gate.md.
 *
 *   npx tsx bench/gate.ts [share of the simulated runs, default 1]
 */
import {
  type GateCheck,
  judgeDisparities,
  judgeDrops,
  judgeWorst,
} from '../src/analysis/gateChecks.ts'
import { groupsWithEnough } from '../src/analysis/gate.ts'
import { clusterMoments } from '../src/metrics/designEffect.ts'
import { type Random, randomFrom } from '../src/lib/random.ts'
import { normal } from '../scripts/coverageWorlds.ts'
import { drawCountries, drawHouseholdCountries } from '../test/analysis/gateWorld.ts'

const scale = Number(process.argv[2] ?? 1)

/** Prints how many of the simulated runs fail, with the standard error, in percent. */
function measure(
  name: string,
  runs: number,
  judge: (random: Random) => readonly GateCheck[],
): void {
  const random = randomFrom(21)
  const total = Math.max(1, Math.round(runs * scale))
  let failed = 0
  for (let i = 0; i < total; i++)
    if (judge(random).some(({ verdict }) => verdict === 'broken')) failed++
  const share = failed / total
  const error = Math.sqrt(Math.max(share * (1 - share), 1 / total) / total)
  console.log(
    `${name.padEnd(84)}${(100 * share).toFixed(1).padStart(6)} % ± ${(100 * error).toFixed(1)}  (${total} runs)`,
  )
}

const subject = { model: 'm', dataset: 'd', group: 'g' }

function drawHits(n: number, share: number, random: Random): number {
  let hits = 0
  for (let i = 0; i < n; i++) if (random() < share) hits++
  return hits
}

/** One evaluation of `sizes.length` groups that have one true accuracy. */
const equalGroups = (sizes: readonly number[], share: number, random: Random) => ({
  ...subject,
  groups: sizes.map((n, i) => ({ group: `g${i}`, n, top1: drawHits(n, share, random) })),
})

console.log('drops, 60 countries of 100 to 1,000 images')
for (const flips of [0, 0.0025, 0.005, 0.01, 0.02, 0.04])
  for (const limit of [0, 0.02]) {
    measure(`no change, ${100 * flips} % flip each way, limit ${limit}`, 1000, random =>
      judgeDrops(drawCountries(flips, 0, random), limit),
    )
    measure(
      `5 points lost in one country of 400, ${100 * flips} % flip each way, limit ${limit}`,
      1000,
      random => judgeDrops(drawCountries(flips, 0.05, random), limit).slice(0, 1),
    )
  }
measure('no change, households that flip together, limit 0', 300, random =>
  judgeDrops(drawHouseholdCountries(random), 0),
)

console.log('disparities of groups with one true accuracy, limit 0')
for (const [count, n, share] of [
  [2, 40, 0.6],
  [2, 400, 0.99],
  [6, 40, 0.965],
  [6, 100, 0.99],
  [6, 150, 0.98],
  [6, 250, 0.99],
  [20, 100, 0.99],
  [20, 100, 0.7],
  [60, 100, 0.995],
  [60, 100, 0.5],
] as const)
  measure(`${count} groups of ${n}, accuracy ${share}`, 1000, random =>
    judgeDisparities([equalGroups(new Array<number>(count).fill(n), share, random)], 0, {
      minN: 30,
    }),
  )
for (const evaluations of [40, 100])
  measure(`${evaluations} evaluations of 6 groups of 200, accuracy 0.8`, 100, random =>
    judgeDisparities(
      Array.from({ length: evaluations }, () =>
        equalGroups(new Array<number>(6).fill(200), 0.8, random),
      ),
      0,
      { minN: 30 },
    ),
  )
measure(
  '100 evaluations of 6 groups of 200, one group of one of them 20 points lower',
  50,
  random => {
    const runs = Array.from({ length: 100 }, () =>
      equalGroups(new Array<number>(6).fill(200), 0.8, random),
    )
    runs[0]!.groups[0]!.top1 = drawHits(200, 0.6, random)
    return judgeDisparities(runs, 0, { minN: 30 }).slice(0, 1)
  },
)

console.log('accuracies, every group at the limit')
for (const [count, n, share] of [
  [6, 100, 0.6],
  [60, 100, 0.6],
  [60, 100, 0.99],
  [150, 50, 0.5],
] as const)
  measure(`${count} groups of ${n}, accuracy and limit ${share}`, 2000, random =>
    judgeWorst(
      Array.from({ length: count }, (_, i) => ({
        ...subject,
        group: `g${i}`,
        counts: { n, top1: drawHits(n, share, random) },
      })),
      share,
    ),
  )

/** Beta-distributed accuracy of a household: `share` on average, images of one household correlated by `rho`. */
function drawHouseholdShare(share: number, rho: number, random: Random): number {
  const size = (1 - rho) / rho
  const [a, b] = [drawGamma(share * size, random), drawGamma((1 - share) * size, random)]
  return a + b === 0 ? (random() < share ? 1 : 0) : a / (a + b)
}

/** Marsaglia and Tsang's gamma, of any positive shape. */
function drawGamma(shape: number, random: Random): number {
  if (shape < 1) return drawGamma(shape + 1, random) * (1 - random()) ** (1 / shape)
  const d = shape - 1 / 3
  for (;;) {
    const x = normal(random)
    const v = (1 + x / Math.sqrt(9 * d)) ** 3
    if (v > 0 && Math.log(1 - random()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v
  }
}

/** One evaluation of groups of households of 1 to 30 images, all of one true accuracy. */
function equalHouseholdGroups(
  {
    groups,
    households,
    share,
    rho,
  }: { groups: number; households: number; share: number; rho: number },
  random: Random,
) {
  const clusters = Array.from({ length: groups * households }, (_, i) => {
    const n = 1 + Math.floor(30 * random() ** 2)
    return {
      group: `g${i % groups}`,
      cluster: `h${i}`,
      n,
      top1: drawHits(n, drawHouseholdShare(share, rho, random), random),
    }
  })
  const counts = clusterMoments(clusters).map(({ group, n, top1 }) => ({ group, n, top1 }))
  return { ...subject, groups: counts, clusters }
}

console.log('households of 1 to 30 images, correlation 0.3')
for (const households of [2, 5, 20, 50])
  for (const share of [0.6, 0.95]) {
    const setting = { groups: 20, households, share, rho: 0.3 }
    measure(
      `20 groups of ${households} households, accuracy and least accuracy ${share}`,
      1000,
      random => judgeWorst(groupsWithEnough(equalHouseholdGroups(setting, random), 1), share),
    )
    measure(
      `20 groups of ${households} households, accuracy ${share}, disparity limit 0`,
      200,
      random => judgeDisparities([equalHouseholdGroups(setting, random)], 0, { minN: 1 }),
    )
  }
