// WebDataset shards as CLIP_benchmark and DataComp publish them:
//   classnames.txt, zeroshot_classification_templates.txt, test/nshards.txt, test/0.tar, test/1.tar, …
// A sample is the members of one name: `s0000001.webp`, `s0000001.cls` (class index), and `.json` or `.npy` metadata.
import { basename } from 'node:path'
import { GeogapError } from '../lib/errors.ts'
import { mapLimited } from '../lib/concurrency.ts'
import { isImageName, unknownClass } from './benchmarks/classFolders.ts'
import { identityMap, type Draft } from './build.ts'
import type { GroupValue, Item, LabelMap, Problem } from './dataset.ts'
import { labelling, labellingByName, type LabelsOption } from './labels/labelMap.ts'
import { imagenetSpace, ownSpace, type LabelSpace } from './labels/labels.ts'
import { parseJson } from '../lib/archive/json.ts'
import { lines } from './manifest.ts'
import { npyValues } from '../lib/archive/npy.ts'
import { spaceOf } from './parquetImages.ts'
import { text } from './tables.ts'
import { openTree, readEntry, type Tree } from './tree.ts'
import { type Entry } from '../lib/archive/member.ts'

/** Whether names below a folder or archive look like this layout. */
export const isWebDataset = (names: readonly string[]): boolean =>
  names.includes('nshards.txt') || names.includes('classnames.txt') || names.some(name => name.endsWith('.cls'))

/**
 * Ids are `<shard>/<key>`. Without a choice of `labels`, classes are ImageNet's where `classnames.txt` is its list, else
 * the shards' own; `imagenet` maps own names by the shipped map of that benchmark, or name by name.
 */
export async function readWebDataset(tree: Tree, options: { labels?: LabelsOption } = {}): Promise<Draft> {
  const names = await classNames(tree)
  const rules = await rulesFor(tree.where, names, options.labels)
  const fields = metadataFields(tree.where)
  const items: Item[] = []
  const problems: Problem[] = []
  for (const shard of await shards(tree)) {
    const found = await readShard(shard, rules, fields)
    for (const item of found.items) items.push(item)
    problems.push(...found.problems)
  }
  return { name: tree.where, items, problems, space: rules.space, labelMap: rules.map }
}

async function classNames(tree: Tree): Promise<string[] | undefined> {
  const entry = await tree.find('classnames.txt')
  return entry && lines((await readEntry(entry)).toString('utf8'))
}

/** The shards of the test part, or the tree itself where it is one shard. */
async function shards(tree: Tree): Promise<Tree[]> {
  const top = (await tree.top()).map(({ name }) => name)
  if (top.some(name => name.endsWith('.cls'))) return [tree]
  const part = top.includes('test') ? 'test' : top.includes('val') ? 'val' : ''
  const prefix = part === '' ? '' : `${part}/`
  const stated = await tree.find(`${prefix}nshards.txt`)
  const files = (await tree.at(part).list('')).filter(({ path }) => /^[^/]+\.tar$/.test(path))
  const count = stated ? Number((await readEntry(stated)).toString('utf8')) : files.length
  if (files.length !== count) {
    throw new GeogapError('data', 'missing-shards', `${tree.where} states ${count} shards and has ${files.length}`)
  }
  const paths = files.sort(byNumber).map(({ path, source }) => {
    if (source.kind === 'file') return source.file
    throw new GeogapError('data', 'packed-shards', `shards inside of an archive: ${path} in ${tree.where}; unpack it`)
  })
  return mapLimited(paths, 4, openTree)
}

const byNumber = (a: Entry, b: Entry): number => parseInt(a.path) - parseInt(b.path) || (a.path < b.path ? -1 : 1)

/** What a class index of the shards accepts. */
interface Rules {
  space: LabelSpace
  map: LabelMap
  name: (index: number) => string | undefined
  accepted: (index: number) => readonly number[] | undefined
}

const maps: readonly [RegExp, string, readonly string[]][] = [
  [/geode/i, 'geode-paper', ['region', 'country']],
  [/dollar_?street/i, 'dollarstreet-paper', ['income_ds', 'income_meta', 'region']],
]

