import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { z } from 'zod'
import { cached } from '../../lib/memoize.ts'
import { inputError, nearest } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import { tally } from '../../lib/tally.ts'
import { type Draft } from '../build.ts'
import { countryCode } from './countries.ts'
import type { Item, Places } from '../dataset.ts'
import { readText } from '../files.ts'
import { lists, parseJson } from '../../lib/archive/json.ts'
import { readTable, text } from '../tables.ts'

/** Which country belongs to which region, countries by any name or code. */
export interface RegionScheme {
  name: string
  source?: string
  regions: Readonly<Record<string, readonly string[]>>
}

type Shipped = Readonly<Record<string, Omit<RegionScheme, 'name'>>>

const shipped = JSON.parse(readFileSync(new URL('./regions.json', import.meta.url), 'utf8')) as Shipped

/** Names of the schemes that come with geogap; their content never changes under one name. */
export const regionSchemes: readonly string[] = Object.keys(shipped)

/** A shipped scheme by name, or one from a file: `{"regions": {"North": ["KE", …]}}`, or a table of `country, region`. */
export async function regionScheme(nameOrFile: string): Promise<RegionScheme> {
  const known = shipped[nameOrFile]
  if (known) return { name: nameOrFile, ...known }
  const kind = extname(nameOrFile).toLowerCase()
  if (kind === '.json') return readScheme(nameOrFile)
  if (kind === '.csv' || kind === '.tsv') return tableScheme(nameOrFile)
  const close = nearest(nameOrFile, regionSchemes).join(', ')
  throw inputError(
    'unknown-region-scheme',
    `unknown region scheme: ${nameOrFile}; known: ${close}, or a .json, .csv or .tsv file`,
  )
}

async function readScheme(file: string): Promise<RegionScheme> {
  const content = await readText(file)
  const { success, data } = schemeFile.safeParse(parseJson(content))
  if (!success)
    throw inputError('bad-regions', `not a region scheme: ${file}; expected {"regions": {"region": ["country", …]}}`)
  return { name: data.name ?? file, regions: data.regions }
}

const schemeFile = z.object({ name: z.string().optional(), regions: lists })

async function tableScheme(file: string): Promise<RegionScheme> {
  const { columns, rows } = await readTable(file)
  const lacking = ['country', 'region'].find(column => !columns.includes(column))
  if (lacking) throw inputError('unknown-column', `no column ${lacking} in ${file}; columns: ${columns.join(', ')}`)
  const regions: Record<string, string[]> = {}
  for (const row of rows) {
    const [country, region] = [text(row['country']), text(row['region'])]
    if (country !== null && region !== null) (regions[region] ??= []).push(country)
  }
  return { name: file, regions }
}

/** A function from a place to its region: the place is taken as a country, else literally as the scheme writes it. */
export function regionFinder({ regions }: RegionScheme): (place: string) => string | undefined {
  const byPlace = new Map<string, string>()
  for (const [region, countries] of Object.entries(regions)) {
    for (const country of countries) {
      const key = placeKey(country)
      const other = byPlace.get(key)
      if (other !== undefined && other !== region) {
        throw inputError('bad-regions', `country in two regions: ${country} is in ${other} and ${region}`)
      }
      byPlace.set(key, region)
    }
  }
  return place => byPlace.get(placeKey(place))
}

const placeKey = (place: string): string => countryCode(place) ?? place.trim().toLowerCase()

/**
 * Sets the column `region` from `country` by a scheme; places that it does not know get no region and are counted.
 * Errors: no-country-column.
 */
export function applyRegions(draft: Draft, scheme: RegionScheme): Draft & { places: Places } {
  if (draft.items.length > 0 && draft.items.every(({ groups }) => !('country' in groups)))
    throw inputError(
      'no-country-column',
      `regions ${scheme.name} are made of countries, and ${draft.name} has no column country`,
    )
  const find = regionFinder(scheme)
  const regionOf = cached((place: string) => find(place) ?? null)
  const placeOf = ({ groups }: Item): string => String(groups['country'] ?? '')
  const items = draft.items.map((item): Item => ({
    ...item,
    groups: { ...item.groups, region: regionOf(placeOf(item)) },
  }))
  const unmatched = tally(draft.items.map(placeOf).filter(place => regionOf(place) === null))
  const columns = draft.columns && (draft.columns.includes('region') ? draft.columns : ['region', ...draft.columns])
  const left = [...unmatched].map(([place, count]) => ({ place, count })).sort((a, b) => b.count - a.count)
  return {
    ...draft,
    items,
    ...(columns && { columns }),
    places: { scheme: scheme.name, hash: sha256(JSON.stringify(scheme.regions)), unmatched: left },
    notes: [...(draft.notes ?? []), ...withoutRegion(scheme.name, left)],
  }
}

function withoutRegion(scheme: string, left: Places['unmatched']): string[] {
  if (left.length === 0) return []
  const shown = left.slice(0, 12).map(({ place, count }) => `${place || '(no country)'} ${count}`)
  const more = left.length > 12 ? `, … (${left.length} in all)` : ''
  return [`images without a region, for ${scheme} does not know their country: ${shown.join(', ')}${more}`]
}
