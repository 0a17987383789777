import { createHash } from 'node:crypto'
import { columnsOfSamples } from './dataset.ts'
import { inputError } from '../lib/errors.ts'
import { sha256 } from '../lib/hash.ts'
import type { Choices, Dataset, Sample, LabelMap } from './dataset.ts'
import type { LabelSpace } from './labels/labelSpace.ts'

/** A data set as the reader of its layout returns it; `buildDataset` completes it. */
export interface RawDataset extends Partial<
  Pick<
    Dataset,
    'problems' | 'absent' | 'columns' | 'imageFixes' | 'regionMapping' | 'notes' | 'revision'
  >
> {
  name: string
  samples: readonly Sample[]
  space: LabelSpace
  labelMap?: LabelMap | undefined
  /** All classes by default. */
  choices?: Choices | undefined
}

/** Changes that a caller may ask for on any data set. */
export interface DatasetAdjustments {
  /** Largest number of samples; they are evenly spaced over the data set's order, so that every class and region stays in. */
  limit?: number
  /** `mapped`: only classes that some sample accepts compete. The benchmark's own choice by default. */
  choices?: 'all' | 'mapped'
}

/** Checks that ids are unique, takes a share of the samples if asked to, and adds the hash and the defaults. */
export function buildDataset(draft: RawDataset, adjust: DatasetAdjustments = {}): Dataset {
  refuseDuplicates(draft)
  const kept = adjust.limit === undefined ? draft.samples : takeEvenly(draft.samples, adjust.limit)
  const { samples, columns, notes } = withUniqueColumns(
    kept,
    draft.columns ?? columnsOfSamples(kept),
    draft.notes ?? [],
  )
  return {
    name: adjustedName(draft, samples.length, adjust),
    samples,
    classes: draft.space.classes,
    labelSpace: draft.space.kind,
    labelMap: draft.labelMap ?? identityMap(draft.space),
    choices: chooseClasses(draft, adjust.choices),
    hash: contentHash(samples),
    columns,
    problems: draft.problems ?? [],
    absent: draft.absent,
    imageFixes: draft.imageFixes,
    regionMapping: draft.regionMapping,
    revision: draft.revision,
    notes: notes.length > 0 ? notes : undefined,
  }
}

/** Columns of every table of predictions. */
export const predictionColumns =
  'id label labels top5 probabilities rank correct1 correct5 status'.split(' ')

/** Column of the probability of the accepted classes together; tables of earlier versions lack it. */
export const targetProbabilityColumn = 'target_probability'

/** The name that queries over several tables give the column of a row's file. */
export const fileColumn = 'read from'

/** Appends `_` to names of grouping columns that a table of predictions has, or that differ from another name in case alone. */
function withUniqueColumns(
  samples: readonly Sample[],
  columns: readonly string[],
  notes: readonly string[],
): Pick<Dataset, 'samples' | 'columns'> & { notes: readonly string[] } {
  const names = new Map<string, string>()
  const used = new Set([...predictionColumns, targetProbabilityColumn, fileColumn])
  for (const column of columns) {
    let name = column
    while (used.has(name.toLowerCase())) name += '_'
    used.add(name.toLowerCase())
    names.set(column, name)
  }
  const changed = [...names].filter(([column, name]) => column !== name)
  if (changed.length === 0) return { samples, columns, notes }
  const renamed = (groups: Sample['groups']): Sample['groups'] =>
    Object.fromEntries(
      Object.entries(groups).map(([column, value]) => [names.get(column) ?? column, value]),
    )
  return {
    samples: samples.map(sample => ({ ...sample, groups: renamed(sample.groups) })),
    columns: [...names.values()],
    notes: [
      ...notes,
      ...changed.map(([column, name]) => `its column ${column} is called ${name} here`),
    ],
  }
}

/** Names a part of a data set, or other choices on it, apart from the data set itself. */
function adjustedName(
  { name, samples }: RawDataset,
  kept: number,
  { choices }: DatasetAdjustments,
): string {
  const marks = [
    ...(kept < samples.length ? [`${kept} of ${samples.length}`] : []),
    ...(choices === 'mapped' ? ['mapped choices'] : []),
  ]
  return marks.length === 0 ? name : `${name} (${marks.join(', ')})`
}

function chooseClasses(draft: RawDataset, wanted: 'all' | 'mapped' | undefined): Choices {
  if (wanted === undefined) return draft.choices ?? 'all'
  return wanted === 'all' ? 'all' : acceptedClasses(draft.samples)
}

/** Returns every class index that some sample accepts, in ascending order. */
export const acceptedClasses = (samples: readonly Sample[]): number[] =>
  [...new Set(samples.flatMap(({ labels }) => labels))].sort((a, b) => a - b)

/** Returns the map of a data set whose labels are classes of its label space already. */
export const identityMap = (space: LabelSpace): LabelMap => ({
  name: space.kind === 'imagenet-1k' ? 'imagenet-1k' : 'own',
  hash: sha256(JSON.stringify(space.classes)),
})

function refuseDuplicates({ name, samples }: RawDataset): void {
  const seen = new Set<string>()
  for (const { id } of samples) {
    if (seen.has(id)) throw inputError('duplicate-id', `duplicate id in ${name}: ${id}`)
    seen.add(id)
  }
}

function takeEvenly(samples: readonly Sample[], limit: number): Sample[] {
  if (!Number.isInteger(limit) || limit < 1)
    throw inputError('bad-limit', `limit must be a positive integer: ${limit}`)
  const count = Math.min(limit, samples.length)
  return Array.from({ length: count }, (_, i) => samples[Math.floor((i * samples.length) / count)]!)
}

/** Hashes ids, labels, groups and sizes, independently of where the folder or archive lies. */
export function contentHash(samples: readonly Sample[]): string {
  const hash = createHash('sha256')
  for (const { id, labels, label, groups, bytes } of samples) {
    hash.update(
      JSON.stringify([id, labels, label, Object.entries(groups).sort(compareKeys), bytes ?? null]) +
        '\n',
    )
  }
  return hash.digest('hex')
}

const compareKeys = ([a]: [string, unknown], [b]: [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0
