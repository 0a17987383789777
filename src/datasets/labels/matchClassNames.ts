/*
 * Decides which classes the class indices of a file stand for, by the class names that the file has (`classnames.txt` of
 * WebDataset shards, the `ClassLabel` feature of Parquet files). Names decide, never positions: an index of another list
 * would make a wrong accuracy.
 */
import { groupByKey, tally } from '../../lib/tally.ts'
import { inputError, quoteForMessage } from '../../lib/errors.ts'
import type { Sample } from '../dataset.ts'
import { identityMap } from '../build.ts'
import { imagenetClasses, indexOfWnid } from './imagenet.ts'
import {
  fileLabelling,
  labelling,
  pairLabelling,
  type Labelling,
  type LabelsOption,
} from './labelMap.ts'
import {
  imagenetIndices,
  imagenetSpace,
  type LabelSpace,
  normalizeLabel,
  numberedName,
  ownSpace,
} from './labelSpace.ts'

/** What the class indices of a file accept. */
export interface IndexLabelling extends Pick<Labelling, 'space' | 'labelMap'> {
  /** The class names in the order of the file's indices. */
  names: readonly string[]
  /** Accepted class indices of the label space, empty for a class that none of them stands for. */
  accepted: (index: number) => readonly number[]
}

/** Returns whether every name of a list is that of one ImageNet class, or numbers one of two that share a name. */
export function areImagenetNames(names: readonly string[]): boolean {
  const repeated = repeatedClasses(names)
  return names.every((name, i) => repeated.has(i) || isUnambiguous(name, imagenetClassesOf(name)))
}

/** Returns whether a name stands for one class, or for two that have it as their short name in two cases (`sunglasses`). */
function isUnambiguous(name: string, indices: readonly number[]): boolean {
  const isShortName = (index: number): boolean =>
    normalizeLabel(imagenetClasses[index]!.name) === normalizeLabel(name)
  return indices.length === 1 || (indices.length > 0 && indices.every(isShortName))
}

const maxUnknownLabels = 20

let knownIndices: ReadonlyMap<string, ReadonlySet<number>> | undefined

/** Returns ImageNet's class indices by wnid, name and synonym. */
function indicesByName(): ReadonlyMap<string, ReadonlySet<number>> {
  if (knownIndices) return knownIndices
  const indices = new Map<string, Set<number>>()
  for (const [i, { wnid, name, synonyms }] of imagenetClasses.entries()) {
    for (const text of [wnid, name, ...synonyms].map(normalizeLabel))
      indices.set(text, (indices.get(text) ?? new Set()).add(i))
  }
  return (knownIndices = indices)
}

/**
 * Returns whether labels are ImageNet's 1,000 in wnid order: all but at most 20 are names or synonyms of their class, and
 * none is the name of another class.
 */
export function areImagenetLabels(labels: readonly string[]): boolean {
  if (labels.length !== imagenetClasses.length) return false
  let unknown = 0
  for (const [i, label] of labels.entries()) {
    const found = [label, ...label.split(',')].flatMap(
      part => indicesByName().get(normalizeLabel(part)) ?? [],
    )
    if (found.some(indices => indices.has(i))) continue
    if (found.length > 0) return false
    unknown += 1
  }
  return unknown <= maxUnknownLabels
}

/** Returns the class index of a name that is a wnid (`n01440764`, `n01440764_tench`); undefined for any other name. */
function wnidIndex(name: string): number | undefined {
  const [wnid] = /^n\d{8}(?!\d)/.exec(name.trim()) ?? []
  return wnid === undefined ? undefined : indexOfWnid(wnid)
}

/**
 * Returns the ImageNet classes that a class name stands for: by its wnid, the whole name, or the class that most parts of
 * a list of synonyms (`tench, Tinca tinca`) name. Several if the name is ambiguous, none if it is unknown.
 */
function imagenetClassesOf(name: string): readonly number[] {
  const byWnid = wnidIndex(name)
  if (byWnid !== undefined) return [byWnid]
  const whole = imagenetIndices(name)
  if (whole.length > 0 || !name.includes(',')) return whole
  const votes = tally(name.split(',').flatMap(part => imagenetIndices(part.trim())))
  const most = Math.max(...votes.values())
  return [...votes].flatMap(([index, count]) => (count === most ? index : []))
}

/**
 * Returns what class indices accept, by the names of the classes. Without `labels` the names are ImageNet's classes if they
 * are its 1,000 in order or all wnids of it, else classes of their own. `imagenet` maps names to ImageNet's classes by name,
 * or by the shipped map of that benchmark (`geode-paper`); another value is the path of a label map.
 * @throws GeogapError `ambiguous-class`, `no-class-fits` if no name is known to the map, `duplicate-class`
 */
