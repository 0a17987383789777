/** Fits text tables to the width of a terminal. Text that goes elsewhere has no width and stays complete. */
import { textWidth, wordsOf, wrapWords } from './wrapText.ts'

let terminalWidth: number | null = null

/** Sets the width in columns that text is fitted to from now on; null for text that stays complete. */
export const setTextWidth = (columns: number | null): void => void (terminalWidth = columns)

/** Returns what `make` returns without fitting text, as for files. */
export function withoutTextWidth<T>(make: () => T): T {
  const before = terminalWidth
  terminalWidth = null
  try {
    return make()
  } finally {
    terminalWidth = before
  }
}

/** Returns the width that text is fitted to, or null. */
export const textWidthLimit = (): number | null => terminalWidth

/** Wraps lines at words to the terminal's width; returns them unchanged if the output is no terminal. */
export const wrapToTerminal = (text: string): string =>
  terminalWidth === null
    ? text
    : text
        .split('\n')
        .flatMap(line => wrapWords(line, terminalWidth!))
        .join('\n')

/** The cells of a table, the headings first, and which columns are numbers. */
export interface TableCells {
  cells: readonly (readonly string[])[]
  numeric: readonly boolean[]
}

/** A table that fits, whose cells may have several lines, and what was taken out. */
export interface FittedTable extends TableCells {
  /** How many lines the headings take. */
  headLines: number
  /** What the reader has to know: `empty: errors. No room for warning: --wide shows all columns.` */
  note: string | null
}

/** What separates the columns of a line. */
export const columnGap = '  '
/** Text columns are wrapped to no fewer columns than their longest word has, and that within these bounds. */
const narrowest = 12
const longestUnbroken = 40
/** Columns that are never dropped, as they name the row. */
const kept = 2
/** Names are broken where no more than this share of the columns would be shown otherwise. */
const enough = 0.75

/** Returns the width of each column. */
export const columnWidths = ({ cells, numeric }: TableCells): number[] =>
  numeric.map((_, i) => cells.reduce((most, row) => Math.max(most, textWidth(row[i]!)), 3))

/**
 * Returns a table that is at most `width` columns wide: columns without a value go; where that is not enough, columns with one
 * value in all rows go, texts before numbers, then headings of numbers and long texts wrap, then columns are dropped from the
 * right; names are broken, into two lines if possible, where a quarter of the columns would be dropped otherwise.
 */
export function fitTable({ cells, numeric }: TableCells, width: number): FittedTable {
  const [head = [], ...rows] = cells
  const valuesOf = (i: number): string[] => rows.map(row => row[i]!)
  const empty = head.flatMap((_, i) =>
    rows.length > 0 && valuesOf(i).every(value => value === '' || value === '–') ? i : [],
  )
  let left = head.flatMap((_, i) => (empty.includes(i) ? [] : i))
  const complete = columnWidths({ cells, numeric })
  const numberWidths = complete.map((each, i) =>
    numeric[i] ? Math.min(each, narrowNumberWidth(head[i]!, valuesOf(i))) : each,
  )
  const fits = (widths: readonly number[], columns: readonly number[] = left): boolean =>
    columns.reduce((sum, i) => sum + widths[i]!, 0) <= roomFor(columns.length, width)
  const same: number[] = []
  for (const isNumber of [false, true])
    for (const i of [...left].reverse()) {
      if (fits(isNumber ? numberWidths : complete)) break
      const [first, ...others] = valuesOf(i)
      if (others.length === 0 || !others.every(value => value === first)) continue
      if (numeric[i] !== isNumber) continue
      same.push(i)
      left = left.filter(other => other !== i)
    }
  const { least, shown } = chooseWidths({ cells, numeric, left, complete, numberWidths, fits })
  const dropped = left.slice(shown)
  left = left.slice(0, shown)
  const room = roomFor(left.length, width)
  const ofLeft = (widths: readonly number[]): number[] => left.map(i => widths[i]!)
  const headingsWrapped = shareWidth(ofLeft(complete), ofLeft(numberWidths), room)
  const widths = shareWidth(headingsWrapped, ofLeft(least), room)
  const lines = cells.map(row =>
    wrapRow(
      left.map(i => row[i]!),
      widths,
    ),
  )
  return {
    cells: lines.flat(),
    headLines: lines[0]?.length ?? 0,
    numeric: left.map(i => numeric[i]!),
    note: noteOf({
      empty: empty.map(i => head[i]!),
      same: same.sort((a, b) => a - b).map(i => `${head[i]!} ${rows[0]![i]!}`),
      dropped: dropped.map(i => head[i]!),
    }),
  }
}

