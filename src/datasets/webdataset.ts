// WebDataset shards as CLIP_benchmark and DataComp publish them:
//   classnames.txt, zeroshot_classification_templates.txt, test/nshards.txt, test/0.tar, test/1.tar, …
// A sample is the members of one name: `s0000001.webp`, `s0000001.cls` (class index or name), and `.json` or `.npy` metadata.
// Without `.cls`, a field of the JSON is the class.
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { dataError, inputError } from '../lib/errors.ts'
import { orIfMissing } from '../lib/files.ts'
import { shortList } from '../lib/table/text.ts'
import { groupByKey } from '../lib/tally.ts'
import { mapLimited } from '../lib/concurrency.ts'
import {
  isImageName,
  unknownClassProblem,
  unknownFileProblem,
} from './benchmarks/classFolderSamples.ts'
import type { RawDataset } from './build.ts'
import type { GroupValue, Sample, Problem } from './dataset.ts'
import { hasImagenetNames } from './benchmarks/hubCopies.ts'
import {
  indexLabelling,
  refuseContradictedIndices,
  type IndexLabelling,
} from './labels/matchClassNames.ts'
import { chooseLabelField } from './jsonLabels.ts'
import { normalizeLabel, parseLabels } from './labels/labelSpace.ts'
import { parseJson } from '../lib/archive/json.ts'
import { nonEmptyLines, readClassList, type ReadManifestOptions } from './manifest.ts'
import { npyValues } from '../lib/archive/npy.ts'
import { rawCellText } from './readTable.ts'
import { distinctNames } from './files.ts'
import { openTree, readEntry, readTreeText, type FileTree } from './tree.ts'
import { type ArchiveMember } from '../lib/archive/member.ts'

/** Returns whether a folder or archive has this layout: files that only it has, an image beside its JSON, or shards of these. */
export async function isWebDataset(tree: FileTree): Promise<boolean> {
  const entries = await tree.topEntries()
  const names = entries.map(({ name }) => name)
  if (names.includes('nshards.txt') || names.includes('classnames.txt') || isShard(names))
    return true
  const shard = names.find(name => name.endsWith('.tar'))
  if (shard === undefined || entries.some(({ isFolder }) => isFolder)) return false
  const entry = await tree.find(shard)
  if (entry?.source.kind !== 'file') return false
  const members = await (await openTree(entry.source.file)).topEntries()
  return isShard(members.map(({ name }) => name))
}

function isShard(names: readonly string[]): boolean {
  const known = new Set(names)
  const hasJson = (name: string): boolean =>
    isImageName(name) && known.has(`${name.slice(0, name.lastIndexOf('.'))}.json`)
  return names.some(name => name.endsWith('.cls') || hasJson(name))
}

/**
 * Reads WebDataset shards. Ids are `<shard>/<key>`, with folders if shards have equal names. Class indices count the names of `classnames.txt`, beside the shards or
 * up to two folders above, or those of a classes file; `labels` says what the names stand for (`indexLabelling`). Labels that
 * are all texts need no names.
 * @throws GeogapError `no-class-names`, `missing-shards`, `many-label-fields`, `no-label` if no sample has a label
 */
export async function readWebDataset(
  tree: FileTree,
  options: Pick<ReadManifestOptions, 'labels' | 'classes' | 'map'> = {},
): Promise<RawDataset> {
  const { names, folder } = await findClassNames(tree, options.classes)
  const shards = await openShards(tree)
  const labels =
    options.labels ?? (hasImagenetNames(basename(tree.location)) ? 'imagenet' : undefined)
  return readShards(
    { location: tree.location, set: basename(folder), names, shards },
    { ...options, labels },
  )
}

/** Shards of WebDataset with the class names that their indices count. */
export interface ShardSource {
  /** Where the shards are, for messages. */
  location: string
  /** The name by which DataComp's geographic sets are known. */
  set: string
  names: readonly string[] | undefined
  shards: readonly FileTree[]
}

