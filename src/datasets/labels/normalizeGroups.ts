// Normalizes the grouping values of a data set, whatever its format: words for a missing value, and the spellings of countries
// and regions. What is changed is said in notes.
import { ownValue } from '../../lib/ownValue.ts'
import { memoize } from '../../lib/memoize.ts'
import { tally, groupByKey } from '../../lib/tally.ts'
import type { GroupValue, Sample } from '../dataset.ts'
import { missingPattern } from '../readTable.ts'
import { countryCode, foldName } from './countries.ts'

/** Returns whether a text stands for a missing value, which `NA` does by what the other values are. */
const isMissing = (text: string): boolean => missingPattern.test(text) && !/^na$/i.test(text)

/** A code of two or three letters, as ISO 3166 and lists of continents have them. */
const isCode = (value: string): boolean => /^[A-Z]{2,3}$/.test(value)

/** Names that `Europe - Africa` and other contrasts of regions use. */
const continents = ['Africa', 'Americas', 'Antarctica', 'Asia', 'Europe', 'Oceania']

/** Returns the samples with normalized grouping values, and sentences about what was changed. */
export function normalizeGroups(
  samples: readonly Sample[],
  columns: readonly string[],
): { samples: readonly Sample[]; notes: string[] } {
  const notes: string[] = []
  const renamed = new Map<string, ReadonlyMap<string, string | null>>()
  for (const column of columns) {
    const texts = samples.flatMap(({ groups }) => textOf(groups, column) ?? [])
    const counts = tally(texts)
    const names = missingNames(column, counts, notes)
    const kind = ownValue(placeColumns, column)
    if (kind) {
      const known = new Map([...counts].filter(([text]) => !names.has(text)))
      unifySpellings(known, kind.keyOf, { names, notes, what: kind.what })
    }
    if (names.size > 0) renamed.set(column, names)
  }
  if (renamed.size === 0) return { samples, notes }
  const valueOf = (column: string, value: GroupValue): GroupValue => {
    const name = typeof value === 'string' ? renamed.get(column)?.get(value) : undefined
    return name === undefined ? value : name
  }
  return {
    samples: samples.map(sample => ({
      ...sample,
      groups: Object.fromEntries(
        Object.entries(sample.groups).map(([column, value]) => [column, valueOf(column, value)]),
      ),
    })),
    notes,
  }
}

const textOf = (groups: Sample['groups'], column: string): string | undefined => {
  const value = ownValue(groups, column)
  return typeof value === 'string' ? value : undefined
}

/** Returns the texts of a column that stand for a missing value, each with null. */
function missingNames(
  column: string,
  counts: ReadonlyMap<string, number>,
  notes: string[],
): Map<string, string | null> {
  const names = new Map<string, string | null>()
  for (const text of counts.keys()) if (isMissing(text.trim())) names.set(text, null)
  const count = counts.get('NA')
  if (count === undefined) return names
  const isName = [...counts.keys()].some(text => text !== 'NA' && !names.has(text) && isCode(text))
  if (!isName) names.set('NA', null)
  if (isName || ['country', 'region'].includes(column))
    notes.push(
      `NA in its column ${column} (${count} images) is ${isName ? 'a name, for other values are codes too' : 'a missing value, for no other value is a code'}`,
    )
  return names
}

const countryKey = memoize((text: string): string => countryCode(text) ?? foldName(text))

/** The columns of places, with what makes two spellings one place. */
const placeColumns = {
  country: { keyOf: countryKey, what: 'countries' },
  region: { keyOf: foldName, what: 'regions' },
}

/** Collects the spellings that get another name: those of one place get that of most images, of equal ones the longest. */
function unifySpellings(
  counts: ReadonlyMap<string, number>,
  keyOf: (text: string) => string,
  { names, notes, what }: { names: Map<string, string | null>; notes: string[]; what: string },
): void {
  const byKey = groupByKey(counts.keys(), keyOf)
  const changed: string[] = []
  for (const [key, spellings] of byKey) {
    const sorted = spellings.sort(
      (a, b) => counts.get(b)! - counts.get(a)! || b.length - a.length || (a < b ? -1 : 1),
    )
    const name = properName(key, sorted)
    const others = sorted.filter(text => text !== name)
    if (others.length === 0) continue
    for (const other of others) names.set(other, name)
    changed.push(`${name} (${others.join(', ')})`)
  }
  if (changed.length > 0) notes.push(`${what} under one name: ${changed.join(', ')}`)
}

/** Returns the name of a place: a continent's own, else the first spelling that is not all in one case, else the first. */
function properName(key: string, sorted: readonly string[]): string {
  const isProper = (text: string): boolean =>
    text === text.trim() && text !== text.toLowerCase() && text !== text.toUpperCase()
  const name = continents.find(continent => foldName(continent) === key) ?? sorted.find(isProper)
  return name ?? sorted[0]!.trim()
}
