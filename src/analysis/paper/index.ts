import { type ImportedAccuracy, readImportedAccuracies } from '../../results/importedAccuracies.ts'
import { paperTable } from './printedNumbers.ts'
import { type Run } from '../../results/run.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
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
  const imported: ImportedAccuracy[] = await readImportedAccuracies(run.dir)
  const evidence = paperView(run, imported, options)
  switch (which) {
    case '1':
      return benchmarkTable(evidence)
    case 'testbed':
      return testbedTable(evidence)
    case 'classmaps':
      return classMapTable(evidence)
    case '2':
      return comparisonTable(evidence, which, 'benchmark', progressRows(evidence), [
        'intervals over draws of models; net improvement hangs on two models and has none',
      ])
    case '3':
      return comparisonTable(evidence, which, 'intervention', await interventionRows(evidence), [
        'disparity: the largest difference of any two regions; Europe minus Africa, the paper’s other reading, below it',
      ])
    case '4':
      return comparisonTable(evidence, which, 'model', await retrainingRows(evidence))
    case '8': {
      const { rows, notes } = await incomeRows(evidence)
      return comparisonTable(evidence, which, 'income', rows, notes)
    }
    case '9':
      return comparisonTable(
        evidence,
        which,
        '% of the training data',
        await dataShareRows(evidence),
      )
    case 'claims':
      return comparisonTable(evidence, which, 'what the paper says', await compareClaims(evidence))
  }
}

function comparisonTable(
  { notes }: PaperView,
  which: PaperTable,
  heading: string,
  rows: readonly PaperComparison[],
  more: readonly string[] = [],
): Table {
  const title =
    which === 'claims'
      ? "Numbers of the paper's text"
      : `Table ${which}: ${paperTable(which).title}`
  return createTable(
    { name: `paper-${which}`, title, notes: [...notes, ...more] },
    comparisonColumns(heading),
    rows,
  )
}
