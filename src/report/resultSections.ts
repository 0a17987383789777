import { type Results } from '../figures/results.ts'
import { placeColumn } from '../figures/roles.ts'
import { type AccuracyRow, type DisparityRow } from '../run.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { accuracyColumns, disparityColumns } from './resultTables.ts'

/** Longer tables show the rows of the best model of each data set; the download has all. */
const longest = 1000

/** Accuracy overall, by place and by income, and the disparities. */
export function tablesSection(results: Results): Markup {
  const { run, roles, title } = results
  const named = <Row extends { dataset: string }>(rows: readonly Row[]): Row[] =>
    rows.map(row => ({ ...row, dataset: title(row.dataset) }))
  const held = ['region', 'country', 'income_group'].filter(column => run.cells.some(cell => column in cell.groups))
  const disparities = [...new Set(roles.geographic.map(dataset => placeColumn(run, dataset)!))].flatMap(by =>
    run.disparity({ by, minN: results.minN }),
  )
  return markup`${accuracies(results, named(run.accuracy()), [])}
  ${disparities.length > 0 && disparityTable(named(disparities), results.minN)}
  ${held.map(by => accuracies(results, named(run.accuracy({ by })), [by]))}`
}

function accuracies({ models }: Results, rows: readonly AccuracyRow[], by: readonly string[]): Markup {
  const long = rows.length > longest
  const name = by[0]?.replace('_', ' ')
  return htmlTable({
    name: by.length === 0 ? 'accuracy' : `accuracy-by-${by.join('-')}`,
    caption: `Top-1 and top-5 accuracy in percent${name === undefined ? '' : ` by ${name}`}, with 95 % Wilson intervals of top-1; errors are images without a prediction.${long ? ` Rows of ${models[0]!}.` : ''}`,
    columns: accuracyColumns(by),
    rows,
    ...(long ? { shown: rows.filter(({ model }) => model === models[0]) } : {}),
  })
}

const disparityTable = (rows: readonly DisparityRow[], minN: number): Markup =>
  htmlTable({
    name: 'disparity',
    caption: `Largest difference of top-1 accuracy between groups of at least ${minN} images, in percentage points; the smaller groups are listed.`,
    columns: disparityColumns,
    rows,
  })
