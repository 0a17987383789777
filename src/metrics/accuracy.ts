import { inputError } from '../lib/errors.ts'
import { ownValue } from '../lib/ownValue.ts'
import { type Interval, newcombe, shareInterval } from './intervals.ts'
import { mean } from './numbers.ts'

/** Images and correct answers of one cell (a group, a class, a cluster): whole numbers, or sums of weights. */
export interface Counts {
  /** Images with a prediction. */
  n: number
  /** Of these, images whose first class is accepted. */
  top1: number
  /** Of these, images with an accepted class among the first five, where that was recorded. */
  top5?: number | undefined
  /** Images without a prediction (unreadable, failed), not part of `n`. */
  errors?: number
}

export interface GroupCounts extends Counts {
  group: string
}

/** Accuracies are shares in 0 … 1; null where no image has a prediction. */
export interface Accuracy {
  n: number
  errors: number
  top1: number | null
  top5: number | null
  /** Interval of `top1` (`shareInterval`). */
  interval: Interval | null
  interval5: Interval | null
  /** Why `top1` is null. */
  reason: string | null
}

/** Micro accuracy of one cell: the mean over its images. Errors: bad-counts. */
export function accuracy(counts: Counts, confidence = 0.95): Accuracy {
  checkCounts(counts)
  const { n, top1, top5, errors = 0 } = counts
  const empty = n === 0
  return {
    n,
    errors,
    top1: empty ? null : top1 / n,
    top5: empty || top5 === undefined ? null : top5 / n,
    interval: shareInterval(top1, n, confidence),
    interval5: top5 === undefined ? null : shareInterval(top5, n, confidence),
    reason: empty ? (errors > 0 ? `all ${errors} images failed` : 'no images') : null,
  }
}

/** One row a group, in the order given. Errors: bad-counts, duplicate-group. */
export function accuracyByGroup(
  groups: readonly GroupCounts[],
  confidence = 0.95,
): (Accuracy & { group: string })[] {
  checkGroups(groups)
  return groups.map(counts => ({ group: counts.group, ...accuracy(counts, confidence) }))
}

/** Macro accuracy: the plain mean over the classes that have images. */
export function macroAccuracy(classes: readonly Counts[]): {
  value: number | null
  classes: number
  reason: string | null
} {
  const shares = classes.map(c => accuracy(c).top1).filter(share => share !== null)
  if (shares.length === 0) return { value: null, classes: 0, reason: 'no class has images' }
  return { value: mean(shares), classes: shares.length, reason: null }
}

/** All cells added up; `top5` only where every non-empty cell has it. */
export function sumCounts(
  cells: readonly Counts[],
): Required<Omit<Counts, 'top5'>> & { top5?: number } {
  const sum = startSum()
  for (const cell of cells) addTo(sum, cell)
  return finishSum(sum)
}

interface CountsSum {
  n: number
  top1: number
  errors: number
  top5: number | undefined
}

const startSum = (): CountsSum => ({ n: 0, top1: 0, errors: 0, top5: 0 })

function addTo(sum: CountsSum, { n, top1, top5, errors = 0 }: Counts): void {
  sum.n += n
  sum.top1 += top1
  sum.errors += errors
  if (n > 0) sum.top5 = top5 === undefined || sum.top5 === undefined ? undefined : sum.top5 + top5
}

const finishSum = ({ top5, ...sum }: CountsSum) => (top5 === undefined ? sum : { ...sum, top5 })

/** Counts of the images that share their group values and, if cells are split by class, their class. */
export interface CountsRow extends Counts {
  groups: Readonly<Record<string, string | number | null>>
  /** The class; absent or empty if cells are not split by class or the class is not known. */
  label?: string
}

type GroupValues = CountsRow['groups']

/** The counts of one group. `groups` has its value in each grouping column, and `group` the values as one text. */
export interface GroupSum extends GroupCounts {
  groups: Readonly<Record<string, string | number>>
}

interface GroupedCounts {
  groups: readonly GroupSum[]
  unknown: Counts
}

/** Sums by cells and columns. The tables, figures and tests of one report ask for equal sums. */
const groupingCache = new WeakMap<readonly CountsRow[], Map<string, GroupedCounts>>()

/**
 * Adds up cells by one column or by several. Cells without a value in one of the columns are in no group and are counted in
 * `unknown`. The column `label` is the class of a cell. Groups are sorted by their text.
 */
