/** Tables of metrics of groups. */
import { adjustedGaps, incomeRegionRows, shrunkenRows } from '../../analysis/adjustedGaps.ts'
import { pNumber, upperFirst } from '../../lib/table/text.ts'
import {
  calibrationRows,
  confusionRows,
  countedOnlyNotes,
  groupMetrics,
  type GroupMetric,
  macroRows,
  recallRows,
  worstRows,
} from '../../analysis/groupMetrics.ts'
import {
  fieldColumn,
  fieldColumns,
  intervalColumns,
  numericColumns,
  shareColumn,
  type TableColumn,
} from '../../lib/table/columns.ts'
import { createTable, type Table } from '../../lib/table/table.ts'
import { type Interval, shareInterval } from '../../metrics/intervals.ts'
import { type EvaluationId } from '../../results/storedEvaluations.ts'
import { type Run } from '../../results/run.ts'

const idColumns: TableColumn<EvaluationId>[] = fieldColumns({
  model: 'model',
  dataset: 'data set',
  preprocessing: 'preprocessing',
})

const groupColumn = (by: readonly string[]): TableColumn<{ group: string }>[] =>
  by.length === 0 ? [] : [fieldColumn('group', by.join(' × '))]

const intervalOf = <Row extends { interval: Interval | null }>(): TableColumn<Row>[] =>
  intervalColumns<Row>(({ interval }) => interval ?? [null, null])

const reasonColumn: TableColumn<{ reason: string | null }> = {
  ...fieldColumn('reason', '', (reason: string | null) => reason ?? ''),
  type: 'text',
}

/** Options of a table of a metric of groups. */
export interface GroupMetricOptions {
  by: readonly string[]
  /** Groups with fewer images are not among the worst. */
  minN: number
}

/** The rows of a metric as text and values, with sentences for the reader. */
interface MetricContent {
  table: (about: Parameters<typeof createTable>[0]) => Table
  reasons: readonly (string | null)[]
  sentences?: readonly string[]
}

type MetricReader = (
  run: Run,
  options: GroupMetricOptions,
) => MetricContent | Promise<MetricContent>

const content = <Row extends EvaluationId & { reason?: string | null }>(
  rows: readonly Row[],
  columns: readonly TableColumn<Row>[],
): MetricContent => ({
  table: about => createTable(about, [...idColumns, ...columns], rows),
  reasons: rows.map(({ reason = null }) => reason),
})

const readMacro: MetricReader = async (run, { by }) =>
  content(await macroRows(run, by), [
    ...groupColumn(by),
    ...numericColumns({ n: 'n' }),
    shareColumn('value', 'macro accuracy %'),
    ...intervalOf(),
    reasonColumn,
  ])

const worstReader =
  (part: number, heading: string): MetricReader =>
  async (run, { by, minN }) =>
    content(await worstRows(run, { by: by[0]!, minN, part }), [
      shareColumn('value', heading),
      ...intervalOf(),
      ...numericColumns({ groups: 'groups' }),
      fieldColumn('worst', 'worst as seen'),
      reasonColumn,
    ])

const readCalibrationTable: MetricReader = async (run, { by }) =>
  content(await calibrationRows(run, by), [
    ...groupColumn(by),
    ...numericColumns({ n: 'n' }),
    shareColumn('confidence', 'confidence %'),
    shareColumn('accuracy', 'accuracy %'),
    shareColumn('overconfidence', 'overconfidence (points)'),
    ...intervalOf(),
    shareColumn('error', 'calibration error (points)'),
    reasonColumn,
  ])

const readRecall: MetricReader = async (run, { by }) =>
  content(await recallRows(run, by), [
    ...groupColumn(by),
    fieldColumn('label', 'class'),
    ...numericColumns({ n: 'n' }),
    shareColumn('value', 'recall %'),
    ...intervalOf(),
    fieldColumn('instead'),
    { ...shareColumn('insteadShare', 'of images %'), name: 'instead_share' },
    reasonColumn,
  ])

const readConfusion: MetricReader = async (run, { by }) => {
  const rows = (await confusionRows(run, by)).map(row => ({
    ...row,
    share: row.taken / row.n,
    interval: shareInterval(row.taken, row.n),
  }))
  return content(rows, [
    ...groupColumn(by),
    fieldColumn('label', 'class'),
    fieldColumn('instead', 'taken for'),
    ...numericColumns({ taken: 'images', n: 'of' }),
    shareColumn('share', 'share %'),
    ...intervalOf(),
  ])
}

const readAdjusted: MetricReader = async (run, { by, minN }) => {
  const { rows, sentences } = await adjustedGaps(run, { by: by[0]!, minN })
  const columns = [
    fieldColumn('pair'),
    fieldColumn('part'),
    shareColumn('value', 'points'),
    ...intervalOf<(typeof rows)[number]>(),
    reasonColumn,
  ]
  return { ...content(rows, columns), reasons: [], sentences }
}

const readShrunken: MetricReader = async (run, { by }) =>
  content(await shrunkenRows(run, by), [
    ...groupColumn(by),
    ...numericColumns({ n: 'n' }),
    shareColumn('accuracy', 'accuracy %'),
    shareColumn('shrunken', 'shrunken %'),
    ...intervalOf(),
    reasonColumn,
  ])

const readIncome: MetricReader = async (run, { by, minN }) =>
  content(await incomeRegionRows(run, { by: by[0]!, minN }), [
    fieldColumn('what'),
    ...numericColumns({ n: 'n' }),
    shareColumn('value', 'points'),
    ...intervalOf(),
    {
      ...fieldColumn('p', 'p', (p: number | null) => (p === null ? '–' : pNumber(p))),
      type: 'number',
    },
    reasonColumn,
  ])

const readers: Readonly<Record<GroupMetric['name'], MetricReader>> = {
  macro: readMacro,
  worst: worstReader(0, 'worst group %'),
  cvar: worstReader(0.2, 'worst fifth %'),
  calibration: readCalibrationTable,
  recall: readRecall,
  confusion: readConfusion,
  adjusted: readAdjusted,
  shrunken: readShrunken,
  income: readIncome,
}

/** Metrics that counts by group suffice for. */
const ofCounts: readonly GroupMetric['name'][] = ['worst', 'cvar', 'shrunken', 'income']

/** Returns the table of a metric of groups. */
export async function groupMetricTable(
  run: Run,
  name: GroupMetric['name'],
  options: GroupMetricOptions,
): Promise<Table> {
  const metric = groupMetrics.find(one => one.name === name)!
  const { table, reasons, sentences = [] } = await readers[name](run, options)
  const by = options.by.length === 0 ? '' : ` by ${options.by.join(' × ')}`
  return table({
    name,
    title: `${upperFirst(metric.title)}${by}`,
    notes: [
      ...sentences,
      ...(reasons.length === 0 && sentences.length === 0
        ? [`nothing is known: it needs ${metric.needs}`]
        : []),
      metric.note,
      ...new Set(reasons.flatMap(reason => reason ?? [])),
      ...(ofCounts.includes(name) ? [] : countedOnlyNotes(run, metric)),
    ],
  })
}
