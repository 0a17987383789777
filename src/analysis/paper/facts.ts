/** Lists table 1, the testbed and the class maps of the paper with the results of a run. */
import { labelling, ownLabels } from '../../datasets/labels/labelMap.ts'
import { imagenetNames } from '../../datasets/labels/imagenet.ts'
import { normalizeLabel } from '../../datasets/labels/labelSpace.ts'
import { modelRow } from '../../models/listing.ts'
import { resolveModel } from '../../models/catalog.ts'
import { testbed } from '../../models/testbed.ts'
import { type StoredEvaluation, shardPaths } from '../../results/storedEvaluations.ts'
import { evaluationsOf } from '../../results/evaluationIndex.ts'
import { parquetRows, query } from '../../lib/sql.ts'
import { type Table, createTable } from '../../lib/table/table.ts'
import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  numericColumns,
  type CellValue,
} from '../../lib/table/columns.ts'
import { type PaperView } from './paperView.ts'

/** The columns of table 1: shift type, natural, number of shift types, crowdsourced. */
const benchmarkFacts: Readonly<Record<string, readonly [string, string, string, string]>> = {
  'imagenet-1k': ['–', '–', '–', 'no'],
  'imagenet-v2': ['–', '–', '–', 'no'],
  'imagenet-sketch': ['drawing', 'yes', '1', 'no'],
  'imagenet-r': ['drawing', 'yes', '1', 'no'],
  objectnet: ['pose, background', 'yes', '3', 'no'],
  'imagenet-c': ['corruptions', 'no', '5', 'no'],
  'imagenet-a': ['adversarial', 'yes', '1', 'no'],
  dollarstreet: ['geographic', 'yes', 'unlimited', 'yes'],
  geode: ['geographic', 'yes', 'unlimited', 'yes'],
}

/** The ImageNet classes of a label in the paper's map and in the run. */
type ClassMapRow = Readonly<
  Record<'benchmark' | 'label' | 'paper' | 'ours' | 'same', CellValue> & {
    images: number | null
  }
>

export function benchmarkTable(evidence: PaperView): Table {
  const { run, preprocessing } = evidence
  const rows = Object.entries(benchmarkFacts).map(
    ([benchmark, [shift, natural, shifts, crowdsourced]]) => {
      const dataset = evidence.roles.byBenchmark.get(benchmark) ?? ''
      const entries = evaluationsOf(run, { dataset, preprocessing })
      const images =
        entries.length === 0 ? null : Math.max(...entries.map(({ identity }) => identity.images))
      return { benchmark, shift, natural, shifts, crowdsourced, images, models: entries.length }
    },
  )
  const columns: TableColumn<(typeof rows)[number]>[] = [
    ...fieldColumns({
      benchmark: 'benchmark',
      shift: 'shift type',
      natural: 'natural',
      shifts: 'shift types',
      crowdsourced: 'crowdsourced',
    }),
    ...numericColumns({ images: 'images here', models: 'models here' }),
  ]
  return createTable(
    { name: 'paper-1', title: 'Table 1: benchmarks and what they vary', notes: evidence.notes },
    columns,
    rows,
  )
}

export function testbedTable(evidence: PaperView): Table {
  const { run, preprocessing } = evidence
  const rows = testbed().map(listed => {
    const { model } = listed
    const { images, parameters } = modelRow(resolveModel(model), listed)
    const failures = run.failures.filter(failure => failure.model === model)
    return {
      ...listed,
      images,
      parameters,
      benchmarks: evaluationsOf(run, { model, preprocessing }).length,
      failed: failures.length,
      note: listed.reason === '' ? (failures.at(0)?.message ?? null) : listed.reason,
    }
  })
  const columns: TableColumn<(typeof rows)[number]>[] = [
    ...fieldColumns({
      name: 'in the paper',
      group: 'group',
      evaluation: 'evaluation',
      listed: 'data, as listed',
      model: 'model',
      pretraining: 'pretraining',
    }),
    ...numericColumns({
      images: 'images',
      parameters: 'parameters',
      benchmarks: 'benchmarks here',
      failed: 'failed here',
    }),
    { ...fieldColumn('note'), show: ({ note }: { note: CellValue }) => String(note ?? '') },
  ]
  return createTable(
    { name: 'paper-testbed', title: "The paper's testbed (appendix A)", notes: evidence.notes },
    columns,
    rows,
  )
}

/** Returns the ImageNet classes of each label in the paper's map and in the run. */
export async function classMapTable(evidence: PaperView): Promise<Table> {
  const rows = [
    ...(await classMapRows(evidence, 'dollarstreet', 'dollarstreet-paper')),
    ...(await classMapRows(evidence, 'geode', 'geode-paper')),
  ]
  const columns: TableColumn<ClassMapRow>[] = [
    ...fieldColumns({
      benchmark: 'benchmark',
      label: 'class',
      paper: "the paper's ImageNet classes",
      ours: 'accepted here',
    }),
    ...numericColumns({ images: 'images here' }),
    ...fieldColumns({ same: 'same' }),
  ]
  const notes = [
    ...evidence.notes,
    'accepted here: the classes that results of a model with a 1,000-class head were scored with',
  ]
  return createTable(
    { name: 'paper-classmaps', title: 'Class maps (appendix A)', notes },
    columns,
    rows,
  )
}

async function classMapRows(
  evidence: PaperView,
  benchmark: string,
  file: string,
): Promise<ClassMapRow[]> {
  const { accepted } = await labelling(file)
  const [entry] = evidence
    .modelsOfKind('1K')
    .flatMap(model => evidence.evaluationOf(benchmark, model) ?? [])
  const stored = entry && (await classesByLabel(entry))
  return ownLabels(file).map(label => {
    const paper = accepted(label) ?? []
    const found = stored?.get(normalizeLabel(label))
    const same = found && classNamesText(found.labels) === classNamesText(paper)
    return {
      benchmark,
      label,
      paper: classNamesText(paper),
      ours: found ? classNamesText(found.labels) : null,
      images: found?.images ?? null,
      same: same === undefined ? 'not in the run' : same ? 'yes' : 'no',
    }
  })
}

const classNamesText = (indices: readonly number[]): string =>
  [...new Set(indices)]
    .sort((a, b) => a - b)
    .map(i => imagenetNames[i]!)
    .join(', ') || '(none)'

async function classesByLabel(
  entry: StoredEvaluation,
): Promise<Map<string, { labels: number[]; images: number }>> {
  const rows = await query<{ label: string; labels: string; images: number }>(
    `SELECT label, array_to_string(list_sort(list_distinct(flatten(list(labels)))), ',') AS labels, count(*)::DOUBLE AS images
     FROM ${parquetRows()} GROUP BY label`,
    [shardPaths(entry)],
  )
  return new Map(
    rows.map(({ label, labels, images }) => [
      normalizeLabel(label),
      { labels: labels === '' ? [] : labels.split(',').map(Number), images },
    ]),
  )
}
