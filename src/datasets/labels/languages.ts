/*
 * Class names and prompts in other languages than English, and the language of each country. The shipped names were made
 * here and are unreviewed (translations.tsv); languages are the likely ones of CLDR (countryLanguages.tsv).
 */
import { basename } from 'node:path'
import { readTsv } from '../../lib/archive/tsv.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { memoize } from '../../lib/memoize.ts'
import { shortList } from '../../lib/table/text.ts'
import { rawCellText, readTable } from '../readTable.ts'
import { countryCode } from './countries.ts'
import { normalizeLabel } from './labelSpace.ts'

/** Class names and templates of one language. */
export interface LanguageTexts {
  templates: readonly string[]
  classNames: readonly string[]
}

/** Names by language and English name; `{}` is the prompt. */
interface Translations {
  /** The file, for messages. */
  source: string
  languages: readonly string[]
  nameOf: (language: string, label: string) => string | undefined
}

/** The column of a table of names with the English name. */
const labelColumn = 'label'
const templateLabel = '{}'

const shippedTranslations = memoize((file: string): Translations =>
  indexNames(
    'the shipped names (Dollar Street, GeoDE)',
    readTsv<string>(new URL(`./${file}`, import.meta.url)),
  ),
)

function indexNames(source: string, rows: readonly Record<string, unknown>[]): Translations {
  const languages = Object.keys(rows[0] ?? {}).filter(column => column !== labelColumn)
  const names = new Map(
    rows.map(row => [normalizeLabel(rawCellText(row[labelColumn]) ?? ''), row] as const),
  )
  return {
    source,
    languages,
    nameOf: (language, label) =>
      rawCellText(names.get(normalizeLabel(label))?.[language])?.trim() || undefined,
  }
}

/**
 * Reads a table of names: a column `label` with the English ones, a column for each language by its ISO 639 code, and a row
 * `{}` with the prompts. The default is the shipped table.
 * @throws GeogapError `bad-names`
 */
async function readTranslations(file: string | undefined): Promise<Translations> {
  if (file === undefined) return shippedTranslations('translations.tsv')
  const { columns, rows } = await readTable(file)
  if (!columns.includes(labelColumn))
    throw inputError(
      'bad-names',
      `no column label in ${file}; its columns are ${shortList(columns, 12)}; expected label, then a column for each language (es, sw)`,
    )
  return indexNames(basename(file), rows)
}

/** The language of the names that data sets have. */
export const plainLanguage = 'en'
const plainTemplate = 'a photo of a {}'

/** Returns the languages of a table of names, English first. */
export const languagesOf = async (file?: string): Promise<readonly string[]> => [
  plainLanguage,
  ...(await readTranslations(file)).languages.filter(language => language !== plainLanguage),
]

/**
 * Returns class names and prompts in a language. English class names are the data set's own if the table has no English column.
 * @throws GeogapError `unknown-language`, `no-translation` with the classes that have no name
 */
export async function languageTexts(
  language: string,
  classNames: readonly string[],
  file?: string,
): Promise<LanguageTexts> {
  const { languages, nameOf, source } = await readTranslations(file)
  if (language === plainLanguage && !languages.includes(language))
    return { templates: [plainTemplate], classNames }
  if (!languages.includes(language))
    throw unknownNameError('language', language, [plainLanguage, ...languages])
  const names = classNames.map(name => nameOf(language, name))
  const without = classNames.filter((_, i) => names[i] === undefined)
  if (without.length > 0)
    throw inputError(
      'no-translation',
      `${source} have no name in ${language} for ${without.length} of ${classNames.length} classes: ${shortList(without, 8)}; give names for all of them (lang:${language}:FILE)`,
    )
  return {
    templates: [nameOf(language, templateLabel) ?? templateLabel],
    classNames: names as string[],
  }
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

/** Returns the likely language of a country, given by name or ISO code; undefined for a place that is no known country. */
export function languageOfCountry(place: string): string | undefined {
  const code = countryCode(place)
  return code === undefined ? undefined : knownLanguages('countryLanguages.tsv').get(code)
}