/** Reads the samples of shards. @throws GeogapError `no-class-names`, `unknown-class`, `no-label` if no sample has a label */
export async function readShards(
  { location, set, names: given, shards }: ShardSource,
  { labels, map }: Pick<ReadManifestOptions, 'labels' | 'map'>,
): Promise<RawDataset> {
  const known = geographicSets.find(([pattern]) => pattern.test(set))
  const problems: Problem[] = []
  const found: ShardSample[] = []
  const shardNames = distinctNames(shards.map(shard => shard.location))
  for (const [i, shard] of shards.entries()) {
    const name = shardNames[i]!.replace(/(?<=.)\.tar$/, '')
    const part = await readShard(shard, name, known?.[2] ?? [])
    for (const sample of part.samples) found.push(sample)
    for (const problem of part.problems) problems.push(problem)
  }
  const json = found.flatMap(({ metadata }) => (metadata ? [metadata] : []))
  const hasClasses = found.some(({ written }) => written !== undefined)
  const field = hasClasses ? undefined : chooseLabelField(location, json, map)
  const labelled = field === undefined ? found : found.map(sample => withLabel(sample, field))
  const names = given ?? namesOfTexts(location, labelled)
  const rules = await indexLabelling(names, labels, known?.[1])
  const { samples, problems: refused, indices } = labelSamples(labelled, rules)
  if (indices.has(names.length) && !indices.has(0))
    throw inputError(
      'unknown-class',
      `class index ${names.length} is out of range in ${location}: there are ${names.length} class names, 0 to ${names.length - 1}; do the labels count from 1?`,
    )
  if (samples.length === 0)
    throw inputError(
      'no-label',
      `no sample of ${location} has an image and a class (.cls) of ${names.length} names: ${refused[0]?.message ?? problems[0]?.message ?? 'it is empty'}`,
    )
  refuseContradictedIndices(samples, rules.space)
  const { space, labelMap } = rules
  return { name: location, samples, problems: [...problems, ...refused], space, labelMap }
}

/** Takes the class from a field of the metadata, which then is no group. */
function withLabel(sample: ShardSample, field: string): ShardSample {
  if (!sample.metadata || !Object.hasOwn(sample.metadata, field)) return sample
  const { [field]: label, ...metadata } = sample.metadata
  const [written = '', ...others] =
    typeof label === 'string' ? [labelText(label.trim())] : parseLabels(label)
  if (others.length > 0)
    throw inputError(
      'several-labels',
      `sample ${sample.id} has several classes in ${field}: ${[written, ...others].join(', ')}; one is read from a shard, so give the images as Parquet or with a manifest`,
    )
  return { ...sample, written, metadata }
}

/** Returns the class names of labels that are all texts. @throws GeogapError `no-label`, `no-class-names` */
function namesOfTexts(location: string, samples: readonly ShardSample[]): readonly string[] {
  const written = [...new Set(samples.flatMap(sample => sample.written || []))].sort()
  if (written.length === 0) {
    const fields = [...new Set(samples.flatMap(({ metadata }) => Object.keys(metadata ?? {})))]
    throw inputError(
      'no-label',
      `no sample of ${location} has a class: there are no members .cls, and no usual field of the JSON; fields: ${shortList(fields, 30)} (say which one it is: --map label=FIELD)`,
    )
  }
  if (written.every(text => !/^\d+$/.test(text))) return written
  throw inputError(
    'no-class-names',
    `no classnames.txt in or above ${location}, so the classes of its indices are not known: put it there, or give the names in the order of the indices (--classes FILE, or --classes imagenet-1k)`,
  )
}

/** Returns whether a name is that of one of DataComp's two geographic sets, whose labels a shipped map knows. */
export const isGeographicSet = (name: string): boolean =>
  geographicSets.some(([pattern]) => pattern.test(name))

/** Returns the names of `classnames.txt`, whose lines the indices count. @throws GeogapError `bad-classes` */
export function classLines(content: string, where: string): string[] {
  const lines = content.trimEnd().split(/\r\n?|\n/)
  const empty = lines.findIndex(line => line.trim() === '')
  const fault = /[\0\ufffd]/.test(content)
    ? 'is not UTF-8: save it again as UTF-8'
    : empty === -1
      ? undefined
      : `has no name in line ${empty + 1}, so it is not known which index its other names have: delete the line or name the class`
  if (fault !== undefined) throw inputError('bad-classes', `classnames.txt of ${where} ${fault}`)
  return nonEmptyLines(lines.join('\n'))
}

