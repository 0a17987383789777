/** Readable names of the codes that data sets use for countries and ImageNet's classes. */
import { countryCode } from './countries.ts'
import { imagenetNames, indexOfWnid } from './imagenet.ts'

let displayNames: Intl.DisplayNames | undefined

/** Returns the English name of a country that is written as an ISO 3166-1 code; any other text as it is. */
export function countryName(country: string): string {
  if (!/^([A-Za-z]{2,3}|\d{3})$/.test(country)) return country
  const code = countryCode(country)
  displayNames ??= new Intl.DisplayNames(['en'], { type: 'region' })
  return (code === undefined ? undefined : displayNames.of(code)) ?? country
}

/** Returns the name of an ImageNet class that is written as a wnid, such as `n01491361`; any other text as it is. */
export function labelName(label: string): string {
  const index = /^n\d{8}$/.test(label) ? indexOfWnid(label) : undefined
  return index === undefined ? label : imagenetNames[index]!
}
