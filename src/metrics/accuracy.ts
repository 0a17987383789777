import { inputError } from '../lib/errors.ts'
import { type Interval, newcombe, wilson } from './intervals.ts'
import { mean } from './numbers.ts'

/** Images and correct answers of one cell (a group, a class, a cluster): whole numbers, or sums of weights. */
export interface Counts {
  /** Images with a prediction. */
  n: number
  /** Of these, images whose first class is accepted. */
  top1: number
  /** Of these, images with an accepted class among the first five, where that was recorded. */
  top5?: number
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
  /** Wilson's interval of `top1`. */
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
    interval: wilson(top1, n, confidence),
    interval5: top5 === undefined ? null : wilson(top5, n, confidence),
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

/** A cell of a counts cube: grouping columns and counts. */
export interface CountsRow extends Counts {
  groups: Readonly<Record<string, string | number | null>>
  /** The class, where cells are split by it. */
  label?: string
}

type GroupValues = CountsRow['groups']

interface GroupedCounts {
  groups: readonly GroupCounts[]
  unknown: Counts
}

/** Sums that were made already: tables, figures and tests of one report ask for the same. */
const groupingCache = new WeakMap<readonly CountsRow[], Map<string, GroupedCounts>>()

/**
 * The cube added up by one column or an intersection of columns; the group's name joins the values with ` × `. Cells
 * without a value in one of the columns are left out and counted in `unknown`. `label` as a column is that of the cells that have one.
 */
export function groupBy(cells: readonly CountsRow[], columns: readonly string[]): GroupedCounts {
  const made = groupingCache.get(cells) ?? new Map<string, GroupedCounts>()
  groupingCache.set(cells, made)
  const key = JSON.stringify(columns)
  const grouped = made.get(key) ?? sumByGroup(cells, columns)
  made.set(key, grouped)
  return grouped
}

function addNamedSum(sums: Map<string, CountsSum>, name: string): CountsSum {
  const sum = startSum()
  sums.set(name, sum)
  return sum
}

function sumByGroup(cells: readonly CountsRow[], columns: readonly string[]): GroupedCounts {
  const sums = new Map<string, CountsSum>()
  const unknown = startSum()
  const nameOf = groupNamer(columns)
  for (const cell of cells) {
    const name = nameOf(cell)
    const sum = name === null ? unknown : sums.get(name)
    if (sum) addTo(sum, cell)
    else addTo(addNamedSum(sums, name!), cell)
  }
  const groups = [...sums].map(([group, sum]) => ({ group, ...finishSum(sum) }))
  return {
    groups: groups.sort((a, b) => (a.group < b.group ? -1 : 1)),
    unknown: finishSum(unknown),
  }
}

/** Names are made once for cells that share their values; classes are too many to share. */
function groupNamer(columns: readonly string[]): (cell: CountsRow) => string | null {
  const byLabel = columns.includes('label')
  const known = new Map<GroupValues, string | null>()
  const make = ({ groups, label }: CountsRow): string | null => {
    const values = columns.map(
      column => groups[column] ?? (column === 'label' ? label : null) ?? null,
    )
    return values.includes(null) ? null : values.join(' × ')
  }
  if (byLabel) return columns.length === 1 ? cell => cell.label ?? make(cell) : make
  return cell => {
    const found = known.get(cell.groups)
    if (found !== undefined) return found
    const name = make(cell)
    known.set(cell.groups, name)
    return name
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
