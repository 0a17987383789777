/** Parsers of options and arguments. An error names the option, the value, and the accepted values. */
import { extname } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { isObjectStoreUrl } from '../../lib/storage/storage.ts'
import { type Parser } from './command.ts'

const badOption = (flag: string, taken: string, text: string) =>
  inputError('bad-option', `${flag} takes ${taken}, not ${text}`)

/** Returns a parser of numbers for which `isGood` holds; an empty text is refused. */
const numberThat =
  (taken: string, isGood: (value: number) => boolean): Parser<number> =>
  (text, flag) => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!isGood(value)) throw badOption(flag, taken, text)
    return value
  }

/** Returns a parser of whole numbers from `least` to `most`. */
export const wholeNumber = (least = 1, most = Infinity): Parser<number> =>
  numberThat(
    `a whole number from ${least}${most < Infinity ? ` to ${most}` : ''}`,
    value => Number.isInteger(value) && value >= least && value <= most,
  )

/** Parses whole numbers from 1, separated by commas, in their order. */
export const wholeNumbers: Parser<number[]> = (text, flag) =>
  text.split(',').map(part => wholeNumber()(part, flag))

/** Millimetres of an inch, and pixels of one. */
const [mmPerInch, pxPerInch] = [25.4, 96]

/** Parses a width in pixels, or in millimetres: `720`, `85mm`. At least 200 pixels. */
export const figureWidth: Parser<number> = (text, ...rest) => {
  const [, mm] = /^([\d.]+) ?mm$/.exec(text.trim()) ?? []
  return wholeNumber(200)(
    mm === undefined ? text : String(Math.round((Number(mm) / mmPerInch) * pxPerInch)),
    ...rest,
  )
}

/** Parses a share from 0 to 1. */
export const share = numberThat(
  'a share from 0 to 1 (0.02 is two points)',
  value => value >= 0 && value <= 1,
)

export const positive = numberThat('a number above 0', value => value > 0 && value < Infinity)

/** Parses percents as ascending shares: `5,10,100` as 0.05, 0.1, 1. */
export const percents: Parser<number[]> = (text, flag) => {
  const values = text.split(',').map(Number)
  if (!values.every(value => value > 0 && value <= 100))
    throw badOption(flag, 'percents such as 5,10,100', text)
  return [...new Set(values)].sort((a, b) => a - b).map(value => value / 100)
}

/** Parses `1%` as 0.01. */
export const percentage: Parser<number> = (text, flag) => {
  const value = Number(/^(\d+(?:\.\d+)?)%$/.exec(text)?.[1]) / 100
  if (!(value > 0 && value <= 1)) throw badOption(flag, 'a percentage such as 1%', text)
  return value
}

/** Parses a folder, for commands that cannot write to an object store. */
export const folder: Parser<string> = (text, flag) => {
  if (isObjectStoreUrl(text))
    throw inputError('bad-option', `${flag} takes a folder, not a store: ${text}`)
  return text
}

/** Returns a parser of file names with one of the endings, in any case, or none (such as /dev/stdout). */
export const fileEndingIn =
  (...endings: readonly string[]): Parser<string> =>
  (text, flag) => {
    const ending = extname(text).toLowerCase()
    if (ending !== '' && !endings.includes(ending))
      throw badOption(flag, `a file ending in ${endings.join(', ')}`, text)
    return text
  }

/** Returns a parser of a fixed list of words. */
export const oneOf = <const T extends string>(words: readonly T[]): Parser<T> =>
  Object.assign(
    (text: string, flag: string): T => {
      const found = words.find(word => word === text)
      if (!found) throw badOption(flag, words.join(', '), text)
      return found
    },
    { words },
  )

/** Parses `image=photo,label=sku` as an object. */
export const assignments: Parser<Record<string, string>> = (text, flag) => {
  const pairs = text.split(',').map(pair => pair.split('=').map(part => part.trim()))
  const bad = pairs.find(pair => pair.length !== 2 || pair.includes(''))
  if (bad) throw badOption(flag, 'name=column pairs', bad.join('='))
  return Object.fromEntries(pairs) as Record<string, string>
}

/** Parses tags such as `commit=3fa9c1`. A comma separates tags if a name and `=` follow it. */
export const tags: Parser<Record<string, string>> = (text, flag, before = {}) => {
  const pairs = text.split(/,(?=[\w.-]+=)/).map((tag): [string, string] => {
    const [, name, value] = /^([\w.-]+)=(\S.*)$/.exec(tag.trim()) ?? []
    if (name === undefined || value === undefined)
      throw badOption(flag, 'name=value, such as commit=3fa9c1', tag)
    return [name, value]
  })
  return { ...before, ...Object.fromEntries(pairs) }
}

/** Parses words separated by commas; lists of a repeated or variadic option are joined. */
export const list: Parser<string[]> = (text, _flag, before = []) => [
  ...before,
  ...text.split(',').filter(part => part !== ''),
]
