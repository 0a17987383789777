import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { memoize } from '../../lib/memoize.ts'

import type * as Countries from 'i18n-iso-countries'

const require = createRequire(import.meta.url)
let library: typeof Countries | undefined
const countries = (): typeof Countries =>
  (library ??= require('i18n-iso-countries') as typeof Countries)

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

const namesOfLanguage = (language: string): Record<string, string | string[]> =>
  (
    require(`i18n-iso-countries/langs/${language}.json`) as {
      countries: Record<string, string | string[]>
    }
  ).countries

/** Returns codes by folded names: English ones and a few that the library lacks, or those of all its languages, which take 100 ms. */
const codesByName = memoize((language: 'en' | 'all'): ReadonlyMap<string, string> => {
  const codes = new Map(language === 'all' ? codesByName('en') : [])
  for (const each of language === 'all' ? countries().getSupportedLanguages() : [language]) {
    for (const [code, known] of Object.entries(namesOfLanguage(each)))
      for (const name of [known].flat().map(foldName)) if (!codes.has(name)) codes.set(name, code)
  }
  if (language === 'all') return codes
  const aliases = readFileSync(new URL('./country-aliases.json', import.meta.url), 'utf8')
  for (const [name, code] of Object.entries(JSON.parse(aliases) as Record<string, string>))
    codes.set(foldName(name), code)
  return codes
})

/** Returns the ISO 3166-1 alpha-2 code of a country given by name, in many languages, or by any ISO code. */
export function countryCode(place: string): string | undefined {
  const code = place.trim().toUpperCase()
  if (/^[A-Z]{2}$/.test(code) && code in countries().getAlpha2Codes()) return code
  if (/^[A-Z]{3}$/.test(code) && code in countries().getAlpha3Codes())
    return countries().alpha3ToAlpha2(code)
  if (/^\d{1,3}$/.test(code)) return countries().numericToAlpha2(code.padStart(3, '0'))
  const name = foldName(place)
  const known = codesByName('en').get(name)
  // No country's name has a digit in any language.
  return known ?? (/\d/.test(name) ? undefined : codesByName('all').get(name))
}

/** Returns the English name of a country given by an ISO code; undefined for a name or an unknown code. */
export function isoCountryName(code: string): string | undefined {
  const text = code.trim()
  const isCode = /^[A-Za-z]{2,3}$/.test(text) || /^\d{1,3}$/.test(text)
  const known = isCode ? countryCode(text) : undefined
  if (known === undefined) return undefined
  const { alpha2ToAlpha3, alpha2ToNumeric } = countries()
  const byCode = [known, alpha2ToAlpha3(known), alpha2ToNumeric(known)]
  return byCode.includes(text.toUpperCase()) || byCode.includes(text.padStart(3, '0'))
    ? englishName(known)
    : undefined
}

const englishName = (code: string): string | undefined =>
  [namesOfLanguage('en')[code] ?? []].flat()[0]

/** Returns the ISO 3166-1 numeric code, three digits; undefined for a name that is no country's. */
export function countryNumericCode(place: string): string | undefined {
  const code = countryCode(place)
  return code === undefined ? undefined : countries().alpha2ToNumeric(code)
}