/** Finds the class names of shards and the folder that they stand for. */
async function findClassNames(
  tree: FileTree,
  classes: string | undefined,
): Promise<{ names: readonly string[] | undefined; folder: string }> {
  const here = resolve(tree.location)
  if (classes !== undefined) return { names: await readClassList(classes), folder: here }
  const own = await readTreeText(tree, 'classnames.txt')
  if (own !== undefined) return { names: classLines(own, tree.location), folder: here }
  for (const folder of [dirname(here), dirname(dirname(here))]) {
    const text = await orIfMissing(readFile(join(folder, 'classnames.txt'), 'utf8'), undefined)
    if (text !== undefined) return { names: classLines(text, folder), folder }
  }
  return { names: undefined, folder: here }
}

/** The shards of the test part, or the tree itself where it is one shard. */
async function openShards(tree: FileTree): Promise<FileTree[]> {
  const top = (await tree.topEntries()).map(({ name }) => name)
  if (isShard(top)) return [tree]
  const part = top.includes('test') ? 'test' : top.includes('val') ? 'val' : ''
  const prefix = part === '' ? '' : `${part}/`
  const stated = await readTreeText(tree, `${prefix}nshards.txt`)
  const files = (await tree.subtree(part).list('')).filter(({ path }) => /^[^/]+\.tar$/.test(path))
  checkShardCount(tree.location, files.length, stated)
  const paths = files.sort(compareShardNumbers).map(({ path, source }) => {
    if (source.kind === 'file') return source.file
    throw dataError(
      'packed-shards',
      `shards inside an archive: ${path} in ${tree.location}; unpack ${tree.location}`,
    )
  })
  return mapLimited(paths, 4, openTree)
}

/** @throws GeogapError `missing-shards` if a data set has another number of shards than its `nshards.txt` states */
export function checkShardCount(location: string, found: number, nshards?: string): void {
  const stated = Number(nshards ?? found)
  if (found !== stated)
    throw dataError(
      'missing-shards',
      `${location} states ${nshards!.trim()} shards and has ${found}`,
    )
}

/** Compares the names of shards by their numbers. */
export const compareShardNumbers = (
  a: Pick<ArchiveMember, 'path'>,
  b: Pick<ArchiveMember, 'path'>,
): number => parseInt(basename(a.path)) - parseInt(basename(b.path)) || (a.path < b.path ? -1 : 1)

/** Patterns of the folders of DataComp's two geographic sets, with the shipped label map and the names of the metadata codes. */
const geographicSets: readonly [RegExp, string, readonly string[]][] = [
  [/geode/i, 'geode-paper', ['region', 'country']],
  [/dollar_?street/i, 'dollarstreet-paper', ['income_ds', 'income_meta', 'region']],
]

/**
 * Groups the members of a shard into samples. A key ends at the first dot of the name (`a.cls`, `a.seg.png`), or at the last
 * one for keys that hold dots themselves (`house_1.0.cls`), which have no class by the first rule or several.
 */
function groupSamples(entries: readonly ArchiveMember[]): Map<string, ShardMembers> {
  const samples = new Map<string, ShardMembers>()
  const add = (entry: ArchiveMember, dot: number): void => {
    const key = entry.path.slice(0, dot)
    const members = samples.get(key) ?? new Map<string, ArchiveMember>()
    samples.set(key, members.set(entry.path.slice(dot + 1).toLowerCase(), entry))
  }
  const dotted = entries.filter(({ path }) => basename(path).includes('.'))
  const byFirstDot = groupByKey(dotted, ({ path }) => path.slice(0, firstDot(path)))
  for (const members of byFirstDot.values()) {
    const labels = labelMembers(members)
    const isPlain = labels.length === 1 && firstDot(labels[0]!) === labels[0]!.lastIndexOf('.')
    for (const entry of members)
      add(entry, isPlain ? firstDot(entry.path) : entry.path.lastIndexOf('.'))
  }
  return samples
}

/** Returns the paths of the members that hold classes: `.cls`, else `.json`. */
function labelMembers(members: readonly ArchiveMember[]): string[] {
  const paths = members.map(({ path }) => path)
  const classes = paths.filter(path => /\.cls$/i.test(path))
  return classes.length > 0 ? classes : paths.filter(path => /\.json$/i.test(path))
}

type ShardMembers = Map<string, ArchiveMember>

const firstDot = (path: string): number => path.indexOf('.', path.lastIndexOf('/') + 1)

