/*
 * What is trained on and what is evaluated, by name: `dollarstreet:train`, `dollarstreet:test,geode`, `photos.csv`. A part
 * is rows of a data set whose features are kept.
 */
import { findBenchmark } from '../datasets/benchmarks/benchmarks.ts'
import { contentHash } from '../datasets/build.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type DatasetSpec } from '../datasets/open.ts'
import { inputError } from '../lib/errors.ts'
import { type FeatureMatrix, selectRows } from '../models/runtime/head.ts'
import { type OnDownload } from '../evaluate/prepareModels.ts'
import { type FeatureSet } from './features.ts'
import {
  type LabelledSample,
  sharedHouseholdNote,
  splitSamples,
  type SplitProtocol,
} from './splits.ts'

/** Rows of kept features whose images could be read. */
export interface DatasetPart {
  /** How its figures are called: `dollarstreet`. */
  label: string
  dataset: string
  featureSet: FeatureSet
  samples: LabelledSample[]
  features: FeatureMatrix
  /** Images of the part that could not be read. */
  failedCount: number
}

export interface PartSelection {
  /** `NAME`, `NAME:train`, or an opened data set, of which all is trained on. */
  train: string | Dataset
  /** `NAME:test`, `NAME`, or opened data sets; the training data's own test part where none are given. */
  evals: readonly (string | Dataset)[]
  split: SplitProtocol
}

/** What the training experiments are told alike: on which parts, how often, and what a region must have. */
export interface TrainingOptions {
  train: string | Dataset
  evals: readonly (string | Dataset)[]
  split?: SplitProtocol
  /** How data sets that are given by name are opened. */
  open?: Omit<DatasetSpec, 'name'>
  /** Seeds 1 … this. */
  seeds?: number
  /** Smallest region in a disparity. */
  minN?: number
  onDownload?: OnDownload
}

export interface DatasetParts {
  train: DatasetPart
  evals: DatasetPart[]
  /** What a reader of the results must know. */
  notes: string[]
}

type SplitSide = 'train' | 'test' | 'all'

interface PartRequest {
  dataset: string | Dataset
  side: SplitSide
}

/**
 * The parts that `names` ask for. Dollar Street has its splits itself, and GeoDE is then taken with the classes that overlap
 * (appendix E); other data sets are split by their household, region or split column where a part of them is asked for.
 * @throws GeogapError `bad-split`, `other-classes`, and what `open` and `splitItems` throw
 */
export async function openParts(
  names: PartSelection,
  open: (from: string | Dataset) => Promise<FeatureSet>,
): Promise<DatasetParts> {
  const notes = new Set<string>()
  const known = new Map<string | Dataset, Promise<FeatureSet>>()
  const partOf = async ({ dataset: from, side }: PartRequest): Promise<DatasetPart> => {
    const kept = await (known.get(from) ?? known.set(from, open(from)).get(from)!)
    for (const note of kept.description.notes) notes.add(note)
    return cutPart(kept, side, names.split, note => notes.add(note))
  }
  const { train, evals } = await openAllParts(names, partOf)
  for (const part of [train, ...evals]) {
    requireSameClasses(train, part)
    if (part.failedCount > 0)
      notes.add(`${part.failedCount} images of ${part.dataset} could not be read and are left out`)
  }
  if (new Set(evals.map(({ label }) => label)).size < evals.length)
    throw inputError(
      'bad-split',
      `the same data set twice: ${evals.map(({ dataset }) => dataset).join(', ')}`,
    )
  return { train, evals, notes: withSharedHouseholdNote([...notes], train, evals) }
}

/** One part after the other. */
async function openAllParts<T>(
  names: PartSelection,
  partOf: (one: PartRequest) => Promise<T>,
): Promise<{ train: T; evals: T[] }> {
  const wanted = partRequests(names)
  const train = await partOf(wanted.train)
  const evals: T[] = []
  for (const one of wanted.evals) evals.push(await partOf(one))
  return { train, evals }
}

/** Warns of households that are trained on and tested, where no split has. */
function withSharedHouseholdNote(
  notes: string[],
  { samples }: { samples: readonly LabelledSample[] },
  evals: readonly { samples: readonly LabelledSample[] }[],
): string[] {
  if (notes.some(note => note.includes('households'))) return notes
  const housed = (some: readonly LabelledSample[]) =>
    some.flatMap(({ groups }) =>
      groups['household'] == null ? [] : { household: String(groups['household']) },
    )
  return [
    ...notes,
    ...sharedHouseholdNote(housed(samples), housed(evals.flatMap(part => part.samples))),
  ]
}

