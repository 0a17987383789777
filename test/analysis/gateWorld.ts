import { changeClusterings } from '../../src/analysis/compare.ts'
import { type PairedCounts } from '../../src/analysis/imagePairs.ts'
import { type PairCounts } from '../../src/metrics/pairedTests.ts'
import { joinOutcomes } from '../../src/metrics/signFlip.ts'
import { fillNormal } from '../../src/metrics/samplers.ts'
import { type Random } from '../../src/lib/random.ts'
import { binomial, normal } from '../../scripts/coverageWorlds.ts'

/** Sizes of 60 countries, 100 to 1,000 images. */
const countrySizes: readonly number[] = Array.from(
  { length: 60 },
  (_, i) => 100 + ((i * 263) % 901),
)

/**
 * Two runs on `n` images, the first 70 % right: of its right images `lost` / 0.7 turn wrong and of its wrong ones
 * `gained` / 0.3 right, so that accuracy changes by `gained` - `lost` on average.
 */
function drawPairs(n: number, gained: number, lost: number, random: Random): PairCounts {
  const right = binomial(n, 0.7, random)
  const onlyFirst = rareHits(right, lost / 0.7, random)
  const onlySecond = rareHits(n - right, gained / 0.3, random)
  return { both: right - onlyFirst, onlyFirst, onlySecond, neither: n - right - onlySecond }
}

/** Draws a binomial number of a small chance by the lengths of the runs of misses. */
function rareHits(n: number, chance: number, random: Random): number {
  let hits = 0
  for (let at = 0; ; hits++) {
    at += 1 + Math.floor(Math.log1p(-random()) / Math.log1p(-chance))
    if (at > n) return hits
  }
}

/** 60 countries whose images flip with share `churn` each way; the 61st of `dropN` images loses `drop` more. */
export function drawCountries(churn: number, drop: number, random: Random, dropN = 400) {
  const subject = { model: 'm', dataset: 'd' }
  const countries = countrySizes.map((n, i) => ({
    ...subject,
    group: `country ${i}`,
    counts: drawPairs(n, churn, churn, random),
  }))
  if (drop === 0) return countries
  return [
    { ...subject, group: 'dropped', counts: drawPairs(dropN, churn, churn + drop, random) },
    ...countries.slice(1),
  ]
}

/** Standard deviation, on the logit scale, of how much one run likes the photographs of one household. */
const householdShift = 1

/**
 * Two runs on `n` photographs of households of 1 to 15: each photograph has a difficulty, each household a mood of each
 * run. The moods have one distribution, so nothing has changed, but the photographs of a household flip together.
 */
function drawHouseholds(
  { group, n, lost }: { group: string; n: number; lost: number },
  random: Random,
): PairedCounts[] {
  const cells: PairedCounts[] = []
  const difficulties = fillNormal(new Float64Array(n), random)
  for (let left = n, cluster = 0; left > 0; cluster++) {
    const size = Math.min(left, 1 + Math.floor(15 * random()))
    left -= size
    const counts = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 }
    const [first, second] = [householdShift * normal(random), householdShift * normal(random)]
    for (let i = 0; i < size; i++) {
      const difficulty = 1 + 2 * difficulties[left + i]!
      const [a, b] = [difficulty + first > 0, difficulty + second > 0]
      counts[a ? (b && random() >= lost ? 'both' : 'onlyFirst') : b ? 'onlySecond' : 'neither']++
    }
    cells.push({ ...counts, group, label: '', cluster: String(cluster) })
  }
  return cells
}

/** 60 countries of households; the first one loses `lost` of the images that both runs had right. */
export function drawHouseholdCountries(random: Random, lost = 0) {
  const countries = countrySizes.map((n, i) => {
    const group = `country ${i}`
    return { group, cells: drawHouseholds({ group, n, lost: i === 0 ? lost : 0 }, random) }
  })
  const clusterings = changeClusterings(countries.flatMap(({ cells }) => cells))
  return countries.map(({ group, cells }) => ({
    model: 'm',
    dataset: 'd',
    group,
    counts: joinOutcomes(cells),
    ...clusterings.get(group)!,
  }))
}
