import { sha256 } from '../../lib/hash.ts'
import { tally } from '../../lib/tally.ts'
/** What a split needs to know of an image. */
export interface HouseholdImage {
  household: string
  region: string
}

export type SplitPart = 'train' | 'test'

/** Households in an order that depends on the seed only, not on the rows' order. */
const shuffleHouseholds = (households: Iterable<string>, seed: number): string[] =>
  [...new Set(households)]
    .map(household => ({ household, key: sha256(`${seed}:${household}`) }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ household }) => household)

/**
 * Training and test images that share no household: households are drawn for the test part until it holds at least
 * `testShare` of the images.
 */
export function splitByHousehold<T extends HouseholdImage>(
  rows: readonly T[],
  testShare: number,
  seed: number,
): Record<SplitPart, T[]> {
  const sizes = tally(rows.map(row => row.household))
  const test = new Set<string>()
  let images = 0
  for (const household of shuffleHouseholds(sizes.keys(), seed)) {
    if (images >= testShare * rows.length) break
    test.add(household)
    images += sizes.get(household)!
  }
  return {
    train: rows.filter(row => !test.has(row.household)),
    test: rows.filter(row => test.has(row.household)),
  }
}

/**
 * About equally many images a region, by leaving whole households out: of each region, households are kept until it has
 * as many images as the smallest region.
 */
export function balanceRegions<T extends HouseholdImage>(rows: readonly T[], seed: number): T[] {
  const smallest = Math.min(...tally(rows.map(row => row.region)).values())
  const kept = new Set<string>()
  for (const region of new Set(rows.map(row => row.region))) {
    const own = rows.filter(row => row.region === region)
    const sizes = tally(own.map(row => row.household))
    let images = 0
    for (const household of shuffleHouseholds(sizes.keys(), seed)) {
      if (images >= smallest) break
      kept.add(`${region}\n${household}`)
      images += sizes.get(household)!
    }
  }
  return rows.filter(row => kept.has(`${row.region}\n${row.household}`))
}

/** Households that have images in both parts. */
export function countSharedHouseholds(
  train: readonly Pick<HouseholdImage, 'household'>[],
  test: readonly Pick<HouseholdImage, 'household'>[],
): number {
  const known = new Set(train.map(row => row.household))
  return new Set(test.map(row => row.household).filter(household => known.has(household))).size
}