interface WidthChoice extends TableCells {
  left: readonly number[]
  complete: readonly number[]
  numberWidths: readonly number[]
  fits: (widths: readonly number[], columns: readonly number[]) => boolean
}

/** Returns the least widths of columns, names unbroken, in two lines or in several, and how many columns are shown so. */
function chooseWidths(choice: WidthChoice): { least: number[]; shown: number } {
  const { cells, numeric, left, complete, numberWidths, fits } = choice
  const widthsFor = (textWidthOf: (i: number) => number): number[] =>
    complete.map((each, i) => (numeric[i] ? numberWidths[i]! : Math.min(each, textWidthOf(i))))
  const shownIn = (widths: readonly number[]): number => {
    let count = left.length
    while (count > kept && !fits(widths, left.slice(0, count))) count -= 1
    return count
  }
  const levels = [
    (i: number) => Math.min(longestUnbroken, longestWordOf(cells, i, textWidth)),
    (i: number) => longestWordOf(cells, i, twoLineWidth),
    () => narrowest,
  ]
  let best = { least: [...complete], shown: left.length }
  for (const level of levels) {
    const least = widthsFor(level)
    const shown = shownIn(least)
    best = { least, shown }
    const isShown = fits(least, left.slice(0, shown))
    if (isShown && (shown > enough * left.length || (level === levels[1] && shown > kept))) break
  }
  return best
}

/** Returns the width that is left to so many columns beside the gaps between them. */
const roomFor = (columns: number, width: number): number => width - columnGap.length * (columns - 1)

/** Returns the most that a word of a column measures, at least the width of the narrowest column. */
const longestWordOf = (
  cells: TableCells['cells'],
  i: number,
  measure: (word: string) => number,
): number =>
  [...new Set(cells.flatMap(row => wordsOf(row[i]!)))].reduce(
    (most, word) => Math.max(most, measure(word)),
    narrowest,
  )

/** Returns the least width in which a word takes two lines. */
function twoLineWidth(word: string): number {
  let width = Math.max(1, Math.ceil(textWidth(word) / 2))
  while (wrapWords(word, width).length > 2) width += 1
  return width
}

/** Returns the width of the widest value and of the longest word of the heading, at least 3. */
const narrowNumberWidth = (heading: string, values: readonly string[]): number =>
  [...wordsOf(heading), ...values].reduce((most, text) => Math.max(most, textWidth(text)), 3)

/** Takes width from the widest columns that can be wrapped until all fit into `room`. */
function shareWidth(wanted: readonly number[], least: readonly number[], room: number): number[] {
  const widths = [...wanted]
  const used = (): number => widths.reduce((sum, each) => sum + each, 0)
  while (used() > room) {
    const free = widths.map((each, i) => (each > least[i]! ? each : 0))
    const most = Math.max(...free)
    if (most === 0) break
    const widest = free.indexOf(most)
    widths[widest] = widths[widest]! - 1
  }
  return widths
}

/** Returns the lines of a row; cells that are wider than their column are wrapped. */
function wrapRow(row: readonly string[], widths: readonly number[]): string[][] {
  const lines = row.map((cell, i) => wrapWords(cell, widths[i]!))
  const height = Math.max(1, ...lines.map(each => each.length))
  return Array.from({ length: height }, (_, k) => lines.map(each => each[k] ?? ''))
}

function noteOf({
  empty,
  same,
  dropped,
}: Record<'empty' | 'same' | 'dropped', string[]>): string | null {
  const names = (headings: readonly string[]): string => [...new Set(headings)].join(', ')
  const parts = [
    ...(empty.length > 0 ? [`empty: ${names(empty)}`] : []),
    ...(same.length > 0 ? [`in all rows: ${names(same)}`] : []),
    ...(dropped.length > 0 ? [`no room for ${names(dropped)}`] : []),
  ]
  return parts.length === 0 ? null : `(${parts.join('; ')}: --wide shows all columns)`
}
