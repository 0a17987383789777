/** Table 1, the testbed and the class maps: no numbers to compare, but what the run has of them. */
import { labelling, ownLabels } from '../../datasets/labels/labelMap.ts'
import { imagenetNames } from '../../datasets/labels/imagenet.ts'
import { plain } from '../../datasets/labels/labels.ts'
import { modelRow } from '../../models/listing.ts'
import { resolveModel } from '../../models/catalog.ts'
import { testbed } from '../../models/testbed.ts'
import { type Entry, shardFiles } from '../../results/store.ts'
import { entriesOf } from '../../results/run.ts'
import { parquetRows, query } from '../../lib/sql.ts'
import { type Exported, exported } from '../../lib/table/table.ts'
import { type Column, field, fields, type Value } from '../../lib/table/columns.ts'
import { type Evidence } from './evidence.ts'

/** Kind of shift, whether natural, number of shifts, crowdsourced: as table 1 has them. */
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

/** A label's classes in the paper's map and in the run. */
type MapRow = Readonly<Record<'benchmark' | 'label' | 'paper' | 'ours' | 'images' | 'same', Value>>

export function tableOne(evidence: Evidence): Exported {
  const { run, preprocessing } = evidence
  const rows = Object.entries(benchmarkFacts).map(([benchmark, [shift, natural, shifts, crowdsourced]]) => {
    const dataset = evidence.dataset(benchmark) ?? ''
    const entries = entriesOf(run, { dataset, preprocessing })
    const images = entries.length === 0 ? null : Math.max(...entries.map(({ identity }) => identity.images))
    return { benchmark, shift, natural, shifts, crowdsourced, images, models: entries.length }
  })
  const columns = fields({
    ...{ benchmark: 'benchmark', shift: 'shift type', natural: 'natural', shifts: 'shift types' },
    ...{ crowdsourced: 'crowdsourced', images: 'images here', models: 'models here' },
  })
  return exported(
    { name: 'paper-1', title: 'Table 1: benchmarks and what they vary', notes: evidence.notes },
    columns,
    rows,
  )
}

export function testbedTable(evidence: Evidence): Exported {
  const { run, preprocessing } = evidence
  const rows = testbed().map(listed => {
    const row = modelRow(resolveModel(listed.model), listed)
    const benchmarks = entriesOf(run, { model: listed.model, preprocessing })
    const failures = run.failures.filter(({ model }) => model === listed.model)
    const { name, group, evaluation, listed: data, model, pretraining, reason } = listed
    const { images, parameters } = row
    return {
      ...{ name, group, evaluation, listed: data, model, pretraining, images, parameters },
      ...{ benchmarks: benchmarks.length, failed: failures.length, note: reason ?? failures[0]?.message ?? null },
    }
  })
  const columns: Column<(typeof rows)[number]>[] = [
    ...fields({
      ...{ name: 'in the paper', group: 'group', evaluation: 'evaluation', listed: 'data, as listed', model: 'model' },
      ...{ pretraining: 'pretraining', images: 'images', parameters: 'parameters' },
      ...{ benchmarks: 'benchmarks here', failed: 'failed here' },
    }),
    { ...field('note'), show: ({ note }: { note: Value }) => String(note ?? '') },
  ]
  return exported(
    { name: 'paper-testbed', title: "The paper's testbed (appendix A)", notes: evidence.notes },
    columns,
    rows,
  )
}

/** Each label's ImageNet classes in the paper's map, beside the classes that the run's images were scored with. */
export async function classMapTable(evidence: Evidence): Promise<Exported> {
  const rows = [
    ...(await mapRows(evidence, 'dollarstreet', 'dollarstreet-paper')),
    ...(await mapRows(evidence, 'geode', 'geode-paper')),
  ]
  const columns = fields({
    ...{ benchmark: 'benchmark', label: 'class', paper: "the paper's ImageNet classes", ours: 'accepted here' },
    ...{ images: 'images here', same: 'same' },
  })
  const notes = [
    ...evidence.notes,
    'accepted here: the classes that results of a model with a 1,000-class head were scored with',
  ]
  return exported({ name: 'paper-classmaps', title: 'Class maps (appendix A)', notes }, columns, rows)
}

async function mapRows(evidence: Evidence, benchmark: string, file: string): Promise<MapRow[]> {
  const { accepted } = await labelling(file)
  const entry = evidence.models('1K').flatMap(model => evidence.entry(benchmark, model) ?? [])[0]
  const stored = entry ? await storedLabels(entry) : new Map<string, { labels: number[]; images: number }>()
  return ownLabels(file).map(label => {
    const paper = accepted(label) ?? []
    const found = stored.get(plain(label))
    const same = found && sorted(found.labels).join() === sorted(paper).join()
    return {
      ...{ benchmark, label, paper: names(paper) },
      ours: found ? names(found.labels) : null,
      images: found?.images ?? null,
      same: same === undefined ? 'not in the run' : same ? 'yes' : 'no',
    }
  })
}

const sorted = (indices: readonly number[]): number[] => [...new Set(indices)].sort((a, b) => a - b)
const names = (indices: readonly number[]): string =>
  sorted(indices)
    .map(i => imagenetNames[i]!)
    .join(', ') || '(none)'

async function storedLabels(entry: Entry): Promise<Map<string, { labels: number[]; images: number }>> {
  const rows = await query<{ label: string; labels: string; images: number }>(
    `SELECT label, array_to_string(list_sort(list_distinct(flatten(list(labels)))), ',') AS labels, count(*)::DOUBLE AS images
     FROM ${parquetRows()} GROUP BY label`,
    [shardFiles(entry)],
  )
  return new Map(
    rows.map(({ label, labels, images }) => [
      plain(label),
      { labels: labels === '' ? [] : labels.split(',').map(Number), images },
    ]),
  )
}
