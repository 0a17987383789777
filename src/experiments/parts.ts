/*
 * What is trained on and what is evaluated, by name: `dollarstreet:train`, `dollarstreet:test,geode`, `photos.csv`. A part
 * is rows of a data set whose features are kept.
 */
import { findBenchmark } from '../datasets/benchmarks/benchmarks.ts'
import { contentHash } from '../datasets/build.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { type DatasetSpec } from '../datasets/open.ts'
import { inputError } from '../lib/errors.ts'
import { type Features, picked } from '../models/runtime/head.ts'
import { type OnDownload } from '../evaluate/targets.ts'
import { type Kept } from './features.ts'
import { type Labelled, sharedNote, splitItems, type SplitProtocol } from './splits.ts'

/** Rows of kept features whose images could be read. */
export interface Part {
  /** How its figures are called: `dollarstreet`. */
  label: string
  dataset: string
  kept: Kept
  items: Labelled[]
  features: Features
  /** Images of the part that could not be read. */
  failed: number
}

export interface PartNames {
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

export interface Parts {
  train: Part
  evals: Part[]
  /** What a reader of the results must know. */
  notes: string[]
}

type Side = 'train' | 'test' | 'all'

interface Wanted {
  from: string | Dataset
  side: Side
}

/**
 * The parts that `names` ask for. Dollar Street has its splits itself, and GeoDE is then taken with the classes that overlap
 * (appendix E); other data sets are split by their household, region or split column where a part of them is asked for.
 * @throws GeogapError `bad-split`, `other-classes`, and what `open` and `splitItems` throw
 */
export async function openParts(names: PartNames, open: (from: string | Dataset) => Promise<Kept>): Promise<Parts> {
  const notes = new Set<string>()
  const known = new Map<string | Dataset, Promise<Kept>>()
  const partOf = async ({ from, side }: Wanted): Promise<Part> => {
    const kept = await (known.get(from) ?? known.set(from, open(from)).get(from)!)
    for (const note of kept.about.notes) notes.add(note)
    return cut(kept, side, names.split, note => notes.add(note))
  }
  const { train, evals } = await allParts(names, partOf)
  for (const part of [train, ...evals]) {
    requireSameClasses(train, part)
    if (part.failed > 0) notes.add(`${part.failed} images of ${part.dataset} could not be read and are left out`)
  }
  if (new Set(evals.map(({ label }) => label)).size < evals.length)
    throw inputError('bad-split', `the same data set twice: ${evals.map(({ dataset }) => dataset).join(', ')}`)
  return { train, evals, notes: withShared([...notes], train, evals) }
}

/** One part after the other. */
async function allParts<T>(names: PartNames, partOf: (one: Wanted) => Promise<T>): Promise<{ train: T; evals: T[] }> {
  const wanted = wantedParts(names)
  const train = await partOf(wanted.train)
  const evals: T[] = []
  for (const one of wanted.evals) evals.push(await partOf(one))
  return { train, evals }
}

/** Warns of households that are trained on and tested, where no split has. */
function withShared(
  notes: string[],
  { items }: { items: readonly Labelled[] },
  evals: readonly { items: readonly Labelled[] }[],
): string[] {
  if (notes.some(note => note.includes('households'))) return notes
  const housed = (some: readonly Labelled[]) =>
    some.flatMap(({ groups }) => (groups['household'] == null ? [] : { household: String(groups['household']) }))
  return [...notes, ...sharedNote(housed(items), housed(evals.flatMap(part => part.items)))]
}

export function wantedParts({ train, evals, split }: PartNames): { train: Wanted; evals: Wanted[] } {
  const first = wantedPart(train, split, 'train')
  const isDollarStreet = typeof train === 'string' && benchmarkOf(named(train).name) === 'dollarstreet'
  const others = evals.length > 0 ? evals : typeof train === 'string' ? [`${named(train).name}:test`] : []
  if (others.length === 0) throw inputError('bad-split', 'nothing to evaluate on')
  const same = (other: string | Dataset): boolean =>
    typeof train === 'string' && typeof other === 'string' && named(other).name === named(train).name
  return {
    train: first,
    evals: others.map(other => {
      if (isDollarStreet && other === 'geode') return { from: 'geode/overlap', side: 'all' }
      return wantedPart(other, split, same(other) ? 'test' : 'all')
    }),
  }
}

function wantedPart(from: string | Dataset, split: SplitProtocol, usual: Side): Wanted {
  if (typeof from !== 'string') return { from, side: 'all' }
  const { name, side = usual } = named(from)
  if (benchmarkOf(name) !== 'dollarstreet' || name.includes('/')) return { from: name, side }
  return { from: `dollarstreet/${split}${side === 'train' ? '/train' : ''}`, side: 'all' }
}

function named(text: string): { name: string; side?: 'train' | 'test' } {
  const [, name, side] = /^(.+):(train|test)$/.exec(text) ?? []
  return name === undefined ? { name: text } : { name, side: side as 'train' | 'test' }
}

/** `dollarstreet` for any of its variants and parts. */
const benchmarkOf = (name: string): string | undefined => findBenchmark(name.replace(/ \(.*/, ''))?.benchmark.name

function cut(kept: Kept, side: Side, protocol: SplitProtocol, onNote: (note: string) => void): Part {
  const { about, status, features, items } = kept
  const rows = items.map((item, row) => ({ ...item, row }))
  const split = side === 'all' ? undefined : splitItems(rows, protocol)
  for (const note of split?.notes ?? []) onNote(note)
  const asked = split ? split[side as 'train' | 'test'] : rows
  const chosen = asked.filter(({ row }) => status[row] === 'ok')
  return {
    label: labelOf(about.dataset),
    dataset: side === 'all' ? about.dataset : `${about.dataset}:${side}`,
    kept,
    items: chosen,
    features: picked(features, chosen.map(({ row }) => row)), // prettier-ignore
    failed: asked.length - chosen.length,
  }
}

/** How a data set's figures are called: `geode` for `geode/overlap`. */
export const labelOf = (dataset: string): string =>
  benchmarkOf(dataset.replace(/:.*/, '')) ?? dataset.replace(/:(train|test)$/, '')

/** The data sets themselves, for what needs their images; `:test` of a data set is one of its own. */
export async function openDatasets(
  names: PartNames,
  open: (name: string) => Promise<Dataset>,
): Promise<{ train: Dataset; evals: Dataset[]; notes: string[] }> {
  const notes = new Set<string>()
  const partOf = async ({ from, side }: Wanted): Promise<Dataset> => {
    const dataset = typeof from === 'string' ? await open(from) : from
    for (const note of dataset.notes ?? []) notes.add(note)
    if (side === 'all') return dataset
    const split = splitItems(dataset.items, names.split)
    for (const note of split.notes) notes.add(note)
    return { ...dataset, name: `${dataset.name}:${side}`, items: split[side], hash: contentHash(split[side]) }
  }
  const { train, evals } = await allParts(names, partOf)
  return { train, evals, notes: withShared([...notes], train, evals) }
}

function requireSameClasses({ kept: a }: Part, { kept: b, dataset }: Part): void {
  if (String(a.about.classes) === String(b.about.classes)) return
  throw inputError('other-classes', `${dataset} is labelled with other classes than ${a.about.dataset}`)
}
