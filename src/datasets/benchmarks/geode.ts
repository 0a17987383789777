import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadOptions } from './benchmark.ts'
import { type Draft } from '../build.ts'
import { unknownClass } from './classFolders.ts'
import type { Item, LabelMap, Problem } from '../dataset.ts'
import type { ImageSource } from '../../lib/archive/member.ts'
import { fileSizes, isFolder } from '../files.ts'
import { labelling, sameIndices, type Labelling, type LabelsOption } from '../labels/labelMap.ts'
import { plain, writtenLabels } from '../labels/labels.ts'
import { groupColumns } from '../labels/groupColumns.ts'
import { readTableEntry, text, type Table } from '../tables.ts'
import { imageOf, type Tree } from '../tree.ts'

/** The official index, and the test part that the paper's repository holds. */
const indexNames = ['index.csv', 'metadata_test_1k_final.csv', 'metadata_test_1k.csv']

/**
 * GeoDE (Ramaswamy et al. 2023): `images/` and an index of `file_path, object, region, ip_country, …`. An image's id is its
 * `file_path`. Six of the 40 objects have no ImageNet class; their items accept none and stay in the list.
 */
export const geode: Benchmark = {
  name: 'geode',
  title: 'GeoDE',
  kind: 'geographic',
  terms: 'CC BY 4.0 (the metadata of the test part: CC BY-NC 4.0)',
  source: 'https://geodiverse-data-collection.cs.princeton.edu/',
  expected: variant =>
    variant === 'all' ? { images: 61_940, classes: 40, regions: 6 } : { images: null, classes: 20, regions: 6 },
  variants: ['all', 'overlap'],
  get: 'the archive of the source page, as geode.zip or unpacked as geode/ with index.csv and images/',
  downloads: [],
  places: () => ['geode', 'GeoDE', 'geode.zip', 'GeoDE.zip', 'geode.tar'],
  marks: name => indexNames.includes(name),
  read: readGeode,
}

const marks = ['file_path', 'object', 'region', 'ip_country']

/** Whether a table's columns mark it as GeoDE's metadata. */
export const isGeodeTable = (columns: readonly string[]): boolean => marks.every(column => columns.includes(column))

type Found = { image: ImageSource; bytes: number | null }[]

async function readGeode(tree: Tree, options: ReadOptions): Promise<Draft> {
  const all = await readIndexed(tree, options)
  return options.variant === 'overlap' ? overlapOnly(all) : all
}

/** The 20 objects whose ImageNet classes Dollar Street's map also has (appendix E), for models trained on Dollar Street. */
export const overlapObjects: readonly string[] = (
  JSON.parse(readFileSync(new URL('../labels/geode-overlap-paper.json', import.meta.url), 'utf8')) as {
    objects: string[]
  }
).objects

const overlapOnly = (draft: Draft): Draft => ({
  ...draft,
  name: 'geode/overlap',
  items: draft.items.filter(({ label }) => overlapObjects.includes(plain(label))),
})

async function readIndexed(tree: Tree, options: ReadOptions): Promise<Draft> {
  for (const name of indexNames) {
    const index = await tree.find(name)
    if (!index) continue
    const table = await readTableEntry(index)
    const files = new Map((await tree.list('')).map(entry => [entry.path, entry]))
    const found = table.rows.map((row): Found[number] => {
      const path = text(row['file_path']) ?? ''
      return imageOf(files.get(`images/${path}`) ?? files.get(path), `${tree.where}/images/${path}`)
    })
    return geodeItems(table, found, options)
  }
  throw inputError(
    'missing-file',
    `no GeoDE index in ${tree.where}; expected ${indexNames.join(' or ')} beside images/`,
  )
}

/** A GeoDE index by itself; image paths start at `data`, or at `images/` beside the index. */
export async function readGeodeIndex(
  index: string,
  table: Table,
  options: { data?: string; labels?: LabelsOption } = {},
): Promise<Draft> {
  const base = options.data ?? dirname(index)
  const images = (await isFolder(`${base}/images`)) ? `${base}/images` : base
  const files = table.rows.map(row => `${images}/${text(row['file_path']) ?? ''}`)
  const bytes = await fileSizes(files)
  return geodeItems(
    table,
    files.map((file, i) => ({ image: { kind: 'file', file }, bytes: bytes[i]! })),
    options,
  )
}

const notGroups = ['file_path', 'object', '1k_index', 'object_index', 'id', 'column00', 'column0']

/** A column `1k_index` states the accepted ImageNet classes itself, else the paper's map gives them. */
async function geodeItems(table: Table, found: Found, options: { labels?: LabelsOption }): Promise<Draft> {
  const rules = await labelling('geode-paper', options.labels)
  const stated = options.labels === undefined && table.columns.includes('1k_index')
  const kept = table.columns.filter(column => !notGroups.includes(column))
  const groups = groupColumns(table.rows, kept)
  const items: Item[] = []
  const problems: Problem[] = []
  table.rows.forEach((row, i) => {
    const [id, label] = [text(row['file_path']), text(row['object']) ?? '']
    const labels = stated ? writtenLabels(row['1k_index']).flatMap(rules.space.resolve) : rules.accepted(label)
    const { ip_country: country = null, ...others } = groups[i]!
    if (id === null) problems.push({ id: `row ${i + 1}`, code: 'no-image', message: `no file_path in row ${i + 1}` })
    else if (!labels) problems.push(unknownClass(id, `GeoDE object ${label}`))
    else items.push({ id, ...found[i]!, labels, label, groups: { country, ...others } })
  })
  return {
    name: 'geode',
    items,
    problems,
    space: rules.space,
    labelMap: stated ? statedMap(items, rules) : rules.map,
    columns: kept.map(column => (column === 'ip_country' ? 'country' : column)),
  }
}

/** The shipped map's identity where the index states the same sets, else one of its own. */
function statedMap(items: readonly Item[], { map, accepted }: Labelling): LabelMap {
  const stated = new Map(items.map(item => [item.label, item.labels]))
  const same = items.every(item => sameIndices(item.labels, accepted(item.label) ?? []))
  return same ? map : { name: 'geode-1k-index', hash: sha256(JSON.stringify([...stated].sort())) }
}
