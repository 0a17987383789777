import { extname } from 'node:path'
import { ownValue } from '../../lib/ownValue.ts'
import { columnsOfSamples } from '../dataset.ts'
import { z } from 'zod'
import { memoize } from '../../lib/memoize.ts'
import { inputError, nearestNames } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import { tally, groupByKey } from '../../lib/tally.ts'
import { type RawDataset } from '../build.ts'
import { countryCode } from './countries.ts'
import type { Sample, RegionMapping } from '../dataset.ts'
import { readText } from '../files.ts'
import { parseJson, readJson } from '../../lib/archive/json.ts'
import { nameListsSchema } from './labelMap.ts'
import { readTable, rawCellText } from '../readTable.ts'

/** Regions and their countries, which are written by any name or code. */
export interface RegionScheme {
  name: string
  source?: string
  regions: Readonly<Record<string, readonly string[]>>
}

type ShippedSchemes = Readonly<Record<string, Omit<RegionScheme, 'name'>>>

const shippedSchemes = readJson(new URL('./regions.json', import.meta.url)) as ShippedSchemes

/** Names of the shipped schemes. A scheme that changes gets a new name. */
export const regionSchemes: readonly string[] = Object.keys(shippedSchemes)

/** Reads a shipped scheme by name, or a file: `{"regions": {"North": ["KE", …]}}`, or a table of `country, region`. */
export async function readRegionScheme(nameOrFile: string): Promise<RegionScheme> {
  const known = ownValue(shippedSchemes, nameOrFile)
  if (known) return { name: nameOrFile, ...known }
  const kind = extname(nameOrFile).toLowerCase()
  if (kind === '.json') return readJsonScheme(nameOrFile)
  if (kind === '.csv' || kind === '.tsv') return readTableScheme(nameOrFile)
  const close = nearestNames(nameOrFile, regionSchemes).join(', ')
  throw inputError(
    'unknown-region-scheme',
    `unknown region scheme: ${nameOrFile}; known: ${close}, or a .json, .csv or .tsv file`,
  )
}

async function readJsonScheme(file: string): Promise<RegionScheme> {
  const content = await readText(file)
  const { success, data } = schemeFileSchema.safeParse(parseJson(content))
  if (!success)
    throw inputError(
      'bad-regions',
      `not a region scheme: ${file}; expected {"regions": {"region": ["country", …]}}`,
    )
  return { name: data.name ?? file, regions: data.regions }
}

const schemeFileSchema = z.object({ name: z.string().optional(), regions: nameListsSchema })

async function readTableScheme(file: string): Promise<RegionScheme> {
  const { columns, rows } = await readTable(file)
  const lacking = ['country', 'region'].find(column => !columns.includes(column))
  if (lacking)
    throw inputError(
      'unknown-column',
      `no column ${lacking} in ${file}; columns: ${columns.join(', ')}`,
    )
  const pairs = rows.flatMap(row => {
    const country = rawCellText(row['country'])
    const region = rawCellText(row['region'])
    return country === null || region === null ? [] : { country, region }
  })
  const regions = [...groupByKey(pairs, ({ region }) => region)].map(
    ([region, members]) => [region, members.map(({ country }) => country)] as const,
  )
  return { name: file, regions: Object.fromEntries(regions) }
}

/** Returns a function from a place, which is a country or a name that the scheme writes itself, to its region. */
export function regionFinder({ regions }: RegionScheme): (place: string) => string | undefined {
  const byPlace = new Map<string, string>()
  for (const [region, countries] of Object.entries(regions)) {
    for (const country of countries) {
      const key = placeKey(country)
      const other = byPlace.get(key)
      if (other !== undefined && other !== region) {
        throw inputError(
          'bad-regions',
          `country in two regions: ${country} is in ${other} and ${region}`,
        )
      }
      byPlace.set(key, region)
    }
  }
  return place => byPlace.get(placeKey(place))
}

const placeKey = (place: string): string => countryCode(place) ?? place.trim().toLowerCase()

/**
 * Sets the column `region` from `country`. Countries that the scheme does not contain get no region and are counted.
 * Errors: no-country-column.
 */
export function applyRegions(
  draft: RawDataset,
  scheme: RegionScheme,
): RawDataset & { regionMapping: RegionMapping } {
  if (draft.samples.length > 0 && draft.samples.every(({ groups }) => !('country' in groups)))
    throw inputError(
      'no-country-column',
      `regions ${scheme.name} are made of countries, and ${draft.name} has no column country`,
    )
  const find = regionFinder(scheme)
  const regionOf = memoize((place: string) => find(place) ?? null)
  const placeOf = ({ groups }: Sample): string => String(groups['country'] ?? '')
  const items = draft.samples.map((item): Sample => ({
    ...item,
    groups: { ...item.groups, region: regionOf(placeOf(item)) },
  }))
  const unmatched = tally(draft.samples.map(placeOf).filter(place => regionOf(place) === null))
  const left = [...unmatched]
    .map(([place, count]) => ({ place, count }))
    .sort((a, b) => b.count - a.count)
  const { columns = columnsOfSamples(items) } = draft
  return {
    ...draft,
    samples: items,
    columns: columns.includes('region') ? columns : ['region', ...columns],
    regionMapping: {
      scheme: scheme.name,
      hash: sha256(JSON.stringify(scheme.regions)),
      unmatched: left,
    },
    notes: [...(draft.notes ?? []), ...unmatchedPlaceNotes(scheme.name, left)],
  }
}

function unmatchedPlaceNotes(scheme: string, left: RegionMapping['unmatched']): string[] {
  if (left.length === 0) return []
  const shown = left.slice(0, 12).map(({ place, count }) => `${place || '(no country)'} ${count}`)
  const more = left.length > 12 ? `, … (${left.length} in all)` : ''
  return [
    `images without a region, because ${scheme} does not contain their country: ${shown.join(', ')}${more}`,
  ]
}

const westernRegions: readonly string[] = ['Europe', 'Americas']

/** Tells whether a region counts as western, as in the paper's appendix F. */
export const isWestern = (region: string): boolean => westernRegions.includes(region)
