import { ownValue } from '../../lib/ownValue.ts'
import { inferDisparities, type InferenceRow } from '../../analysis/inferDisparities.ts'
import { type RunView } from '../../analysis/runView.ts'
import { placeColumn } from '../../analysis/datasetRoles.ts'
import { type GroupAccuracyRow } from '../../results/run.ts'
import { answerSeed } from '../../analysis/runSentence.ts'
import { htmlTable } from './htmlTable.ts'
import { folded, markup, type Markup } from './markup.ts'
import {
  accuracyColumns,
  inferenceColumns,
  withoutIntervalNotes,
} from '../tables/accuracyTables.ts'
import { type TableColumn } from '../../lib/table/columns.ts'
import { percent, percentRange, upperFirst } from '../../lib/table/text.ts'

/** Longer tables show the rows of the best model alone; the download has all. */
const maxTableRows = 1000

/** Returns the sections of accuracy overall, by place and by income, and of disparities. */
export async function tablesSection(results: RunView): Promise<Markup> {
  const { run } = results
  const held = ['region', 'country', 'income_group'].filter(column =>
    run.cells.some(cell => ownValue(cell.groups, column) != null),
  )
  return markup`<h3>Accuracy</h3>
    ${accuracySection(results, [])} ${await disparitySection(results)}
    ${held.map(by => folded(`Accuracy by ${columnText(by)}`, accuracySection(results, [by])))}`
}

const columnText = (column: string): string => column.replace('_', ' ')

function accuracySection(results: RunView, by: readonly string[]): Markup {
  const rows: GroupAccuracyRow[] = withDatasetTitles(results, results.run.accuracy({ by }))
  const long = rows.length > maxTableRows
  const [best] = results.models
  const whose = by.map(column => ` by ${columnText(column)}`).join('')
  return htmlTable({
    name: ['accuracy', ...by].join('-by-'),
    caption: `Top-1 and top-5 accuracy in percent${whose}, with 95 % intervals of top-1; errors are images without a prediction.${captionOfReasons(rows)}${long ? ` Rows of ${best!}.` : ''}`,
    columns: withoutSameMode(accuracyColumns(by.map(columnText)), rows),
    rows,
    shownRows: long ? rows.filter(({ model }) => model === best) : rows,
  })
}

const captionOfReasons = (rows: readonly GroupAccuracyRow[]): string =>
  withoutIntervalNotes(rows)
    .map(reason => ` ${upperFirst(reason)}.`)
    .join('')

const withDatasetTitles = <Row extends { dataset: string }>(
  { titleOf: title }: RunView,
  rows: readonly Row[],
): Row[] => rows.map(row => ({ ...row, dataset: title(row.dataset) }))

/** Hides the preprocessing column where all rows have one; downloads keep it. */
function withoutSameMode<Row extends { preprocessing: string }>(
  columns: readonly TableColumn<Row>[],
  rows: readonly Row[],
): TableColumn<Row>[] {
  const modes = [...new Set(rows.map(({ preprocessing }) => preprocessing))]
  const isSame = modes.length < 2
  return columns.map(column =>
    column.name === 'preprocessing' && isSame ? { ...column, heading: '' } : column,
  )
}

/** Returns the columns; those without a value in any row are in the CSV file alone. */
const withoutEmpty = (
  columns: readonly TableColumn<InferenceRow>[],
  rows: readonly InferenceRow[],
) =>
  columns.map(column =>
    rows.some(row => ![null, ''].includes(column.value(row) as string | null))
      ? column
      : { ...column, heading: '' },
  )

/** Largest models × groups for which permutations and intervals are computed; more would take too long. */
const maxInferredGroups = 2000

const withoutInference = {
  expected: null,
  p: null,
  corrected: null,
  interval: null,
  unit: 'images',
  clusterCorrelation: null,
} as const

async function disparitySection(results: RunView): Promise<Markup | null> {
  const { run, roles, minN } = results
  const inferred: InferenceRow[] = []
  const left: string[] = []
  for (const dataset of roles.geographic) {
    const by = placeColumn(run, dataset)!
    const rows = run.disparity({ by, minN, dataset })
    const work = rows.reduce((sum, { groups }) => sum + groups, 0)
    if (work <= maxInferredGroups)
      inferred.push(...(await inferDisparities(run, { by, minN, seed: answerSeed, dataset })))
    else {
      const reason = `not computed here: ${rows.length} models with up to ${Math.max(...rows.map(row => row.groups))} groups`
      inferred.push(
        ...rows.map(row => ({
          ...row,
          ...withoutInference,
          reason,
          failed: 0,
          failureP: null,
          warning: null,
        })),
      )
      left.push(results.titleOf(dataset))
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
      columns: withoutEmpty(withoutSameMode(inferenceColumns, inferred), inferred).map(
        withPairInterval,
      ),
      rows: withDatasetTitles(results, inferred),
    })}`
}

/** Europe minus Africa with its interval; the CSV file has the value. */
const withPairInterval = (column: TableColumn<InferenceRow>): TableColumn<InferenceRow> =>
  column.name !== 'europe_minus_africa'
    ? column
    : {
        ...column,
        show: ({ europeMinusAfrica, europeMinusAfricaInterval: interval }) =>
          interval
            ? `${percent(europeMinusAfrica)} (${percentRange(...interval)})`
            : percent(europeMinusAfrica),
      }
