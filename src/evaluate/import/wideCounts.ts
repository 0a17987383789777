/** Turns tables with one column for each group, or for each model, into tables with one row for each model and group. */
import { type RawTable, rawCellText } from '../../datasets/readTable.ts'
import { inputError } from '../../lib/errors.ts'
import { parseCount, parseCountPair, parsePrinted } from './countCells.ts'
import {
  groupColumnOf,
  groupedBy,
  isCodeColumn,
  isKnownColumn,
  isSizeRow,
  roleOf,
  saysPercent,
} from './countColumns.ts'

interface LongTable {
  table: RawTable
  notes: string[]
}

/** Returns a table with one row for each model and group, and a sentence if its columns were groups or models. */
export function longTable(
  table: RawTable,
  { file, model }: { file: string; model: string | undefined },
): LongTable {
  return (
    fromGroupColumns(table, { file, model }) ??
    fromModelColumns(table, file) ?? { table, notes: [] }
  )
}

/** A column that holds one number of one group. */
interface GroupColumn {
  column: string
  group: string
  role: 'n' | 'correct' | 'accuracy'
  /** The number of images that the heading states. */
  n: number | undefined
}

const headingSuffix =
  /[\s_:.-]*\(?\b(n|num|count|total|images|correct|hits|acc|accuracy|top-?1)\b[\s)%]*$|\s*\(?%\)?$/i

