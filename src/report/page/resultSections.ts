import { inferDisparities } from '../../analysis/disparityInference.ts'
import { type Results } from '../../analysis/view.ts'
import { placeColumn } from '../../analysis/roles.ts'
import { isDraft } from '../../lib/pixels/steps.ts'
import { type AccuracyRow } from '../../results/run.ts'
import { type InferenceRow } from '../../analysis/disparityInference.ts'
import { seed } from './findings.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { accuracyColumns, inferenceColumns } from './resultTables.ts'
import { type Column } from '../../lib/table/columns.ts'
import { percent, percentRange } from '../../lib/table/text.ts'

/** Longer tables show the rows of the best model alone; the download has all. */
const longest = 1000

/** Accuracy overall, by place and by income, and the disparities. */
export async function tablesSection(results: Results): Promise<Markup> {
  const { run } = results
  const held = ['region', 'country', 'income_group'].filter(column =>
    run.cells.some(cell => cell.groups[column] != null),
  )
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

/** Where all rows have one preprocessing, and no drafts, its column goes to the download alone. */
function withoutSameMode<Row extends { preprocessing: string }>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Column<Row>[] {
  const modes = [...new Set(rows.map(({ preprocessing }) => preprocessing))]
  const isSame = modes.length < 2 && !modes.some(isDraft)
  return columns.map(column => (column.name === 'preprocessing' && isSame ? { ...column, heading: '' } : column))
}

/** Permutations and intervals of more models × groups than this would take longer than a reader waits. */
const mostInferred = 2000

const notInferred = {
  expected: null,
  p: null,
  corrected: null,
  interval: null,
  unit: 'images',
  clusterCorrelation: null,
} as const

async function disparities(results: Results): Promise<Markup | null> {
  const { run, roles, minN } = results
  const inferred: InferenceRow[] = []
  const left: string[] = []
  for (const dataset of roles.geographic) {
    const by = placeColumn(run, dataset)!
    const rows = run.disparity({ by, minN, dataset })
    const work = rows.reduce((sum, { groups }) => sum + groups, 0)
    if (work <= mostInferred) inferred.push(...(await inferDisparities(run, { by, minN, seed, dataset })))
    else {
      const reason = `not computed here: ${rows.length} models with up to ${Math.max(...rows.map(row => row.groups))} groups`
      inferred.push(...rows.map(row => ({ ...row, ...notInferred, reason, failed: 0, failureP: null, warning: null })))
      left.push(results.title(dataset))
    }
  }
  if (inferred.length === 0) return null
  const shared = `Largest difference of top-1 accuracy between groups of at least ${minN} images, in percentage points; the smaller groups are listed.`
  const known =
    'If equal: the mean disparity of groups of these sizes if the place did not matter, by 1,000 permutations of images or households; p: the chance of at least this one then; corrected: without what noise adds. Europe − Africa has its Newcombe interval.'
  const lacking = `For ${left.join(', ')} intervals and p would take minutes: geogap table DIR --disparity --by country computes them.`
  return markup`<h3>Disparity</h3>
    ${htmlTable({
      name: 'disparity',
      caption: [shared, known, ...(left.length > 0 ? [lacking] : [])].join(' '),
      columns: withoutSameMode(inferenceColumns, inferred).map(withPairInterval),
      rows: titled(results, inferred),
    })}`
}

/** Europe minus Africa with its interval; the CSV file has the value. */
const withPairInterval = (column: Column<InferenceRow>): Column<InferenceRow> =>
  column.name !== 'europe_minus_africa'
    ? column
    : {
        ...column,
        show: ({ europeMinusAfrica, europeMinusAfricaInterval: interval }) =>
          interval ? `${percent(europeMinusAfrica)} (${percentRange(...interval)})` : percent(europeMinusAfrica),
      }
