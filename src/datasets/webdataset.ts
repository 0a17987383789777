// WebDataset shards as CLIP_benchmark and DataComp publish them:
//   classnames.txt, zeroshot_classification_templates.txt, test/nshards.txt, test/0.tar, test/1.tar, …
// A sample is the members of one name: `s0000001.webp`, `s0000001.cls` (class index), and `.json` or `.npy` metadata.
import { basename } from 'node:path'
import { dataError } from '../lib/errors.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { isImageName, unknownClassProblem } from './benchmarks/classFolders.ts'
import { identityMap, type RawDataset } from './build.ts'
import type { GroupValue, Sample, LabelMap, Problem } from './dataset.ts'
import { labelling, labellingByName, type LabelsOption } from './labels/labelMap.ts'
import { imagenetSpace, ownSpace, type LabelSpace } from './labels/labels.ts'
import { parseJson } from '../lib/archive/json.ts'
import { nonEmptyLines } from './manifest.ts'
import { npyValues } from '../lib/archive/npy.ts'
import { labelSpaceOf } from './parquetImages.ts'
import { rawCellText } from './tables.ts'
import { openTree, readEntry, type FileTree } from './tree.ts'
import { type ArchiveMember } from '../lib/archive/member.ts'

/** Whether names below a folder or archive look like this layout. */
export const isWebDataset = (names: readonly string[]): boolean =>
  names.includes('nshards.txt') ||
  names.includes('classnames.txt') ||
  names.some(name => name.endsWith('.cls'))

/**
 * Ids are `<shard>/<key>`. Without a choice of `labels`, classes are ImageNet's where `classnames.txt` is its list, else
 * the shards' own; `imagenet` maps own names by the shipped map of that benchmark, or name by name.
 */
export async function readWebDataset(
  tree: FileTree,
  options: { labels?: LabelsOption | undefined } = {},
): Promise<RawDataset> {
  const names = await readClassNames(tree)
  const rules = await shardLabelling(tree.location, names, options.labels)
  const fields = metadataFields(tree.location)
  const items: Sample[] = []
  const problems: Problem[] = []
  for (const shard of await openShards(tree)) {
    const found = await readShard(shard, rules, fields)
    for (const item of found.samples) items.push(item)
    problems.push(...found.problems)
  }
  return {
    name: tree.location,
    samples: items,
    problems,
    space: rules.space,
    labelMap: rules.labelMap,
  }
}

async function readClassNames(tree: FileTree): Promise<string[] | undefined> {
  const entry = await tree.find('classnames.txt')
  return entry && nonEmptyLines((await readEntry(entry)).toString('utf8'))
}

/** The shards of the test part, or the tree itself where it is one shard. */
async function openShards(tree: FileTree): Promise<FileTree[]> {
  const top = (await tree.topEntries()).map(({ name }) => name)
  if (top.some(name => name.endsWith('.cls'))) return [tree]
  const part = top.includes('test') ? 'test' : top.includes('val') ? 'val' : ''
  const prefix = part === '' ? '' : `${part}/`
  const stated = await tree.find(`${prefix}nshards.txt`)
  const files = (await tree.subtree(part).list('')).filter(({ path }) => /^[^/]+\.tar$/.test(path))
  const count = stated ? Number((await readEntry(stated)).toString('utf8')) : files.length
  if (files.length !== count) {
    throw dataError(
      'missing-shards',
      `${tree.location} states ${count} shards and has ${files.length}`,
    )
  }
  const paths = files.sort(compareShardNumbers).map(({ path, source }) => {
    if (source.kind === 'file') return source.file
    throw dataError(
      'packed-shards',
      `shards inside an archive: ${path} in ${tree.location}; unpack ${tree.location}`,
    )
  })
  return mapLimited(paths, 4, openTree)
}

const compareShardNumbers = (a: ArchiveMember, b: ArchiveMember): number =>
  parseInt(a.path) - parseInt(b.path) || (a.path < b.path ? -1 : 1)

/** What a class index of the shards accepts. */
interface ShardLabelling {
  space: LabelSpace
  labelMap: LabelMap
  className: (index: number) => string | undefined
  accepted: (index: number) => readonly number[] | undefined
}

const geographicSets: readonly [RegExp, string, readonly string[]][] = [
  [/geode/i, 'geode-paper', ['region', 'country']],
  [/dollar_?street/i, 'dollarstreet-paper', ['income_ds', 'income_meta', 'region']],
]