/** Reads a heading such as `Kenya`, `Kenya (n = 120)`, `Kenya_n` or `Kenya accuracy (%)`. */
function parseHeading(column: string): GroupColumn | undefined {
  const [, sized, size] = /^(.*?)\s*\(\s*n?\s*=?\s*([\d.,' ]+)\)\s*$/i.exec(column) ?? []
  const bare = sized ?? column
  const [suffix = ''] = headingSuffix.exec(bare.replaceAll('_', ' ')) ?? []
  const group = bare.slice(0, bare.length - suffix.length).trim()
  const name = groupedBy(bare) === undefined ? group : bare.trim()
  if (groupedBy(name) === undefined) return undefined
  const role = name === bare.trim() ? 'accuracy' : (roleOf(suffix) ?? 'accuracy')
  if (role !== 'n' && role !== 'correct' && role !== 'accuracy') return undefined
  return { column, group: name, role, n: size === undefined ? undefined : parseCount(size) }
}

function fromGroupColumns(
  { columns, rows }: RawTable,
  { file, model }: { file: string; model: string | undefined },
): LongTable | undefined {
  const found = columns.flatMap(name => (isKnownColumn(name) ? [] : (parseHeading(name) ?? [])))
  const groups = [...new Set(found.map(({ group }) => group))]
  if (groups.length < 2 || columns.some(column => groupColumnOf(column) !== undefined))
    return undefined
  const kinds = new Set(groups.map(groupedBy))
  if (kinds.size > 1)
    throw inputError(
      'bad-counts',
      `columns of ${file} are of countries, regions and incomes at once (${groups.slice(0, 4).join(', ')}, …): give one table for each`,
    )
  const others = columns.filter(column => !found.some(one => one.column === column))
  const modelColumn = others.find(column => roleOf(column) === 'model') ?? others[0]
  const nameOf = (row: CountsRow): string | undefined => cellText(row, modelColumn)?.trim()
  const datasetColumn = others.find(column => roleOf(column) === 'dataset')
  const sizes = rows.find(row => isSizeRow(nameOf(row) ?? ''))
  const long = rows
    .filter(row => row !== sizes)
    .flatMap(row =>
      groups.map(group => ({
        model: nameOf(row) ?? model,
        dataset: cellText(row, datasetColumn),
        group,
        ...groupCells(row, { group, found, sizes }),
      })),
    )
  const kind = [...kinds][0]!
  const percent = found.some(one => one.role === 'accuracy' && saysPercent(one.column))
  const accuracyName = percent ? 'accuracy %' : 'accuracy'
  const held = (name: 'correct' | 'accuracy' | 'n'): boolean =>
    long.some(row => row[name] !== undefined)
  return {
    table: {
      columns: [
        'model',
        ...(long.some(row => row.dataset !== undefined) ? ['dataset'] : []),
        kind,
        ...(held('n') ? ['n'] : []),
        ...(held('correct') ? ['correct'] : []),
        ...(held('accuracy') ? [accuracyName] : []),
      ],
      rows: long.map(({ model, dataset, group, n, correct, accuracy }) => ({
        model,
        dataset,
        [kind]: group,
        n,
        correct,
        [accuracyName]: accuracy,
      })),
    },
    notes: [`each of ${groups.length} columns is a ${kind.replace('_', ' ')}`],
  }
}

type CountsRow = Readonly<Record<string, unknown>>

const cellText = (row: CountsRow, column: string | undefined): string | undefined =>
  column === undefined ? undefined : (rawCellText(row[column]) ?? undefined)

/** Returns the numbers of one group in a row of a table with a column for each group. */
function groupCells(
  row: CountsRow,
  {
    group,
    found,
    sizes,
  }: { group: string; found: readonly GroupColumn[]; sizes: CountsRow | undefined },
) {
  const own = found.filter(one => one.group === group)
  const cell = (role: GroupColumn['role']): string | undefined =>
    cellText(row, own.find(one => one.role === role)?.column)
  const value = cell('accuracy')
  const isPair = value !== undefined && parseCountPair(value) !== undefined
  const sized = sizes && cellText(sizes, own.find(one => one.role !== 'n')?.column)
  const stated = own.find(one => one.n !== undefined)?.n
  return {
    n: cell('n') ?? sized ?? stated?.toString(),
    correct: isPair ? value : cell('correct'),
    accuracy: isPair ? undefined : value,
  }
}

/** Reads a table with a row for each group and a column of accuracies or counts for each model. */
function fromModelColumns({ columns, rows }: RawTable, file: string): LongTable | undefined {
  const roles = new Set(columns.map(roleOf))
  const isComplete = (['model', 'correct', 'accuracy', 'wrong'] as const).some(role =>
    roles.has(role),
  )
  const isGrouped =
    roles.has('group') ||
    columns.some(column => groupColumnOf(column) !== undefined || isCodeColumn(column))
  if (isComplete || !isGrouped || !roles.has('n')) return undefined
  const cells = (column: string): string[] => rows.flatMap(row => rawCellText(row[column]) ?? [])
  const models = columns.filter(column => {
    const texts = isKnownColumn(column) ? [] : cells(column)
    return texts.length > 0 && texts.every(text => parsePrinted(text) !== undefined)
  })
  if (models.length === 0) return undefined
  const values = models.flatMap(cells)
  const isPercent = models.some(saysPercent) || values.some(text => text.includes('%'))
  const numbers = values.map(text => parsePrinted(text)!.value)
  const isWhole = !isPercent && values.every(text => parseCount(text) !== undefined)
  const isCounts = isWhole && numbers.some(value => value > 100)
  if (isWhole && !isCounts && numbers.some(value => value > 1))
    throw inputError(
      'bad-counts',
      `columns ${models.join(', ')} of ${file} may be counts or percent: call a single one correct or accuracy, or write percent signs`,
    )
  const measure = isCounts ? 'correct' : isPercent ? 'accuracy %' : 'accuracy'
  const shared = columns.filter(column => !models.includes(column))
  return {
    table: {
      columns: ['model', ...shared, measure],
      rows: models.flatMap(column =>
        rows.map(row => ({
          ...Object.fromEntries(shared.map(name => [name, row[name]])),
          model: modelOfHeading(column),
          [measure]: row[column],
        })),
      ),
    },
    notes: [`each of the columns ${models.join(', ')} is a model, with its ${measure}`],
  }
}

/** Returns `ViT-B-32` for `ViT-B-32 accuracy (%)`. */
const modelOfHeading = (column: string): string =>
  column.replace(/[\s_:-]*\(?(top-?1|accuracy|acc\.?)?\s*\(?(%|percent)?\)?\s*$/i, '').trim() ||
  column