export async function indexLabelling(
  names: readonly string[],
  labels?: LabelsOption,
  shipped?: string,
): Promise<IndexLabelling> {
  if (labels !== 'original' && areImagenetLabels(names) && (labels ?? 'imagenet') === 'imagenet')
    return ownIndices(imagenetSpace, names)
  const areWnids = names.every(name => wnidIndex(name) !== undefined)
  if (labels === 'original' || (labels === undefined && !areWnids))
    return ownIndices(ownSpace(names), names)
  const isByName = labels === undefined || labels === 'imagenet'
  const map = isByName ? await imagenetLabelling(names, shipped) : await fileLabelling(labels)
  const repeated = isByName ? repeatedClasses(names) : new Map<number, number>()
  const accepted = names.map((name, i) => {
    const index = repeated.get(i)
    return index === undefined ? (map.accepted(name) ?? []) : [index]
  })
  if (accepted.every(indices => indices.length === 0))
    throw inputError(
      'no-class-fits',
      `no class name is known to ${labels === 'imagenet' ? 'ImageNet' : `the label map ${labels!}`}: ${names
        .slice(0, 5)
        .map(name => quoteForMessage(name))
        .join(
          ', ',
        )}${names.length > 5 ? ', …' : ''}; give a label map (--labels FILE), or keep the names for zero-shot models (--labels original)`,
    )
  return {
    space: map.space,
    labelMap: map.labelMap,
    names,
    accepted: index => accepted[index] ?? [],
  }
}

const ownIndices = (space: IndexLabelling['space'], names: readonly string[]): IndexLabelling => ({
  space,
  labelMap: identityMap(space),
  names: space === imagenetSpace ? space.classes : names,
  accepted: index => (index < names.length ? [index] : []),
})

/** Maps names to ImageNet's classes by name if all have one, else by the shipped map and, for the rest, by name. */
async function imagenetLabelling(names: readonly string[], shipped?: string): Promise<Labelling> {
  const repeated = repeatedClasses(names)
  const found = names.map((name, i): [string, readonly number[]] => {
    const index = repeated.get(i)
    return [name, index === undefined ? imagenetClassesOf(name) : [index]]
  })
  const map = shipped === undefined ? undefined : await labelling(shipped, 'imagenet')
  const byName = found.every(([, indices]) => indices.length > 0) ? undefined : map
  if (byName && names.every(name => byName.accepted(name))) return byName
  const pairs = found.map(([name, indices]): [string, readonly number[]] => [
    name,
    byName?.accepted(name) ?? unambiguous(name, indices),
  ])
  return pairLabelling(byName ? `${byName.labelMap.name} and by name` : 'by-name', pairs)
}

/**
 * Returns the ImageNet classes of names that a list has as often as ImageNet, by their position in the list: `crane` twice, or
 * `crane` and `crane2`, are the bird and the machine, as in ImageNet's order.
 */
function repeatedClasses(names: readonly string[]): ReadonlyMap<number, number> {
  const numbered = names.map((name, position) => {
    const { stem, number } =
      imagenetIndices(name).length > 1 ? { stem: name, number: 1 } : numberedName(name)
    return { stem: normalizeLabel(stem), number, position }
  })
  const classes = new Map<number, number>()
  for (const [stem, members] of groupByKey(numbered, one => one.stem)) {
    const indices = members.length > 1 ? [...imagenetIndices(stem)].sort((a, b) => a - b) : []
    if (indices.length !== members.length) continue
    const ordered = members.sort((a, b) => a.number - b.number || a.position - b.position)
    for (const [i, { position }] of ordered.entries()) classes.set(position, indices[i]!)
  }
  return classes
}

/** Returns the classes of a name. @throws GeogapError `ambiguous-class` */
function unambiguous(name: string, indices: readonly number[]): readonly number[] {
  if (indices.length === 0 || isUnambiguous(name, indices)) return indices
  const classes = indices.map(i => `${imagenetClasses[i]!.wnid} (${imagenetClasses[i]!.name})`)
  throw inputError(
    'ambiguous-class',
    `class name ${quoteForMessage(name)} stands for several classes, ${classes.join(' and ')}: give a label map (--labels FILE) that says which`,
  )
}

/**
 * Refuses labels of ImageNet's classes that contradict the wnids in the samples' ids, as ImageNet's files have them in their names:
 * they count from 1 or in another order. Ids without a wnid of ImageNet's 1,000 are passed over, and so are data sets with classes
 * of their own.
 * @throws GeogapError `labels-contradict-names`
 */
export function refuseContradictedIndices(
  samples: readonly Sample[],
  { kind }: Pick<LabelSpace, 'kind'>,
): void {
  if (kind !== 'imagenet-1k') return
  const named = samples.flatMap(({ id, labels, label }) => {
    const [wnid = ''] = /(?<![a-z\d])n\d{8}(?!\d)/.exec(id) ?? []
    const index = indexOfWnid(wnid)
    return index === undefined || labels.length === 0 ? [] : [{ id, wnid, index, labels, label }]
  })
  const wrong = named.filter(({ index, labels }) => !labels.includes(index))
  if (wrong.length === 0 || wrong.length * 2 < named.length) return
  const { id, wnid, index, label } = wrong[0]!
  throw inputError(
    'labels-contradict-names',
    `the label of ${quoteForMessage(id)} is ${quoteForMessage(label)}, but ${wnid} is ${imagenetClasses[index]!.name}; so it is for ${wrong.length} of ${named.length} images: do the indices count from 1, or in another order?`,
  )
}
