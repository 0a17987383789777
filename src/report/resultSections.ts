import { type Results } from '../figures/results.ts'
import { placeColumn } from '../figures/roles.ts'
import { type AccuracyRow, type DisparityRow } from '../run.ts'
import { type InferenceRow } from '../runInference.ts'
import { seed } from './findings.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { accuracyColumns, disparityColumns, inferenceColumns } from './resultTables.ts'
import { type Column } from './tables.ts'

/** Longer tables show the rows of the best model alone; the download has all. */
const longest = 1000

/** Accuracy overall, by place and by income, and the disparities. */
export async function tablesSection(results: Results): Promise<Markup> {
  const { run } = results
  const held = ['region', 'country', 'income_group'].filter(column => run.cells.some(cell => column in cell.groups))
  return markup`<h3>Accuracy</h3>
    ${accuracies(results, [])} ${await disparities(results)}
    ${held.map(
      by =>
        markup`<h3>Accuracy by ${named(by)}</h3>
          ${accuracies(results, [by])}`,
    )}`
}

const named = (column: string): string => column.replace('_', ' ')

function accuracies(results: Results, by: readonly string[]): Markup {
  const rows: AccuracyRow[] = titled(results, results.run.accuracy({ by }))
  const long = rows.length > longest
  const [best] = results.models
  const whose = by.map(column => ` by ${named(column)}`).join('')
  return htmlTable({
    name: ['accuracy', ...by].join('-by-'),
    caption: `Top-1 and top-5 accuracy in percent${whose}, with 95 % Wilson intervals of top-1; errors are images without a prediction.${long ? ` Rows of ${best!}.` : ''}`,
    columns: withoutSameMode(accuracyColumns(by.map(named)), rows),
    rows,
    ...(long ? { shown: rows.filter(({ model }) => model === best) } : {}),
  })
}

const titled = <Row extends { dataset: string }>({ title }: Results, rows: readonly Row[]): Row[] =>
  rows.map(row => ({ ...row, dataset: title(row.dataset) }))

/** Where all rows have one preprocessing, its column goes to the download alone. */
function withoutSameMode<Row extends { preprocessing: string }>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Column<Row>[] {
  const modes = new Set(rows.map(({ preprocessing }) => preprocessing))
  return columns.map(column =>
    column.name === 'preprocessing' && modes.size < 2 ? { ...column, heading: '' } : column,
  )
}

/** Permutations and intervals of more rows than this would take longer than a reader waits. */
const mostInferred = 40

async function disparities(results: Results): Promise<Markup | null> {
  const { run, roles, minN } = results
  const rows: DisparityRow[] = []
  const inferred: InferenceRow[] = []
  const few = results.models.length * roles.geographic.length <= mostInferred
  for (const dataset of roles.geographic) {
    const by = placeColumn(run, dataset)!
    if (few) inferred.push(...(await run.inference({ by, minN, seed, dataset })))
    else rows.push(...run.disparity({ by, minN }).filter(row => row.dataset === dataset))
  }
  if (rows.length + inferred.length === 0) return null
  const shared = `Largest difference of top-1 accuracy between groups of at least ${minN} images, in percentage points; the smaller groups are listed.`
  const table = few
    ? htmlTable({
        name: 'disparity',
        caption: `${shared} If equal: the mean disparity of groups of these sizes if the place did not matter, by 1,000 permutations of images or households; p: the chance of at least this one then; corrected: without what noise adds.`,
        columns: withoutSameMode(inferenceColumns, inferred),
        rows: titled(results, inferred),
      })
    : htmlTable({
        name: 'disparity',
        caption: shared,
        columns: withoutSameMode(disparityColumns, rows),
        rows: titled(results, rows),
      })
  return markup`<h3>Disparity</h3>
    ${table}`
}
