import { type Argument, type Option } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { isObjectStoreUrl } from '../../lib/storage/storage.ts'
import { tableFormats } from '../../lib/table/columns.ts'
import { type OutputFormat } from '../../lib/table/write.ts'

/** A whole number of at least `least` and at most `most`, from an option's text. */
export const wholeNumber =
  (option: string, least = 1, most = Infinity) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!Number.isInteger(value) || value < least || value > most)
      throw inputError(
        'bad-option',
        `${option} takes a whole number from ${least}${most < Infinity ? ` to ${most}` : ''}, not ${text}`,
      )
    return value
  }

/** A share in 0 … 1, from an option's text. */
export const shareOf =
  (option: string) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= 0 && value <= 1))
      throw inputError(
        'bad-option',
        `${option} takes a share from 0 to 1 (0.02 is two points), not ${text}`,
      )
    return value
  }

/** A number above 0, from an option's text. */
export const positive =
  (option: string) =>
  (text: string): number => {
    const value = Number(text)
    if (!(value > 0 && value < Infinity))
      throw inputError('bad-option', `${option} takes a number above 0, not ${text}`)
    return value
  }

/** Percents with commas as rising shares: `5,10,100` as 0.05, 0.1, 1. */
export const percents =
  (option: string) =>
  (text: string): number[] => {
    const values = text.split(',').map(Number)
    const bad = values.find(value => !(value > 0 && value <= 100))
    if (bad !== undefined)
      throw inputError('bad-option', `${option} takes percents such as 5,10,100, not ${text}`)
    return [...new Set(values)].sort((a, b) => a - b).map(value => value / 100)
  }

/** A folder, for what writes to no store. */
export const folder =
  (option: string) =>
  (text: string): string => {
    if (isObjectStoreUrl(text))
      throw inputError('bad-option', `${option} takes a folder, not a store: ${text}`)
    return text
  }

/** One of a few words. */
export const oneOf = <T extends string>(option: string, words: readonly T[]) => {
  const parse = (text: string): T => {
    const found = words.find(word => word === text)
    if (!found) throw inputError('bad-option', `${option} takes ${words.join(', ')}, not ${text}`)
    return found
  }
  return Object.assign(parse, { words })
}

/** The words that an option or argument takes, where `oneOf` reads it. */
export const choicesOf = ({ parseArg }: Option | Argument): readonly string[] | undefined =>
  (parseArg as { words?: readonly string[] } | undefined)?.words

/** `image=photo,label=sku` as an object. */
export function assignments(option: string) {
  return (text: string): Record<string, string> => {
    const pairs = text.split(',').map(pair => pair.split('=').map(part => part.trim()))
    const bad = pairs.find(pair => pair.length !== 2 || pair.includes(''))
    if (bad)
      throw inputError('bad-option', `${option} takes name=column pairs, not ${bad.join('=')}`)
    return Object.fromEntries(pairs) as Record<string, string>
  }
}

/** Collects a repeatable option that also takes lists with commas. */
export const parseList = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').filter(part => part !== ''),
]

export const parseOutputFormat = oneOf<OutputFormat>('--format', [...tableFormats, 'parquet'])
