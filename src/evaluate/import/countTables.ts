/** Reads tables of counts by group as they are published: one row for each group, or one column for each group or model. */
import { type RawTable, missingPattern, rawCellText } from '../../datasets/readTable.ts'
import { inputError } from '../../lib/errors.ts'
import { shortList } from '../../lib/table/text.ts'
import { groupByKey } from '../../lib/tally.ts'
import { sum } from '../../metrics/numbers.ts'
import {
  type AccuracyUnit,
  accuracyUnit,
  parseCount,
  parseCountPair,
  parsePrinted,
} from './countCells.ts'
import {
  type CountRole,
  groupColumnOf,
  groupedBy,
  isCodeColumn,
  isKnownColumn,
  isTotalName,
  roleOf,
  saysPercent,
} from './countColumns.ts'
import { longTable } from './wideCounts.ts'

/** The counts of one model in one group of a data set. */
export interface GroupCountsRow {
  model: string
  dataset: string
  /** The value in each column of groups; null if it is not known. */
  groups: Readonly<Record<string, string | null>>
  n: number
  correct: number
  /** Images with an accepted class among the first five; null if that is not given. */
  correct5: number | null
  /** Whether `correct` is that of an accuracy which no whole number of right images gives. */
  isRounded?: boolean
}

/** Counts by group with sentences on how the table was read. */
export interface CountsImport {
  rows: GroupCountsRow[]
  notes: string[]
}

/** Names that are used where a table has none. */
export interface CountsNames {
  file: string
  model: string | undefined
  dataset: string
}

/**
 * Reads a table of counts by group; undefined if it is none. Errors: bad-counts, bad-accuracy, missing-column, duplicate-group.
 */
export function readGroupCounts(table: RawTable, names: CountsNames): CountsImport | undefined {
  const { table: long, notes } = longTable(table, names)
  const layout = layoutOf(long)
  if (!layout) return undefined
  checkLayout(layout, long.rows, names)
  const units = unitsOf(long, layout, names.file)
  const context = { layout, units, names, isSubtotal: subtotalsOf(long, layout) }
  const read = long.rows.map((row, i) =>
    readRow(row, { ...context, where: `${names.file}, row ${i + 1}` }),
  )
  const rows = read.flatMap(found => (found.kind === 'counts' ? found.row : []))
  if (rows.length === 0) throw inputError('bad-counts', `no group with images in ${names.file}`)
  checkRepeats(rows, names.file)
  const skipped = read.flatMap(found => (found.kind === 'empty' ? found.name : []))
  const totals = read.flatMap(found => (found.kind === 'total' ? found.name : []))
  const used = new Set([...layout.roles.values(), ...layout.groups.values()])
  const left = long.columns.filter(column => !used.has(column))
  return {
    rows,
    notes: [
      ...notes,
      ...[units.accuracy, units.accuracy5].flatMap(unit => (unit ? unit.text : [])),
      ...(layout.roles.has('accuracy') && !layout.roles.has('correct')
        ? ['right images are accuracy × images, rounded to a whole number']
        : []),
      ...listed(
        'groups whose accuracy no whole number of right images gives, as an average over classes or of other images',
        rows.flatMap(({ groups, isRounded }) => (isRounded ? nameOf(groups) : [])),
      ),
      ...listed('rows left out as sums of others', totals),
      ...listed(
        'groups with as many images and right ones as all others together: if one is their sum, call it Total',
        possibleTotals(rows),
      ),
      ...listed('groups left out for lack of images', skipped),
      ...listed('columns left out', left),
    ],
  }
}

const nameOf = (groups: GroupCountsRow['groups']): string =>
  Object.values(groups)
    .map(value => value ?? 'unknown')
    .join(' × ')

/** Returns the groups that have the sums of at least two other groups of one model, data set and column. */
function possibleTotals(rows: readonly GroupCountsRow[]): string[] {
  const sets = groupByKey(rows, ({ model, dataset, groups }) =>
    JSON.stringify([model, dataset, Object.keys(groups)]),
  )
  return [...sets.values()].flatMap(own => {
    const total = (of: 'n' | 'correct'): number => sum(own.map(row => row[of]))
    const [n, correct] = [total('n'), total('correct')]
    const isTotal = (row: GroupCountsRow): boolean => 2 * row.n === n && 2 * row.correct === correct
    return own.length < 3 ? [] : own.filter(isTotal).map(({ groups }) => nameOf(groups))
  })
}

