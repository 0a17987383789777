/** Reads the numbers of published tables of counts: thousands separators, decimal commas, percent signs, intervals beside a value. */
import { inputError } from '../../lib/errors.ts'

/** A number as a table prints it, with half a unit of its last digit. */
export interface PrintedNumber {
  value: number
  halfUnit: number
  /** Whether a percent sign follows it. */
  isPercent: boolean
}

/** Text beside a value: a standard error, an interval, a footnote's mark. */
const besideValue = /\s*(?:±|\+\/-|\+-|\(|\[|\*|†).*$/s
const spaces = /[\s\u00a0\u2009\u202f'’_]/g
const englishThousands = /^\d{1,3}(,\d{3})+(\.\d+)?$/
const germanThousands = /^\d{1,3}(\.\d{3})+(,\d+)?$/

/** Returns the number that a cell of a measured value holds; undefined for a text. A single comma is decimal. */
export function parsePrinted(text: string): PrintedNumber | undefined {
  const isPercent = /%/.test(text)
  const bare = text.replace(besideValue, '').replaceAll('%', '').replace(spaces, '')
  const plain = /^\d+,\d+$/.test(bare) ? bare.replace(',', '.') : withoutThousands(bare)
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain)) return undefined
  const decimals = /\.(\d*)/.exec(plain)?.[1]?.length ?? 0
  return { value: Number(plain), halfUnit: 0.5 * 10 ** -decimals, isPercent }
}

function withoutThousands(text: string): string {
  if (englishThousands.test(text)) return text.replaceAll(',', '')
  if (germanThousands.test(text) && /\..*[.,]/.test(text))
    return text.replaceAll('.', '').replace(',', '.')
  return text
}

/** Returns the whole number that a cell of counts holds; undefined for anything else. `1,234` and `1.234` are 1234, `120.0` is 120. */
export function parseCount(text: string): number | undefined {
  const bare = text.replace(spaces, '')
  const plain =
    englishThousands.test(bare) || /^\d{1,3}(\.\d{3})+$/.test(bare)
      ? bare.replaceAll(/[.,]/g, '')
      : bare.replace(/[.,]0*$/, '')
  return /^\d{1,15}$/.test(plain) ? Number(plain) : undefined
}

/** Returns both counts of a cell such as `53/120` or `53 of 120`; undefined for anything else. */
export function parseCountPair(text: string): { correct: number; n: number } | undefined {
  const [, hits, total] = /^(.+?)(?:\/| of | out of )(.+)$/i.exec(text.trim()) ?? []
  const correct = hits === undefined ? undefined : parseCount(hits)
  const n = total === undefined ? undefined : parseCount(total)
  return correct === undefined || n === undefined ? undefined : { correct, n }
}

/** How accuracies of a column are printed. */
export interface AccuracyUnit {
  /** 1 for shares, 100 for percent. */
  scale: 1 | 100
  /** The reason, as a note for the reader. */
  text: string
}

/**
 * Returns the unit of a column of accuracies: percent if its name or its cells say so or a value is above 1. Errors: bad-accuracy
 * for mixed signs and for values above 100.
 */
export function accuracyUnit(
  cells: readonly string[],
  { isPercent, name, file }: { isPercent: boolean; name: string; file: string },
): AccuracyUnit {
  const values = cells.flatMap(cell => parsePrinted(cell) ?? [])
  const signed = values.filter(value => value.isPercent).length
  if (signed > 0 && signed < values.length && !isPercent)
    throw inputError(
      'bad-accuracy',
      `${name} has a percent sign in ${signed} of ${values.length} cells of ${file}: write all alike`,
    )
  const most = Math.max(0, ...values.map(({ value }) => value))
  if (most > 100)
    throw inputError(
      'bad-accuracy',
      `${name} is ${most} in ${file}, above 100: counts of right images belong in a column correct`,
    )
  if (isPercent || signed > 0) return { scale: 100, text: `${name} is in percent` }
  return most > 1
    ? { scale: 100, text: `${name} is taken as percent, for values are above 1` }
    : { scale: 1, text: `${name} is taken as a share, for no value is above 1` }
}
