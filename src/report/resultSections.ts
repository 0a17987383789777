import { type Results } from '../figures/results.ts'
import { placeColumn } from '../figures/roles.ts'
import { signed } from '../figures/values.ts'
import { type InferredDisparity } from '../metrics/disparityInference.ts'
import { type AccuracyRow, type DisparityRow } from '../run.ts'
import { inferredDisparity } from './findings.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { accuracyColumns, disparityColumns } from './resultTables.ts'
import { type Column } from './tables.ts'

/** Longer tables show the rows of the best model alone; the download has all. */
const longest = 1000

/** Accuracy overall, by place and by income, and the disparities. */
export function tablesSection(results: Results): Markup {
  const { run } = results
  const held = ['region', 'country', 'income_group'].filter(column => run.cells.some(cell => column in cell.groups))
  return markup`<h3>Accuracy</h3>
    ${accuracies(results, [])} ${disparities(results)}
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

type InferredRow = DisparityRow & Partial<Pick<InferredDisparity, 'interval' | 'expected' | 'p'>>

/** Permutations and intervals of more rows than this would take longer than a reader waits. */
const mostInferred = 40

function disparities(results: Results): Markup | null {
  const { run, roles, minN, preprocessing } = results
  const columns = [...new Set(roles.geographic.map(dataset => placeColumn(run, dataset)!))]
  const found = columns.flatMap(by => run.disparity({ by, minN }).filter(row => by === placeColumn(run, row.dataset)))
  if (found.length === 0) return null
  const inferred = found.length <= mostInferred
  const rows = found.map((row): InferredRow => {
    if (!inferred || row.preprocessing !== preprocessing) return row
    const { interval, expected, p } = inferredDisparity(results, row.dataset, row.model)
    return { ...row, interval, expected, p }
  })
  const more = inferred
    ? ' Expected: the mean disparity of groups of these sizes if the place did not matter; p: the chance of at least this one then (1,000 permutations).'
    : ''
  return markup`<h3>Disparity</h3>
    ${htmlTable({
      name: 'disparity',
      caption: `Largest difference of top-1 accuracy between groups of at least ${minN} images, in percentage points; the smaller groups are listed.${more}`,
      columns: withoutSameMode(inferred ? inferredColumns : disparityColumns, rows),
      rows: titled(results, rows),
    })}`
}

const points = (share: number | null | undefined): string => (share == null ? '–' : signed(100 * share, 1))

const inferredColumns: Column<InferredRow>[] = [
  ...disparityColumns.slice(0, 5),
  {
    name: 'low',
    heading: '95 % interval',
    value: row => row.interval?.[0] ?? null,
    show: ({ interval }) => (interval ? `${points(interval[0])} – ${points(interval[1])}` : '–'),
  },
  { name: 'high', heading: '', value: row => row.interval?.[1] ?? null },
  { name: 'expected', heading: 'expected', value: row => row.expected ?? null, show: row => points(row.expected) },
  { name: 'p', heading: 'p', value: row => row.p ?? null, show: row => (row.p == null ? '–' : row.p.toFixed(3)) },
  ...disparityColumns.slice(5),
]