/** Names of the metadata codes that DataComp writes for its two geographic sets. */
const metadataFields = (where: string): readonly string[] => maps.find(([pattern]) => pattern.test(where))?.[2] ?? []

async function rulesFor(where: string, names: readonly string[] | undefined, labels?: LabelsOption): Promise<Rules> {
  const own = names === undefined ? imagenetSpace : labels === 'original' ? ownSpace(names) : spaceOf(names)
  const name = (index: number): string | undefined => own.classes[index]
  if (labels === undefined || labels === 'original' || own === imagenetSpace) {
    return { space: own, map: identityMap(own), name, accepted: index => (index in own.classes ? [index] : undefined) }
  }
  const shipped = maps.find(([pattern]) => pattern.test(where))?.[1]
  const mapped =
    labels === 'imagenet' && !shipped ? labellingByName(own.classes) : await labelling(shipped ?? '', labels)
  const accepted = (index: number): readonly number[] | undefined => mapped.accepted(own.classes[index] ?? '')
  return { space: mapped.space, map: mapped.map, name, accepted }
}

async function readShard(
  shard: Tree,
  rules: Rules,
  fields: readonly string[],
): Promise<{ items: Item[]; problems: Problem[] }> {
  const samples = new Map<string, Map<string, Entry>>()
  for (const entry of await shard.list('')) {
    const dot = entry.path.indexOf('.', entry.path.lastIndexOf('/') + 1)
    if (dot === -1) continue
    const [key, ending] = [entry.path.slice(0, dot), entry.path.slice(dot + 1)]
    const members = samples.get(key) ?? new Map<string, Entry>()
    samples.set(key, members.set(ending.toLowerCase(), entry))
  }
  const read = [...samples.values()].flatMap(smallMembers)
  const small = new Map(await mapLimited(read, 32, async entry => [entry.path, await readEntry(entry)] as const))
  const items: Item[] = []
  const problems: Problem[] = []
  for (const [key, members] of samples) {
    const id = `${basename(shard.where, '.tar')}/${key}`
    const index = parseInt(small.get(members.get('cls')?.path ?? '')?.toString('utf8') ?? '')
    const image = [...members.values()].find(({ path }) => isImageName(path))
    const labels = rules.accepted(index)
    const groups = metadata(members, small, fields)
    if (Number.isNaN(index)) problems.push({ id, code: 'no-label', message: `no class (.cls) of sample ${id}` })
    else if (!labels) problems.push(unknownClass(id, `class index ${index}`))
    else if (!image) problems.push({ id, code: 'no-image', message: `no image of sample ${id}` })
    else if (!groups) problems.push({ id, code: 'bad-metadata', message: `metadata of sample ${id} is no JSON object` })
    else {
      const label = rules.name(index) ?? String(index)
      items.push({ id, image: image.source, labels, label, groups, bytes: image.bytes })
    }
  }
  return { items, problems }
}

const maxSmall = 1 << 20

/** Labels and metadata. */
const smallMembers = (members: ReadonlyMap<string, Entry>): Entry[] =>
  [...members].flatMap(([ending, entry]) =>
    /(^|\.)(cls|json|npy)$/.test(ending) && entry.bytes <= maxSmall ? entry : [],
  )

/** Flat values of `.json`, and the numbers of `.npy` under the names that the publisher gives them; undefined for broken JSON. */
function metadata(
  members: ReadonlyMap<string, Entry>,
  small: ReadonlyMap<string, Buffer>,
  fields: readonly string[],
): Record<string, GroupValue> | undefined {
  const groups: Record<string, GroupValue> = {}
  for (const [ending, { path }] of members) {
    const content = small.get(path)
    if (content && ending.endsWith('json')) {
      const parsed = parseJson(content.toString('utf8'))
      if (typeof parsed !== 'object' || parsed === null) return undefined
      for (const [name, value] of Object.entries(parsed)) groups[name] = groupValue(value)
    }
    if (content && ending.endsWith('npy')) {
      for (const [i, value] of npyValues(content).entries()) groups[fields[i] ?? `metadata_${i}`] = groupValue(value)
    }
  }
  return groups
}

const groupValue = (value: unknown): GroupValue =>
  typeof value === 'number' && Number.isFinite(value) ? value : text(value)
