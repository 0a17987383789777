import { type Imported, readImported } from '../../results/imported.ts'
import { paperTable } from './published.ts'
import { type Run } from '../../results/run.ts'
import { type Exported, exported } from '../../lib/table/table.ts'
import { claims } from './claims.ts'
import { type Comparison, comparisonColumns } from './comparison.ts'
import { type Evidence, evidenceOf, type PaperOptions } from './evidence.ts'
import { classMapTable, tableOne, testbedTable } from './facts.ts'
import { tableEight } from './income.ts'
import { tableThree } from './interventions.ts'
import { tableTwo } from './progressTable.ts'
import { tableFour, tableNine } from './retraining.ts'

export const paperTables = ['1', '2', '3', '4', '8', '9', 'testbed', 'classmaps', 'claims'] as const
export type PaperTable = (typeof paperTables)[number]

/** One of the paper's tables from stored results: ours, the paper's value and the difference; null comes with its reason. */
export async function paperComparison(run: Run, which: PaperTable, options: PaperOptions = {}): Promise<Exported> {
  const imported: Imported[] = await readImported(run.dir)
  const evidence = evidenceOf(run, imported, options)
  switch (which) {
    case '1':
      return tableOne(evidence)
    case 'testbed':
      return testbedTable(evidence)
    case 'classmaps':
      return classMapTable(evidence)
    case '2':
      return compared(evidence, which, 'benchmark', tableTwo(evidence), [
        'intervals over draws of models; net improvement hangs on two models and has none',
      ])
    case '3':
      return compared(evidence, which, 'intervention', await tableThree(evidence), [
        'disparity: the largest difference of any two regions; Europe minus Africa, the paper’s other reading, below it',
      ])
    case '4':
      return compared(evidence, which, 'model', await tableFour(evidence))
    case '8': {
      const { rows, notes } = await tableEight(evidence)
      return compared(evidence, which, 'income', rows, notes)
    }
    case '9':
      return compared(evidence, which, '% of the training data', await tableNine(evidence))
    case 'claims':
      return compared(evidence, which, 'what the paper says', await claims(evidence))
  }
}

function compared(
  { notes }: Evidence,
  which: PaperTable,
  heading: string,
  rows: readonly Comparison[],
  more: readonly string[] = [],
): Exported {
  const title = which === 'claims' ? "Numbers of the paper's text" : `Table ${which}: ${paperTable(which).title}`
  return exported({ name: `paper-${which}`, title, notes: [...notes, ...more] }, comparisonColumns(heading), rows)
}
