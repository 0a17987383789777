/** Finds out what the columns of a published table of counts hold, by the names that people give them. */
import { readJson } from '../../lib/archive/json.ts'
import { countryCode, foldName } from '../../datasets/labels/countries.ts'

/** What a column of such a table holds, other than groups. */
export type CountRole =
  | 'model'
  | 'dataset'
  | 'column'
  | 'group'
  | 'n'
  | 'correct'
  | 'wrong'
  | 'correct5'
  | 'accuracy'
  | 'accuracy5'
  | 'none'

/** What people call columns by what these hold, in one word of small letters: roles, groups, and codes of countries. */
const columnNames = readJson(new URL('./countColumns.json', import.meta.url)) as {
  roles: Record<CountRole, string>
  groups: Record<string, string>
  codes: string
}

const meaningByName = <Meaning extends string>(
  names: Readonly<Record<Meaning, string>>,
): ReadonlyMap<string, Meaning> =>
  new Map(
    (Object.entries(names) as [Meaning, string][]).flatMap(([meaning, list]) =>
      list.split(' ').map(name => [name, meaning] as const),
    ),
  )
const roles = meaningByName(columnNames.roles)
const groupColumnNames = meaningByName(columnNames.groups)
/** Codes of countries stand for the country if no column has its name. */
const codeNames = new Set(columnNames.codes.split(' '))

/** Returns whether a column's name says that its values are in percent. */
export const saysPercent = (name: string): boolean => /%|percent|pct|prozent/i.test(name)

const foldHeader = (name: string): string =>
  foldName(name)
    .replace(/percentage|percent|pct|prozent/g, '')
    .replace(/[^\p{L}\p{N}]/gu, '')

/** Returns what a column holds; undefined for a column of groups and for an unknown name. */
export const roleOf = (name: string): CountRole | undefined => roles.get(foldHeader(name))

/** Returns geogap's name of a column of groups; undefined for an unknown name. */
export const groupColumnOf = (name: string): string | undefined =>
  groupColumnNames.get(foldHeader(name))

/** Returns whether a column holds codes of countries, by its name. */
export const isCodeColumn = (name: string): boolean => codeNames.has(foldHeader(name))

/** Returns whether a column's name says what it holds. */
export const isKnownColumn = (name: string): boolean =>
  roleOf(name) !== undefined || groupColumnOf(name) !== undefined || isCodeColumn(name)

const regionWords =
  /^(north(ern)?|south(ern)?|east(ern)?|west(ern)?|central|latin|sub-?saharan|middle|southeast(ern)?|the|\s|[-_&]|and|africa|asia|europe|americas?|oceania|caribbean|australasia)+$/i
const regionCore = /africa|asia|europe|america|oceania|middle\s*east|caribbean/i
const incomePattern =
  /^(q[1-4]|quartile ?[1-4]|(low|lower|middle|lower[- ]middle|upper[- ]middle|upper|high|poor|rich)([- ]income)?)$/i

/** Returns the column of groups that a name is a value of, for tables with a column for each group; undefined for other names. */
export function groupedBy(name: string): 'country' | 'region' | 'income_group' | undefined {
  const text = name.trim()
  if (regionCore.test(text) && regionWords.test(text.replace(/([a-z])([A-Z])/g, '$1 $2')))
    return countryCode(text) === undefined ? 'region' : 'country'
  if (incomePattern.test(text)) return 'income_group'
  return (text.length > 3 || /^[A-Z]{2,3}$/.test(text)) && countryCode(text) !== undefined
    ? 'country'
    : undefined
}

/** Returns whether a group sums up others. */
export const isTotalName = (group: string): boolean =>
  /^(all|overall|total|totals|sum|mean|average|avg\.?|global|world|world ?wide|micro.*|macro.*|all (\d+ )?(images|groups|countries|regions)|grand total|gesamt|insgesamt|summe|ensemble|totale|totaal|toplam|итого|всего|合计|总计|合計)$/i.test(
    group.trim(),
  )

/** Returns whether a row of a table with a column for each group holds the numbers of images, by its name. */
export const isSizeRow = (name: string): boolean => roles.get(foldHeader(name)) === 'n'
