import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { memoize } from '../../lib/memoize.ts'

import type * as Countries from 'i18n-iso-countries'

const require = createRequire(import.meta.url)
let countryTables: { countries: typeof Countries; names: Map<string, string> } | undefined

/** Folds what does not tell names of places apart: case, accents, `_`, `-`, spaces, a leading article, apostrophes. */
export const foldName = (name: string): string =>
  name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[_-]/g, ' ')
    .replaceAll('’', "'")
    .replaceAll('&', 'and')
    .replace(/^the /, '')
    .replace(/\s+/g, ' ')
    .trim()

/** Loads the names of countries in all of the library's languages, English first, then a few that it lacks. */
function loadCountryTables(): NonNullable<typeof countryTables> {
  const countries = require('i18n-iso-countries') as typeof Countries
  const names = new Map<string, string>()
  const languages = [
    'en',
    ...countries.getSupportedLanguages().filter(language => language !== 'en'),
  ]
  for (const language of languages) {
    const data = require(`i18n-iso-countries/langs/${language}.json`) as {
      countries: Record<string, string | string[]>
    }
    for (const [code, known] of Object.entries(data.countries)) {
      for (const name of [known].flat().map(foldName)) if (!names.has(name)) names.set(name, code)
    }
  }
  const aliases = readFileSync(new URL('./country-aliases.json', import.meta.url), 'utf8')
  for (const [name, code] of Object.entries(JSON.parse(aliases) as Record<string, string>))
    names.set(foldName(name), code)
  return { countries, names }
}

/** Returns the ISO 3166-1 alpha-2 code of a country given by name, in many languages, or by any ISO code. */
export function countryCode(place: string): string | undefined {
  countryTables ??= loadCountryTables()
  const { countries, names } = countryTables
  const code = place.trim().toUpperCase()
  if (/^[A-Z]{2}$/.test(code) && code in countries.getAlpha2Codes()) return code
  if (/^[A-Z]{3}$/.test(code) && code in countries.getAlpha3Codes())
    return countries.alpha3ToAlpha2(code)
  if (/^\d{1,3}$/.test(code)) return countries.numericToAlpha2(code.padStart(3, '0'))
  return names.get(foldName(place))
}

/** Returns the English name of a country given by an ISO code; undefined for a name or an unknown code. */
export function isoCountryName(code: string): string | undefined {
  const text = code.trim()
  const isCode = /^[A-Za-z]{2,3}$/.test(text) || /^\d{1,3}$/.test(text)
  const known = isCode ? countryCode(text) : undefined
  if (known === undefined) return undefined
  const { countries } = countryTables!
  const byCode = [known, countries.alpha2ToAlpha3(known), countries.alpha2ToNumeric(known)]
  return byCode.includes(text.toUpperCase()) || byCode.includes(text.padStart(3, '0'))
    ? englishName(known)
    : undefined
}

const englishName = memoize((code: string): string | undefined => {
  const { countries } = require('i18n-iso-countries/langs/en.json') as {
    countries: Record<string, string | string[]>
  }
  return [countries[code] ?? []].flat()[0]
})

/** Returns the ISO 3166-1 numeric code, three digits; undefined for a name that is no country's. */
export function countryNumericCode(place: string): string | undefined {
  const code = countryCode(place)
  return code === undefined ? undefined : countryTables!.countries.alpha2ToNumeric(code)
}