interface ShardSample {
  id: string
  /** The class as `.cls` has it; undefined without one. */
  written: string | undefined
  image: ArchiveMember | undefined
  /** Undefined for broken JSON. */
  metadata: Readonly<Record<string, unknown>> | undefined
}

/** Reads a shard; `fields` are the names of the numbers in `.npy` metadata. */
async function readShard(
  shard: FileTree,
  name: string,
  fields: readonly string[],
): Promise<{ samples: ShardSample[]; problems: Problem[] }> {
  const members = await shard.list('')
  const groups = groupSamples(members)
  const small = new Map(
    await mapLimited(
      [...groups.values()].flatMap(metadataMembers),
      32,
      async entry => [entry.path, await readEntry(entry)] as const,
    ),
  )
  const problems = members.flatMap(entry =>
    basename(entry.path).includes('.') ? [] : (unknownFileProblem(entry) ?? []),
  )
  const samples = [...groups].map(([key, members]): ShardSample => {
    const cls = members.get('cls')
    const text = cls && (small.get(cls.path)?.toString('utf8').trim() ?? '')
    return {
      id: `${name}/${key}`,
      written: text === undefined ? undefined : labelText(text),
      image: [...members.values()].find(({ path }) => isImageName(path)),
      metadata: parseMetadata(members, small, fields),
    }
  })
  return { samples, problems }
}

/** Returns a label that is one class, whatever its name holds (`salt; pepper`); empty for a hidden one. */
const labelText = (text: string): string =>
  /^-?\d+(\.0+)?$/.test(text) ? (parseLabels(text)[0] ?? '') : text

function labelSamples(
  found: readonly ShardSample[],
  rules: IndexLabelling,
): { samples: Sample[]; problems: Problem[]; indices: Set<number> } {
  const byName = new Map(rules.names.map((name, i) => [normalizeLabel(name), i]))
  const samples: Sample[] = []
  const problems: Problem[] = []
  const indices = new Set<number>()
  for (const { id, written = '', image, metadata } of found) {
    const index = /^\d+$/.test(written) ? Number(written) : byName.get(normalizeLabel(written))
    const problem = (code: string, message: string): void =>
      void problems.push({ id, code, message: `${message} of sample ${id}` })
    if (index !== undefined) indices.add(index)
    if (written === '') problem('no-label', 'no class (.cls)')
    else if (index === undefined || index >= rules.names.length)
      problems.push(unknownClassProblem(id, `class ${written}`))
    else if (!image) problem('no-image', 'no image')
    else if (!metadata) problem('bad-metadata', 'no JSON object in the metadata')
    else {
      const labels = rules.accepted(index)
      const label = rules.names[index]!
      const groups = Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [name, toGroupValue(value)]),
      )
      samples.push({ id, image: image.source, labels, label, groups, bytes: image.bytes })
    }
  }
  return { samples, problems, indices }
}

const maxMetadataBytes = 1 << 20

/** Labels and metadata. */
const metadataMembers = (members: ReadonlyMap<string, ArchiveMember>): ArchiveMember[] =>
  [...members].flatMap(([ending, entry]) =>
    /(^|\.)(cls|json|npy)$/.test(ending) && (entry.bytes ?? Infinity) <= maxMetadataBytes
      ? entry
      : [],
  )

/** Returns the values of `.json`, and the numbers of `.npy` under the names that the publisher gives them; undefined for broken JSON. */
function parseMetadata(
  members: ReadonlyMap<string, ArchiveMember>,
  small: ReadonlyMap<string, Buffer>,
  fields: readonly string[],
): Record<string, unknown> | undefined {
  const groups = new Map<string, unknown>()
  for (const [ending, { path }] of members) {
    const content = small.get(path)
    if (content && ending.endsWith('json')) {
      const parsed = parseJson(content.toString('utf8'))
      if (typeof parsed !== 'object' || parsed === null) return undefined
      for (const [name, value] of Object.entries(parsed)) groups.set(name, value)
    }
    if (content && ending.endsWith('npy')) {
      for (const [i, value] of npyValues(content).entries())
        groups.set(fields[i] ?? `metadata_${i}`, value)
    }
  }
  return Object.fromEntries(groups)
}

const toGroupValue = (value: unknown): GroupValue =>
  typeof value === 'number' && Number.isFinite(value) ? value : rawCellText(value)
