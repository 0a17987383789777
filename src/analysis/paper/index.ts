import { readImportedAccuracies } from '../../results/importedAccuracies.ts'
import { paperTable } from './printedNumbers.ts'
import { type Run } from '../../results/run.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import { countText } from '../../lib/table/text.ts'
import { tally } from '../../lib/tally.ts'
import { compareClaims } from './claims.ts'
import { type PaperComparison, comparisonColumns } from './comparison.ts'
import { type PaperView, paperView, type PaperViewOptions } from './paperView.ts'
import { classMapTable, benchmarkTable, testbedTable } from './facts.ts'
import { incomeRows } from './income.ts'
import { interventionRows } from './interventions.ts'
import { progressRows } from './progressTable.ts'
import { retrainingRows, dataShareRows } from './retraining.ts'

export const paperTables = ['1', '2', '3', '4', '8', '9', 'testbed', 'classmaps', 'claims'] as const
/** A table of the paper that stored results can be compared with. */
export type PaperTable = (typeof paperTables)[number]

/**
 * Returns one of the paper's tables from stored results: the measured value, the paper's value and the difference; null comes with its reason.
 *
 * @example
 * const table = await paperComparison(await openRun('results'), '2')
 */
export async function paperComparison(
  run: Run,
  which: PaperTable,
  options: PaperViewOptions = {},
): Promise<Table> {
  const evidence = paperView(run, await readImportedAccuracies(run.dir), options)
  if (which === '1') return benchmarkTable(evidence)
  if (which === 'testbed') return testbedTable(evidence)
  if (which === 'classmaps') return classMapTable(evidence)
  const { heading, rows: all, notes = [] } = await comparisonOf(evidence, which)
  const isEmpty = ({ ours, paper }: PaperComparison): boolean => ours === null && paper === null
  const rows = all.filter(row => !isEmpty(row))
  const title =
    which === 'claims'
      ? "Numbers of the paper's text"
      : `Table ${which}: ${paperTable(which).title}`
  return createTable(
    {
      name: `paper-${which}`,
      title,
      notes: [...evidence.notes, ...notes, ...emptyRowsNotes(all.filter(isEmpty))],
    },
    comparisonColumns(heading),
    rows,
  )
}

/** Returns one line about rows that have neither a measured nor a printed number, counted by their reasons. */
function emptyRowsNotes(rows: readonly PaperComparison[]): string[] {
  if (rows.length === 0) return []
  const reasons = [...tally(rows.map(({ note }) => note ?? 'no reason known'))]
  const parts = reasons.map(([reason, count]) => `${reason} (${countText(count, 'row')})`)
  return [`left out for lack of any number: ${parts.join('; ')}`]
}

/** The content of a table with measured and printed numbers. */
interface TableComparison {
  /** Heading of the rows' names. */
  heading: string
  rows: readonly PaperComparison[]
  notes?: readonly string[]
}

async function comparisonOf(
  evidence: PaperView,
  which: Exclude<PaperTable, '1' | 'testbed' | 'classmaps'>,
): Promise<TableComparison> {
  switch (which) {
    case '2':
      return {
        heading: 'benchmark',
        rows: progressRows(evidence),
        notes: [
          'intervals are by families of models; net improvement depends on two models and has none',
        ],
      }
    case '3':
      return {
        heading: 'intervention',
        rows: await interventionRows(evidence),
        notes: [
          'disparity: the largest difference of any two regions; Europe minus Africa, the paper’s other reading, below it',
        ],
      }
    case '4':
      return { heading: 'model', rows: await retrainingRows(evidence) }
    case '8':
      return { heading: 'income', ...(await incomeRows(evidence)) }
    case '9':
      return { heading: '% of the training data', rows: await dataShareRows(evidence) }
    case 'claims':
      return { heading: 'what the paper says', rows: await compareClaims(evidence) }
  }
}
