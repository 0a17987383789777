/*
 * Draws training sets of one size with different shares of western images (appendix H). The western and the other images each
 * have one random order, so a set with a larger share contains the western images of a set with a smaller share.
 */
import { isWestern } from '../datasets/labels/regions.ts'
import { inputError } from '../lib/errors.ts'
import { randomPermutation, randomFor } from '../lib/random.ts'

/** Default shares, from balanced to all western. */
export const westernShares: readonly number[] = [0.5, 0.6, 0.7, 0.8, 0.9, 1]

export interface WesternSampleOptions {
  /** Number of images. */
  size: number
  /** Share of them that are western, 0 … 1. */
  share: number
  seed: number
}

interface WesternRows {
  western: number[]
  other: number[]
}

function splitWestern(regions: readonly (string | null)[]): WesternRows {
  const unknown = regions.findIndex(region => region === null || region === '')
  if (unknown >= 0)
    throw inputError('empty-region', `image ${unknown + 1} of ${regions.length} has no region`)
  const indices = regions.map((_, i) => i)
  const western = indices.filter(i => isWestern(regions[i]!))
  return { western, other: indices.filter(i => !isWestern(regions[i]!)) }
}

/**
 * Draws `size` images, `share` of them western, by their regions. Returns their positions in ascending order.
 * @throws GeogapError `empty-region` for an image without a region or if a needed side has no images, `share-too-large` if a
 * side has too few images, `bad-share`.
 */
export function drawWesternSample(
  regions: readonly (string | null)[],
  { size, share, seed }: WesternSampleOptions,
): number[] {
  if (!(share >= 0 && share <= 1))
    throw inputError('bad-share', `western share ${share} is not between 0 and 1`)
  if (!(Number.isInteger(size) && size > 0))
    throw inputError('bad-share', `size ${size} is not a number of images`)
  const { western, other } = splitWestern(regions)
  const wanted = Math.round(share * size)
  const sides = [
    { name: 'western', rows: western, part: share, count: wanted },
    { name: 'non-western', rows: other, part: 1 - share, count: size - wanted },
  ]
  for (const { name, rows, part, count } of sides) {
    if (part > 0 && rows.length === 0)
      throw inputError('empty-region', `no ${name} images for a western share of ${share}`)
    if (count <= rows.length) continue
    const what = `a western share of ${share} of ${size} images needs ${count} ${name} ones, there are ${rows.length}`
    throw inputError(
      'share-too-large',
      `${what}; the largest size is ${largestSize(regions, [share])}`,
    )
  }
  const drawn = sides.flatMap(({ name, rows, count }) =>
    Array.from(
      randomPermutation(rows.length, randomFor(seed, name)).subarray(0, count),
      i => rows[i]!,
    ),
  )
  return drawn.sort((a, b) => a - b)
}

/** Returns the largest size for which all `shares` can be drawn. Errors: empty-region. */
export function largestSize(
  regions: readonly (string | null)[],
  shares: readonly number[],
): number {
  const { western, other } = splitWestern(regions)
  const fits = (size: number): boolean =>
    shares.every(share => {
      const wanted = Math.round(share * size)
      return wanted <= western.length && size - wanted <= other.length
    })
  const empty = shares.some(
    share => (share > 0 && western.length === 0) || (share < 1 && other.length === 0),
  )
  let size = empty ? 0 : western.length + other.length
  while (size > 0 && !fits(size)) size -= 1
  return size
}