const listed = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${what}: ${shortList([...new Set(names)], 8)}`]

/** The layout of a table: the column of each role, and the source column of each column of groups. */
interface CountsLayout {
  roles: ReadonlyMap<CountRole, string>
  groups: ReadonlyMap<string, string>
}

function layoutOf({ columns, rows }: RawTable): CountsLayout | undefined {
  const roles = new Map<CountRole, string>()
  for (const column of columns) {
    const role = roleOf(column)
    if (role !== undefined && role !== 'none' && !roles.has(role)) roles.set(role, column)
  }
  const groups = new Map<string, string>()
  for (const column of columns) {
    const name = groupColumnOf(column)
    if (name !== undefined && !groups.has(name)) groups.set(name, column)
  }
  const codes = columns.find(isCodeColumn)
  if (codes !== undefined && !groups.has('country')) groups.set('country', codes)
  const isMeasured = (['correct', 'wrong', 'accuracy', 'n'] as const).some(role => roles.has(role))
  const isCounted = roles.has('n') && roles.has('correct')
  if (!isMeasured || columns.includes('image')) return undefined
  if (groups.size === 0 && !roles.has('group') && !isCounted) return undefined
  // Other columns with several different texts are groups too.
  for (const column of columns) {
    if (isKnownColumn(column)) continue
    const texts = rows.flatMap(row => cellOf(row, column) ?? [])
    const isText = texts.some(text => parsePrinted(text) === undefined)
    if (isText && new Set(texts).size > 1) groups.set(column, column)
  }
  if (groups.size === 0 && !roles.has('group')) return undefined
  if (roles.has('group') && !roles.has('column')) {
    const texts = rows.flatMap(row => cellOf(row, roles.get('group')!) ?? [])
    groups.set(commonColumn(texts), roles.get('group')!)
  }
  return { roles, groups }
}

/** Returns the column that most values are of: `country` for names of countries; `group` for unknown ones. */
function commonColumn(values: readonly string[]): string {
  const kinds = values.filter(value => !isTotalName(value)).map(groupedBy)
  const count = (kind: string): number => kinds.filter(one => one === kind).length
  const [best] = ['country', 'region', 'income_group'].sort((a, b) => count(b) - count(a))
  return count(best!) > kinds.length / 2 ? best! : 'group'
}

function checkLayout(
  { roles }: CountsLayout,
  rows: RawTable['rows'],
  { file, model }: CountsNames,
): void {
  const missing = (what: string, how: string) =>
    inputError('missing-column', `no ${what} in ${file}: ${how}`)
  if (!roles.has('model') && model === undefined)
    throw missing('column model', 'add one, or name the model by --model')
  const isRight = roles.has('correct') || roles.has('accuracy')
  if (!isRight && !roles.has('wrong'))
    throw missing('counts of right images', 'add a column correct, or accuracy')
  const right = rows.flatMap(row => cellOf(row, roles.get('correct') ?? '') ?? [])
  const isSized = roles.has('wrong') || right.every(text => parseCountPair(text) !== undefined)
  if (!roles.has('n') && !(roles.has('correct') && isSized))
    throw missing(
      'number of images',
      'add a column n; an accuracy without it has no interval, and groups cannot be compared',
    )
}

interface CountsUnits {
  accuracy: AccuracyUnit | undefined
  accuracy5: AccuracyUnit | undefined
}

function unitsOf({ rows }: RawTable, { roles }: CountsLayout, file: string): CountsUnits {
  const unitOf = (role: CountRole): AccuracyUnit | undefined => {
    const column = roles.get(role)
    if (column === undefined) return undefined
    const cells = rows.flatMap(row => cellOf(row, column) ?? [])
    return accuracyUnit(cells, { isPercent: saysPercent(column), name: column, file })
  }
  return { accuracy: unitOf('accuracy'), accuracy5: unitOf('accuracy5') }
}

/** Returns the text of a cell; undefined if it is empty or a word for a missing value, which `NA` for Namibia is not. */
function cellOf(row: Readonly<Record<string, unknown>>, column: string): string | undefined {
  const text = rawCellText(row[column])?.trim()
  return text === undefined || text === '' || (missingPattern.test(text) && text !== 'NA')
    ? undefined
    : text
}

type ReadRow = { kind: 'counts'; row: GroupCountsRow } | { kind: 'empty' | 'total'; name: string }

interface RowContext {
  layout: CountsLayout
  isSubtotal: (column: string, group: string) => boolean
  units: CountsUnits
  names: CountsNames
  where: string
}

function readRow(row: Readonly<Record<string, unknown>>, context: RowContext): ReadRow {
  const { layout, names } = context
  const textOf = (role: CountRole): string | undefined => {
    const column = layout.roles.get(role)
    return column === undefined ? undefined : cellOf(row, column)
  }
  const groups = groupsOf(row, layout)
  const name = nameOf(groups)
  const isSum = ([column, group]: [string, string | null]): boolean =>
    group !== null && (isTotalName(group) || context.isSubtotal(column, group))
  if (Object.entries(groups).some(isSum)) return { kind: 'total', name }
  const counts = countsOfRow(textOf, context)
  if (!counts || counts.n === 0) return { kind: 'empty', name }
  const model = textOf('model') ?? names.model
  if (model === undefined) throw inputError('bad-counts', `model is empty: ${context.where}`)
  return {
    kind: 'counts',
    row: { model, dataset: textOf('dataset') ?? names.dataset, groups, ...counts },
  }
}

/** Returns a predicate for names of regions in a column of countries, which sum up countries. */
function subtotalsOf({ rows }: RawTable, { groups }: CountsLayout): RowContext['isSubtotal'] {
  const source = groups.get('country')
  const names = source === undefined ? [] : rows.flatMap(row => groupCell(row, source) ?? [])
  const hasCountries = names.some(name => groupedBy(name) === 'country')
  return (column, group) => column === 'country' && hasCountries && groupedBy(group) === 'region'
}

function groupsOf(
  row: Readonly<Record<string, unknown>>,
  { roles, groups }: CountsLayout,
): GroupCountsRow['groups'] {
  const values = [...groups].map(([column, source]) => [column, groupCell(row, source)] as const)
  if (!roles.has('column')) return Object.fromEntries(values)
  const written = cellOf(row, roles.get('column')!) ?? 'group'
  const column = groupColumnOf(written) ?? written
  return Object.fromEntries([...values, [column, groupCell(row, roles.get('group') ?? '')]])
}

/** Returns a group without marks of footnotes. */
const groupCell = (row: Readonly<Record<string, unknown>>, column: string): string | null =>
  cellOf(row, column)?.replace(/\s*[*†‡§¹²³]+$/, '') ?? null

function countsOfRow(
  textOf: (role: CountRole) => string | undefined,
  { units, where }: RowContext,
): Pick<GroupCountsRow, 'n' | 'correct' | 'correct5' | 'isRounded'> | undefined {
  const written = textOf('correct')
  const pair = written === undefined ? undefined : parseCountPair(written)
  const whole = (role: CountRole): number | undefined => {
    const text = textOf(role)
    if (text === undefined) return undefined
    const value = parseCount(text)
    if (value === undefined)
      throw inputError('bad-counts', `${role} is ${text}, not a whole number: ${where}`)
    return value
  }
  const wrong = whole('wrong')
  const given = pair?.correct ?? whole('correct')
  const sum = given === undefined || wrong === undefined ? undefined : given + wrong
  const n = pair?.n ?? whole('n') ?? sum
  if (n === undefined || n === 0) return undefined
  const share = shareOf(textOf('accuracy'), units.accuracy, where)
  const right = given ?? (wrong === undefined ? undefined : n - wrong)
  const correct = right ?? (share === undefined ? undefined : Math.round(share.value * n))
  if (correct === undefined) return undefined
  if (correct > n || correct < 0)
    throw inputError('bad-counts', `${correct} right of ${n} images: ${where}`)
  const isFitting = !share || fitsCount(share, correct, n)
  if (right !== undefined && share && !isFitting)
    throw inputError(
      'bad-counts',
      `accuracy is ${textOf('accuracy')!}, but ${right} of ${n} images are ${((100 * right) / n).toFixed(2)} %: ${where}`,
    )
  if (share && !isFitting && units.accuracy?.scale === 100) refuseShare(share, n, where)
  const share5 = shareOf(textOf('accuracy5'), units.accuracy5, where)
  const correct5 = whole('correct5') ?? (share5 ? Math.round(share5.value * n) : null)
  if (correct5 !== null && (correct5 < correct || correct5 > n))
    throw inputError(
      'bad-counts',
      `${correct5} right among the first five, ${correct} first, of ${n} images: ${where}`,
    )
  return isFitting ? { n, correct, correct5 } : { n, correct, correct5, isRounded: true }
}

/** Accuracies that float32 holds are off by this much at most. */
const floatTolerance = 1e-6

/** Returns whether an accuracy as printed, rounded or cut, is that of so many right images. */
const fitsCount = (
  { value, halfUnit }: { value: number; halfUnit: number },
  correct: number,
  n: number,
): boolean => Math.abs(correct / n - value) <= Math.max(2.001 * halfUnit, floatTolerance)

/** Refuses a share in a column of percent, by what its number of images allows. */
function refuseShare(
  { value, halfUnit }: { value: number; halfUnit: number },
  n: number,
  where: string,
): void {
  const share = { value: 100 * value, halfUnit: 100 * halfUnit }
  if (share.value <= 1 && fitsCount(share, Math.round(share.value * n), n))
    throw inputError(
      'bad-accuracy',
      `accuracy is ${Number(share.value.toPrecision(12))}, which is a share of ${n} images, in a column of percent: write all alike: ${where}`,
    )
}

function shareOf(
  text: string | undefined,
  unit: AccuracyUnit | undefined,
  where: string,
): { value: number; halfUnit: number } | undefined {
  if (text === undefined || !unit) return undefined
  const printed = parsePrinted(text)
  if (!printed || printed.value < 0)
    throw inputError('bad-accuracy', `accuracy is ${text}, not a number from 0: ${where}`)
  return { value: printed.value / unit.scale, halfUnit: printed.halfUnit / unit.scale }
}

function checkRepeats(rows: readonly GroupCountsRow[], file: string): void {
  const seen = new Set<string>()
  for (const { model, dataset, groups } of rows) {
    const key = JSON.stringify([model, dataset, groups])
    if (seen.has(key))
      throw inputError(
        'duplicate-group',
        `${Object.values(groups).join(' × ')} of ${model} on ${dataset} is given twice in ${file}`,
      )
    seen.add(key)
  }
}