export function groupBy(cells: readonly CountsRow[], columns: readonly string[]): GroupedCounts {
  const made = groupingCache.get(cells) ?? new Map<string, GroupedCounts>()
  groupingCache.set(cells, made)
  const key = JSON.stringify(columns)
  const known = made.get(key)
  if (known) return known
  const { groups, unknown } = sumByGroup(cells, columns)
  const grouped = { groups: groups.sort((a, b) => (a.group < b.group ? -1 : 1)), unknown }
  made.set(key, grouped)
  return grouped
}

/** Returns the name of a group of several columns: `Africa × Q4`. */
export const joinedName = (values: readonly (string | number)[]): string => values.join(' × ')

/** Returns the name of a group by its value in each column; without columns all images are one group, `all`. */
export const groupName = (values: readonly (string | number)[]): string =>
  values.length === 0 ? 'all' : joinedName(values)

interface OpenGroup {
  values: readonly (string | number)[]
  sum: CountsSum
}

/** Adds up cells as `groupBy` does, with the groups in the order of their first cells. */
export function sumByGroup(
  cells: readonly CountsRow[],
  columns: readonly string[],
): { groups: GroupSum[]; unknown: Counts } {
  const open = new Map<string, OpenGroup>()
  const unknown = startSum()
  const findSum = groupFinder(columns, open)
  for (const cell of cells) addTo(findSum(cell)?.sum ?? unknown, cell)
  const groups = [...open.values()].map(({ values, sum }) => ({
    group: joinedName(values),
    groups: Object.fromEntries(columns.map((column, i) => [column, values[i]!])),
    ...finishSum(sum),
  }))
  return { groups, unknown: finishSum(unknown) }
}

/** Returns a function that finds the group of a cell and opens it in `open`; null for a cell without a value in one of the columns. */
function groupFinder(
  columns: readonly string[],
  open: Map<string, OpenGroup>,
): (cell: CountsRow) => OpenGroup | null {
  const find = (values: readonly (string | number | null)[]): OpenGroup | null => {
    if (values.includes(null)) return null
    const key = values.length === 1 ? String(values[0]) : JSON.stringify(values.map(String))
    const group = open.get(key) ?? { values: values as (string | number)[], sum: startSum() }
    open.set(key, group)
    return group
  }
  const findByValues = ({ groups, label }: CountsRow): OpenGroup | null =>
    find(
      columns.map(
        column => ownValue(groups, column) ?? (column === 'label' ? label || null : null),
      ),
    )
  if (columns.includes('label'))
    return columns.length > 1
      ? findByValues
      : cell => (!cell.label ? findByValues(cell) : (open.get(cell.label) ?? find([cell.label])))
  const found = new Map<GroupValues, OpenGroup | null>()
  return cell => {
    const known = found.get(cell.groups)
    if (known !== undefined) return known
    const group = findByValues(cell)
    found.set(cell.groups, group)
    return group
  }
}

/** Two groups beside each other. */
export interface Difference {
  /** Images of the first and the second group. */
  n: readonly [number, number]
  accuracy: readonly [number | null, number | null]
  /** Accuracy of the first minus accuracy of the second group, with Newcombe's interval; null where one has no images. */
  difference: number | null
  interval: Interval | null
}

export function accuracyDifference(first: Counts, second: Counts, confidence: number): Difference {
  const [p, q] = [first, second].map(({ n, top1 }) => (n === 0 ? null : top1 / n)) as [
    number | null,
    number | null,
  ]
  const interval = newcombe(
    { hits: first.top1, n: first.n },
    { hits: second.top1, n: second.n },
    confidence,
  )
  return {
    n: [first.n, second.n],
    accuracy: [p, q],
    difference: p === null || q === null ? null : p - q,
    interval,
  }
}

export function checkCounts(counts: Counts, name?: string): void {
  const { n, top1, top5 = top1, errors = 0 } = counts
  const good =
    n >= 0 &&
    n < Infinity &&
    top1 >= 0 &&
    top1 <= top5 &&
    top5 <= n &&
    errors >= 0 &&
    errors < Infinity
  if (good) return
  const where = name === undefined ? '' : ` of ${name}`
  const five = counts.top5 === undefined ? '' : `, top5 ${counts.top5}`
  throw inputError(
    'bad-counts',
    `impossible counts${where}: n ${n}, top1 ${top1}${five}, errors ${errors}`,
  )
}

export function checkGroups(groups: readonly GroupCounts[]): void {
  const seen = new Set<string>()
  for (const counts of groups) {
    checkCounts(counts, counts.group)
    if (seen.has(counts.group))
      throw inputError('duplicate-group', `duplicate group: ${counts.group}`)
    seen.add(counts.group)
  }
}