export function partRequests({ train, evals, split }: PartSelection): {
  train: PartRequest
  evals: PartRequest[]
} {
  const first = partRequest(train, split, 'train')
  const isDollarStreet =
    typeof train === 'string' && benchmarkOf(parsePartName(train).name) === 'dollarstreet'
  const others =
    evals.length > 0
      ? evals
      : typeof train === 'string'
        ? [`${parsePartName(train).name}:test`]
        : []
  if (others.length === 0) throw inputError('bad-split', 'nothing to evaluate on')
  const same = (other: string | Dataset): boolean =>
    typeof train === 'string' &&
    typeof other === 'string' &&
    parsePartName(other).name === parsePartName(train).name
  return {
    train: first,
    evals: others.map(other => {
      if (isDollarStreet && other === 'geode') return { dataset: 'geode/overlap', side: 'all' }
      return partRequest(other, split, same(other) ? 'test' : 'all')
    }),
  }
}

function partRequest(from: string | Dataset, split: SplitProtocol, usual: SplitSide): PartRequest {
  if (typeof from !== 'string') return { dataset: from, side: 'all' }
  const { name, side = usual } = parsePartName(from)
  if (benchmarkOf(name) !== 'dollarstreet' || name.includes('/')) return { dataset: name, side }
  return { dataset: `dollarstreet/${split}${side === 'train' ? '/train' : ''}`, side: 'all' }
}

function parsePartName(text: string): { name: string; side?: 'train' | 'test' } {
  const [, name, side] = /^(.+):(train|test)$/.exec(text) ?? []
  return name === undefined ? { name: text } : { name, side: side as 'train' | 'test' }
}

/** `dollarstreet` for any of its variants and parts. */
const benchmarkOf = (name: string): string | undefined =>
  findBenchmark(name.replace(/ \(.*/, ''))?.benchmark.name

function cutPart(
  kept: FeatureSet,
  side: SplitSide,
  protocol: SplitProtocol,
  onNote: (note: string) => void,
): DatasetPart {
  const { description: about, status, features, samples: items } = kept
  const rows = items.map((item, row) => ({ ...item, row }))
  const split = side === 'all' ? undefined : splitSamples(rows, protocol)
  for (const note of split?.notes ?? []) onNote(note)
  const asked = split ? split[side as 'train' | 'test'] : rows
  const chosen = asked.filter(({ row }) => status[row] === 'ok')
  return {
    label: figureLabelOf(about.dataset),
    dataset: side === 'all' ? about.dataset : `${about.dataset}:${side}`,
    featureSet: kept,
    samples: chosen,
    features: selectRows(features, chosen.map(({ row }) => row)), // prettier-ignore
    failedCount: asked.length - chosen.length,
  }
}

/** How a data set's figures are called: `geode` for `geode/overlap`. */
export const figureLabelOf = (dataset: string): string =>
  benchmarkOf(dataset.replace(/:.*/, '')) ?? dataset.replace(/:(train|test)$/, '')

/** The data sets themselves, for what needs their images; `:test` of a data set is one of its own. */
export async function openDatasets(
  names: PartSelection,
  open: (name: string) => Promise<Dataset>,
): Promise<{ train: Dataset; evals: Dataset[]; notes: string[] }> {
  const notes = new Set<string>()
  const partOf = async ({ dataset: from, side }: PartRequest): Promise<Dataset> => {
    const dataset = typeof from === 'string' ? await open(from) : from
    for (const note of dataset.notes ?? []) notes.add(note)
    if (side === 'all') return dataset
    const split = splitSamples(dataset.samples, names.split)
    for (const note of split.notes) notes.add(note)
    return {
      ...dataset,
      name: `${dataset.name}:${side}`,
      samples: split[side],
      hash: contentHash(split[side]),
    }
  }
  const { train, evals } = await openAllParts(names, partOf)
  return { train, evals, notes: withSharedHouseholdNote([...notes], train, evals) }
}

function requireSameClasses(
  { featureSet: a }: DatasetPart,
  { featureSet: b, dataset }: DatasetPart,
): void {
  if (String(a.description.classes) === String(b.description.classes)) return
  throw inputError(
    'other-classes',
    `${dataset} is labelled with other classes than ${a.description.dataset}`,
  )
}
