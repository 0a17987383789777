import { type PairCounts } from '../../src/metrics/pairedTests.ts'
import { type Random } from '../../src/random.ts'

/** Sizes of 60 countries, 100 to 1,000 images. */
const countrySizes: readonly number[] = Array.from({ length: 60 }, (_, i) => 100 + ((i * 263) % 901))

/**
 * Two runs on `n` images, the first 70 % right: of its right images `lost` / 0.7 turn wrong and of its wrong ones
 * `gained` / 0.3 right, so that accuracy changes by `gained` - `lost` on average.
 */
function drawPairs(n: number, gained: number, lost: number, random: Random): PairCounts {
  const counts = { both: 0, onlyFirst: 0, onlySecond: 0, neither: 0 }
  for (let i = 0; i < n; i++) {
    const at = random()
    if (at < lost) counts.onlyFirst++
    else if (at < 0.7) counts.both++
    else if (at < 0.7 + gained) counts.onlySecond++
    else counts.neither++
  }
  return counts
}

/** 60 countries whose images flip with share `churn` each way; the 61st of `dropN` images loses `drop` more. */
export function drawCountries(churn: number, drop: number, random: Random, dropN = 400) {
  const subject = { model: 'm', dataset: 'd' }
  const countries = countrySizes.map((n, i) => ({
    ...{ ...subject, group: `country ${i}` },
    counts: drawPairs(n, churn, churn, random),
  }))
  if (drop === 0) return countries
  return [
    { ...subject, group: 'dropped', counts: drawPairs(dropN, churn, churn + drop, random) },
    ...countries.slice(1),
  ]
}
