/*
 * Opens the data sets or parts of them that an experiment trains and evaluates on, by name: `dollarstreet:train`,
 * `dollarstreet:test,geode`, `photos.csv`.
 */
import { findBenchmark } from '../datasets/benchmarks/index.ts'
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

/** Kept features of a data set or part of it, without the images that could not be read. */
export interface DatasetPart {
  /** Name of its figures, such as `dollarstreet`. */
  label: string
  dataset: string
  featureSet: FeatureSet
  samples: LabelledSample[]
  features: FeatureMatrix
  /** Number of images of the part that could not be read. */
  failedCount: number
}

/** The data sets or parts of an experiment. */
export interface PartSelection {
  /** `NAME`, `NAME:train`, or an opened data set, which is used whole. */
  train: string | Dataset
  /** `NAME:test`, `NAME`, or opened data sets; if empty, the test part of the training data. */
  evals: readonly (string | Dataset)[]
  split: SplitProtocol
}

/** Options of all training experiments. */
export interface TrainingOptions extends Omit<PartSelection, 'split'> {
  split?: SplitProtocol
  /** Options for opening data sets by name. */
  open?: Omit<DatasetSpec, 'name'>
  /** Number of seeds, which are 1, 2 … */
  seeds?: number
  /** Smallest number of images of a region in a disparity. Default 30. */
  minN?: number
  onDownload?: OnDownload
}

/** The opened parts of an experiment. */
export interface DatasetParts {
  train: DatasetPart
  evals: DatasetPart[]
  /** Sentences for the reader of the results. */
  notes: string[]
}

type SplitSide = 'train' | 'test' | 'all'

interface PartRequest {
  dataset: string | Dataset
  side: SplitSide
}

/**
 * Opens the requested parts. Dollar Street has its own splits, and GeoDE is then used with the overlapping classes (appendix
 * E); other data sets are split by their household, region or split column if a part of them is requested.
 * @throws GeogapError `bad-split`, `other-classes`, and errors of `open` and `splitSamples`.
 */
export async function openParts(
  selection: PartSelection,
  open: (from: string | Dataset) => Promise<FeatureSet>,
): Promise<DatasetParts> {
  const known = new Map<string | Dataset, Promise<FeatureSet>>()
  const { train, evals, notes } = await openAllParts(selection, async (request, notes) => {
    const { dataset: from } = request
    const featureSet = await (known.get(from) ?? known.set(from, open(from)).get(from)!)
    for (const note of featureSet.description.notes) notes.add(note)
    return cutPart(featureSet, request.side, splitter(selection, notes))
  })
  const unread: string[] = []
  for (const part of [train, ...evals]) {
    requireSameClasses(train, part)
    if (part.failedCount > 0)
      unread.push(
        `${part.failedCount} images of ${part.dataset} could not be read and are left out`,
      )
  }
  if (new Set(evals.map(({ label }) => label)).size < evals.length)
    throw inputError(
      'bad-split',
      `the same data set twice: ${evals.map(({ dataset }) => dataset).join(', ')}`,
    )
  return { train, evals, notes: [...new Set([...notes, ...unread])] }
}

/** Opens the requested data sets themselves, for experiments that need their images; a part of a data set is one of its own. */
export const openDatasets = (
  selection: PartSelection,
  open: (name: string) => Promise<Dataset>,
): Promise<{ train: Dataset; evals: Dataset[]; notes: string[] }> =>
  openAllParts(selection, async ({ dataset: from, side }, notes) => {
    const dataset = typeof from === 'string' ? await open(from) : from
    for (const note of dataset.notes ?? []) notes.add(note)
    if (side === 'all') return dataset
    const samples = splitter(selection, notes)(dataset.samples)[side]
    return { ...dataset, name: `${dataset.name}:${side}`, samples, hash: contentHash(samples) }
  })

type Splitter = <T extends LabelledSample>(samples: readonly T[]) => Record<'train' | 'test', T[]>

const splitter =
  ({ split: protocol }: PartSelection, notes: Set<string>): Splitter =>
  samples => {
    const split = splitSamples(samples, protocol)
    for (const note of split.notes) notes.add(note)
    return split
  }

/** Opens one part after the other, and warns of households in both training and test if no split does. */
async function openAllParts<T extends { samples: readonly LabelledSample[] }>(
  selection: PartSelection,
  openPart: (request: PartRequest, notes: Set<string>) => Promise<T>,
): Promise<{ train: T; evals: T[]; notes: string[] }> {
  const notes = new Set<string>()
  const requests = partRequests(selection)
  const train = await openPart(requests.train, notes)
  const evals: T[] = []
  for (const request of requests.evals) evals.push(await openPart(request, notes))
  const warning = [...notes].some(note => note.includes('households'))
    ? []
    : sharedHouseholdNote(
        withKnownHousehold(train.samples),
        withKnownHousehold(evals.flatMap(part => part.samples)),
      )
  return { train, evals, notes: [...notes, ...warning] }
}

const withKnownHousehold = (samples: readonly LabelledSample[]): { household: string }[] =>
  samples.flatMap(({ groups }) =>
    groups['household'] == null ? [] : { household: String(groups['household']) },
  )

/** Returns the parts that names stand for. Errors: bad-split. */
export function partRequests({ train, evals, split }: PartSelection): {
  train: PartRequest
  evals: PartRequest[]
} {
  const trainName = typeof train === 'string' ? parsePartName(train).name : undefined
  const others = evals.length > 0 || trainName === undefined ? evals : [`${trainName}:test`]
  if (others.length === 0) throw inputError('bad-split', 'nothing to evaluate on')
  const isDollarStreet = trainName !== undefined && benchmarkOf(trainName) === 'dollarstreet'
  return {
    train: partRequest(train, split, 'train'),
    evals: others.map(other => {
      if (isDollarStreet && other === 'geode') return { dataset: 'geode/overlap', side: 'all' }
      const isSame = typeof other === 'string' && parsePartName(other).name === trainName
      return partRequest(other, split, isSame ? 'test' : 'all')
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

/** Returns `dollarstreet` for any of its variants and parts. */
const benchmarkOf = (name: string): string | undefined =>
  findBenchmark(name.replace(/ \(.*/, ''))?.benchmark.name

function cutPart(featureSet: FeatureSet, side: SplitSide, split: Splitter): DatasetPart {
  const { description, status, features, samples } = featureSet
  const all = samples.map((sample, row) => ({ ...sample, row }))
  const wanted = side === 'all' ? all : split(all)[side]
  const chosen = wanted.filter(({ row }) => status[row] === 'ok')
  const rows = chosen.map(({ row }) => row)
  return {
    label: figureLabelOf(description.dataset),
    dataset: side === 'all' ? description.dataset : `${description.dataset}:${side}`,
    featureSet,
    samples: chosen,
    features: selectRows(features, rows),
    failedCount: wanted.length - chosen.length,
  }
}

/** Returns the name of the figures of a data set: `geode` for `geode/overlap`. */
export const figureLabelOf = (dataset: string): string =>
  benchmarkOf(dataset.replace(/:.*/, '')) ?? dataset.replace(/:(train|test)$/, '')

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
