import { ownValue } from '../lib/ownValue.ts'
import { GeogapError } from '../lib/errors.ts'
import { decodeImage } from '../lib/pixels/decode.ts'
import { tally } from '../lib/tally.ts'
import type { ExpectedCounts } from './benchmarks/benchmark.ts'
import { findBenchmark } from './benchmarks/index.ts'
import type { Dataset, Sample, Problem } from './dataset.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { readImage } from './readImage.ts'

export interface ValueCount {
  value: string
  images: number
}

/** The files of a data set that exist and those that are missing. */
export interface DatasetCheck {
  dataset: string
  images: number
  /** Images of each class and of each value of `region` and `country`, largest first. */
  counts: Record<string, readonly ValueCount[]>
  /** Items that accept no class among the choices, so that they cannot be scored. */
  unmapped: number
  /** Ids whose file is missing. */
  missing: readonly string[]
  /** Files that are there and cannot be read or decoded, with the reason. */
  unreadable: readonly Problem[]
  /** Rows of the source that are no items. */
  problems: readonly Problem[]
  /** Facts about the data set that results do not tell. */
  notes: readonly string[]
  /** Where the counts differ from what the authors state, in words; empty for a data set without such a statement. */
  differences: readonly string[]
}

export interface CheckOptions {
  /** Decode every image, which takes milliseconds each; else files are looked up only. True by default. */
  decode?: boolean
  onProgress?: (done: number, total: number) => void
}

/**
 * Counts a data set's images by class and place, and finds those that are missing or cannot be decoded.
 *
 * @example
 * const check = await checkDataset(await openDataset({ name: 'photos/manifest.csv' }))
 */
export async function checkDataset(
  dataset: Dataset,
  options: CheckOptions = {},
): Promise<DatasetCheck> {
  const counts = countGroups(dataset)
  const there = dataset.samples.filter(item => item.bytes !== null)
  let done = 0
  const found = await mapLimited(options.decode === false ? [] : there, 4, async item => {
    const problem = await tryDecode(item)
    options.onProgress?.(++done, there.length)
    return problem ?? []
  })
  return {
    dataset: dataset.name,
    images: dataset.samples.length,
    counts,
    unmapped: dataset.samples.filter(item => item.labels.length === 0).length,
    missing: dataset.samples.filter(item => item.bytes === null).map(item => item.id),
    unreadable: found.flat(),
    problems: dataset.problems,
    notes: dataset.notes ?? [],
    differences: differencesFromExpected(dataset, counts),
  }
}

async function tryDecode({ id, image }: Sample): Promise<Problem | undefined> {
  try {
    await decodeImage(await readImage(image))
    return undefined
  } catch (error) {
    if (error instanceof GeogapError) return { id, code: error.code, message: error.message }
    throw error
  }
}

const placeColumns = ['region', 'country']

function countGroups({ samples: items, columns }: Dataset): Record<string, readonly ValueCount[]> {
  const kept = placeColumns.filter(column => columns.includes(column))
  const byPlace = kept.map((column): [string, ValueCount[]] => [
    column,
    countColumnValues(items, item => ownValue(item.groups, column) ?? null),
  ])
  return { class: countColumnValues(items, item => item.label), ...Object.fromEntries(byPlace) }
}

function countColumnValues(
  items: readonly Sample[],
  value: (item: Sample) => string | number | null,
): ValueCount[] {
  const counts = tally(items.map(item => String(value(item) ?? '(none)')))
  const rows = [...counts].map(([name, images]) => ({ value: name, images }))
  return rows.sort((a, b) => b.images - a.images || (a.value < b.value ? -1 : 1))
}

function differencesFromExpected(
  { name, samples: items }: Dataset,
  counts: Record<string, readonly ValueCount[]>,
): string[] {
  const found = findBenchmark(name)
  if (!found) return []
  const expected = found.benchmark.expectedCounts(found.variant)
  return [
    ...countDifference('images', items.length, expected.images),
    ...countDifference('classes', counts['class']!.length, expected.classes),
    ...countDifference('regions', counts['region']?.length ?? 0, expected.regions ?? null),
    ...unevenClasses(counts['class']!, expected),
  ]
}

const countDifference = (what: string, found: number, expected: number | null): string[] =>
  expected === null || found === expected ? [] : [`${found} ${what}, ${expected} expected`]

function unevenClasses(classes: readonly ValueCount[], { perClass }: ExpectedCounts): string[] {
  const uneven = perClass === undefined ? [] : classes.filter(({ images }) => images !== perClass)
  const shown = uneven.slice(0, 5).map(({ value, images }) => `${value} ${images}`)
  const more = uneven.length > shown.length ? ', …' : ''
  return uneven.length === 0
    ? []
    : [`${uneven.length} classes without ${perClass} images: ${shown.join(', ')}${more}`]
}
