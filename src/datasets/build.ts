import { createHash } from 'node:crypto'
import { inputError } from '../lib/errors.ts'
import { sha256 } from '../lib/hash.ts'
import type { Choices, Dataset, Sample, LabelMap } from './dataset.ts'
import type { LabelSpace } from './labels/labels.ts'

/** What a layout's reader finds; `finish` makes a data set of it. */
export interface RawDataset extends Partial<
  Pick<
    Dataset,
    'labelMap' | 'choices' | 'problems' | 'columns' | 'imageFixes' | 'regionMapping' | 'notes'
  >
> {
  name: string
  samples: readonly Sample[]
  space: LabelSpace
}

/** What a caller may change about any data set. */
export interface DatasetAdjustments {
  /** At most this many items, evenly spaced over the data set's order so that every class and region stays in. */
  limit?: number
  /** `mapped`: only classes that some label accepts compete. Default: what the benchmark says. */
  choices?: 'all' | 'mapped'
}

export function buildDataset(draft: RawDataset, adjust: DatasetAdjustments = {}): Dataset {
  refuseDuplicates(draft)
  const kept = adjust.limit === undefined ? draft.samples : takeEvenly(draft.samples, adjust.limit)
  const {
    samples: items,
    columns,
    notes,
  } = withUniqueColumns(
    kept,
    draft.columns ?? [...new Set(kept.flatMap(item => Object.keys(item.groups)))],
    draft.notes ?? [],
  )
  return {
    name: adjustedName(draft, items.length, adjust),
    samples: items,
    classes: draft.space.classes,
    labelSpace: draft.space.kind,
    labelMap: draft.labelMap ?? identityMap(draft.space),
    choices: chooseClasses(draft, adjust.choices),
    hash: contentHash(items),
    columns,
    problems: draft.problems ?? [],
    ...(draft.imageFixes && { imageFixes: draft.imageFixes }),
    ...(draft.regionMapping && { regionMapping: draft.regionMapping }),
    ...(notes.length > 0 && { notes }),
  }
}

/** What a table of predictions calls its own columns. */
const predictionColumns = 'id label labels top5 probabilities rank correct1 correct5 status'.split(
  ' ',
)

/** Grouping columns whose names are taken, or differ from another one's in case alone, get a `_` at the end. */
function withUniqueColumns(
  items: readonly Sample[],
  columns: readonly string[],
  notes: readonly string[],
): Pick<Dataset, 'samples' | 'columns'> & { notes: readonly string[] } {
  const names = new Map<string, string>()
  const used = new Set(predictionColumns)
  for (const column of columns) {
    let name = column
    while (used.has(name.toLowerCase())) name += '_'
    used.add(name.toLowerCase())
    names.set(column, name)
  }
  const changed = [...names].filter(([column, name]) => column !== name)
  if (changed.length === 0) return { samples: items, columns, notes }
  const renamed = (groups: Sample['groups']): Sample['groups'] =>
    Object.fromEntries(
      Object.entries(groups).map(([column, value]) => [names.get(column) ?? column, value]),
    )
  return {
    samples: items.map(item => ({ ...item, groups: renamed(item.groups) })),
    columns: [...names.values()],
    notes: [
      ...notes,
      ...changed.map(([column, name]) => `its column ${column} is called ${name} here`),
    ],
  }
}

/** A part of a data set, or another game on it, has a name of its own, so that tables never show one for the other. */
function adjustedName(
  { name, samples: items }: RawDataset,
  kept: number,
  { choices }: DatasetAdjustments,
): string {
  const marks = [
    ...(kept < items.length ? [`${kept} of ${items.length}`] : []),
    ...(choices === 'mapped' ? ['mapped choices'] : []),
  ]
  return marks.length === 0 ? name : `${name} (${marks.join(', ')})`
}

function chooseClasses(draft: RawDataset, wanted: 'all' | 'mapped' | undefined): Choices {
  if (wanted === undefined) return draft.choices ?? 'all'
  return wanted === 'all' ? 'all' : acceptedClasses(draft.samples)
}

/** Every class index that some item accepts, ascending. */
export const acceptedClasses = (items: readonly Sample[]): number[] =>
  [...new Set(items.flatMap(item => item.labels))].sort((a, b) => a - b)

/** The map of a data set whose labels are already classes of its space. */
export const identityMap = (space: LabelSpace): LabelMap => ({
  name: space.kind === 'imagenet-1k' ? 'imagenet-1k' : 'own',
  hash: sha256(JSON.stringify(space.classes)),
})

function refuseDuplicates({ name, samples: items }: RawDataset): void {
  const seen = new Set<string>()
  for (const { id } of items) {
    if (seen.has(id)) throw inputError('duplicate-id', `duplicate id in ${name}: ${id}`)
    seen.add(id)
  }
}

function takeEvenly(items: readonly Sample[], limit: number): Sample[] {
  if (!Number.isInteger(limit) || limit < 1)
    throw inputError('bad-limit', `limit must be a positive integer: ${limit}`)
  const count = Math.min(limit, items.length)
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!)
}

/** The same content has the same hash wherever its folder or archive lies. */
export function contentHash(items: readonly Sample[]): string {
  const hash = createHash('sha256')
  for (const { id, labels, label, groups, bytes } of items) {
    hash.update(
      JSON.stringify([id, labels, label, Object.entries(groups).sort(compareKeys), bytes ?? null]) +
        '\n',
    )
  }
  return hash.digest('hex')
}

const compareKeys = ([a]: [string, unknown], [b]: [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0
