/*
 * Class names and prompts in other languages than English, and the language of each country. The shipped names were made
 * here and are unreviewed (translations.tsv); languages are the likely ones of CLDR (countryLanguages.tsv).
 */
import { basename } from 'node:path'
import { readTsv } from '../../lib/archive/tsv.ts'
import { inputError } from '../../lib/errors.ts'
import { memoize } from '../../lib/memoize.ts'
import { shortList } from '../../lib/table/text.ts'
import { type RawTable, rawCellText, readTable } from '../readTable.ts'
import { countryCode } from './countries.ts'
import { normalizeLabel } from './labelSpace.ts'

/** Class names and templates of one language. */
export interface LanguageTexts {
  templates: readonly string[]
  classNames: readonly string[]
}

/** What stands for the class name in a template. */
export const classPlaceholder = /\{c?\}/

/** The names of a table by language, then by English name; `{}` is the prompt, or several. */
interface Translations {
  /** The file, for messages. */
  source: string
  names: ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>
}

/** The column of a table of names with the English name. */
const labelColumn = 'label'
const templateLabel = '{}'
/** Columns for people, and those without a name. */
const otherColumns = /^(sources?|licen[cs]es?|notes?|comments?|column\d*|)$/i

/** Returns the shortest code of a BCP 47 tag's language: `pt` for `pt-BR`, `he` for `iw`, `es-MX` for itself; undefined for other texts. */
export function languageCode(tag: string): string | undefined {
  const text = tag.trim().replaceAll('_', '-')
  if (!/^[a-z]{2,3}(-[a-z\d]{2,8})*$/i.test(text)) return undefined
  try {
    return new Intl.Locale(text).minimize().toString()
  } catch {
    return undefined
  }
}

const shippedTranslations = memoize((file: string): Translations => {
  const rows = readTsv<string>(new URL(`./${file}`, import.meta.url))
  const columns = Object.keys(rows[0]!)
  return indexNames('the shipped table (Dollar Street, GeoDE)', { columns, rows })
})

/** @throws GeogapError `bad-names` */
function indexNames(source: string, { columns, rows }: RawTable): Translations {
  const fail = (message: string): never => {
    throw inputError('bad-names', `${source}: ${message}`)
  }
  const [label] = columns.filter(column => column.trim().toLowerCase() === labelColumn)
  if (label === undefined)
    return fail(
      `no column label; its columns are ${shortList(columns, 12)}; give label and one for each language (es, sw)`,
    )
  const names = new Map<string, Map<string, string[]>>()
  for (const column of columns) {
    if (column === label || otherColumns.test(column.trim())) continue
    const language =
      languageCode(column) ??
      fail(`the column ${column} is no code of a language, such as es, sw, pt-BR; rename it`)
    const own = new Map<string, string[]>()
    names.set(language, own)
    for (const row of rows) {
      const key = normalizeLabel(rawCellText(row[label]) ?? '')
      const name = rawCellText(row[column])?.trim().normalize('NFC')
      if (key === '' || !name) continue
      const [known] = own.get(key) ?? []
      if (key === templateLabel) {
        if (!classPlaceholder.test(name))
          fail(`no {} in the prompt ${JSON.stringify(name)} of ${column}; it stands for the name`)
        own.set(key, [...(own.get(key) ?? []), name])
      } else if (known === undefined) own.set(key, [name])
      else if (known !== name)
        fail(`two names in ${column} for ${key}: ${known} and ${name}; keep one`)
    }
  }
  return { source, names }
}

/** Reads a table of names, the shipped one by default. @throws GeogapError `bad-names` */
const readTranslations = async (file: string | undefined): Promise<Translations> =>
  file === undefined
    ? shippedTranslations('translations.tsv')
    : indexNames(basename(file), await readTable(file))

/** The language of the names that data sets have. */
export const plainLanguage = 'en'
const plainTemplate = 'a photo of a {}'

/** Returns the languages of a table of names, English first. */
export const languagesOf = async (file?: string): Promise<readonly string[]> => [
  ...new Set([plainLanguage, ...(await readTranslations(file)).names.keys()]),
]

/**
 * Returns class names and prompts in a language. English class names are the data set's own if the table has no English column.
 * @throws GeogapError `unknown-language`, `no-translation` with the classes that have no name, `bad-names` without a prompt
 */
export async function languageTexts(
  language: string,
  classNames: readonly string[],
  file?: string,
): Promise<LanguageTexts> {
  const { names, source } = await readTranslations(file)
  const code = languageCode(language) ?? language
  const own = names.get(code)
  if (code === plainLanguage && !own) return { templates: [plainTemplate], classNames }
  if (!own)
    throw inputError(
      'unknown-language',
      `unknown language: ${language}; ${source} has ${[...names.keys()].join(', ')}; a table of your own: lang:${language}:FILE`,
    )
  const found = classNames.map(name => own.get(normalizeLabel(name))?.[0])
  const without = classNames.filter((_, i) => found[i] === undefined)
  if (without.length > 0)
    throw inputError(
      'no-translation',
      `${source} has no name in ${code} for ${without.length} of ${classNames.length} classes: ${shortList(without, 8)}; give names for all of them (lang:${code}:FILE, --names FILE)`,
    )
  const templates = own.get(templateLabel)
  if (!templates)
    throw inputError(
      'bad-names',
      `${source}: no prompt in ${code}; give a row {} with one such as "${plainTemplate}", or {} for the names alone`,
    )
  return { templates, classNames: found as string[] }
}

const knownLanguages = memoize(
  (file: string): ReadonlyMap<string, string> =>
    new Map(
      readTsv<'country' | 'language'>(new URL(`./${file}`, import.meta.url)).map(row => [
        row.country,
        row.language,
      ]),
    ),
)

/** Returns the likely language of a known country, or its own form of it (`es-MX`) if `among` has that. */
export function languageOfCountry(
  place: string,
  among: readonly string[] = [],
): string | undefined {
  const country = countryCode(place)
  const likely = country && knownLanguages('countryLanguages.tsv').get(country)
  const regional = likely && languageCode(`${likely.split('-', 1)[0]!}-${country}`)
  return among.find(one => one === regional) ?? likely
}