/** Names of the metadata codes that DataComp writes for its two geographic sets. */
const metadataFields = (where: string): readonly string[] =>
  geographicSets.find(([pattern]) => pattern.test(where))?.[2] ?? []

async function shardLabelling(
  where: string,
  names: readonly string[] | undefined,
  labels?: LabelsOption,
): Promise<ShardLabelling> {
  const own =
    names === undefined
      ? imagenetSpace
      : labels === 'original'
        ? ownSpace(names)
        : labelSpaceOf(names)
  const name = (index: number): string | undefined => own.classes[index]
  if (labels === undefined || labels === 'original' || own === imagenetSpace) {
    return {
      space: own,
      labelMap: identityMap(own),
      className: name,
      accepted: index => (index in own.classes ? [index] : undefined),
    }
  }
  const shipped = geographicSets.find(([pattern]) => pattern.test(where))?.[1]
  const mapped =
    labels === 'imagenet' && !shipped
      ? labellingByName(own.classes)
      : await labelling(shipped ?? '', labels)
  const accepted = (index: number): readonly number[] | undefined =>
    mapped.accepted(own.classes[index] ?? '')
  return { space: mapped.space, labelMap: mapped.labelMap, className: name, accepted }
}

async function readShard(
  shard: FileTree,
  rules: ShardLabelling,
  fields: readonly string[],
): Promise<{ samples: Sample[]; problems: Problem[] }> {
  const samples = new Map<string, Map<string, ArchiveMember>>()
  for (const entry of await shard.list('')) {
    const dot = entry.path.indexOf('.', entry.path.lastIndexOf('/') + 1)
    if (dot === -1) continue
    const key = entry.path.slice(0, dot)
    const ending = entry.path.slice(dot + 1)
    const members = samples.get(key) ?? new Map<string, ArchiveMember>()
    samples.set(key, members.set(ending.toLowerCase(), entry))
  }
  const read = [...samples.values()].flatMap(metadataMembers)
  const small = new Map(
    await mapLimited(read, 32, async entry => [entry.path, await readEntry(entry)] as const),
  )
  const items: Sample[] = []
  const problems: Problem[] = []
  for (const [key, members] of samples) {
    const id = `${basename(shard.location, '.tar')}/${key}`
    const index = parseInt(small.get(members.get('cls')?.path ?? '')?.toString('utf8') ?? '')
    const image = [...members.values()].find(({ path }) => isImageName(path))
    const labels = rules.accepted(index)
    const groups = parseMetadata(members, small, fields)
    if (Number.isNaN(index))
      problems.push({ id, code: 'no-label', message: `no class (.cls) of sample ${id}` })
    else if (!labels) problems.push(unknownClassProblem(id, `class index ${index}`))
    else if (!image) problems.push({ id, code: 'no-image', message: `no image of sample ${id}` })
    else if (!groups)
      problems.push({
        id,
        code: 'bad-metadata',
        message: `metadata of sample ${id} is no JSON object`,
      })
    else {
      const label = rules.className(index) ?? String(index)
      items.push({ id, image: image.source, labels, label, groups, bytes: image.bytes })
    }
  }
  return { samples: items, problems }
}

const maxMetadataBytes = 1 << 20

/** Labels and metadata. */
const metadataMembers = (members: ReadonlyMap<string, ArchiveMember>): ArchiveMember[] =>
  [...members].flatMap(([ending, entry]) =>
    /(^|\.)(cls|json|npy)$/.test(ending) && entry.bytes <= maxMetadataBytes ? entry : [],
  )

/** Flat values of `.json`, and the numbers of `.npy` under the names that the publisher gives them; undefined for broken JSON. */
function parseMetadata(
  members: ReadonlyMap<string, ArchiveMember>,
  small: ReadonlyMap<string, Buffer>,
  fields: readonly string[],
): Record<string, GroupValue> | undefined {
  const groups: Record<string, GroupValue> = {}
  for (const [ending, { path }] of members) {
    const content = small.get(path)
    if (content && ending.endsWith('json')) {
      const parsed = parseJson(content.toString('utf8'))
      if (typeof parsed !== 'object' || parsed === null) return undefined
      for (const [name, value] of Object.entries(parsed)) groups[name] = toGroupValue(value)
    }
    if (content && ending.endsWith('npy')) {
      for (const [i, value] of npyValues(content).entries())
        groups[fields[i] ?? `metadata_${i}`] = toGroupValue(value)
    }
  }
  return groups
}

const toGroupValue = (value: unknown): GroupValue =>
  typeof value === 'number' && Number.isFinite(value) ? value : rawCellText(value)
