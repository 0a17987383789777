import { readJson } from '../../lib/archive/json.ts'
import { basename, dirname } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import type { Benchmark, ReadBenchmarkOptions } from './benchmark.ts'
import { type RawDataset } from '../build.ts'
import { unknownClassProblem } from './classFolderSamples.ts'
import type { Sample, LabelMap, Problem } from '../dataset.ts'
import type { ImageSource } from '../../lib/archive/member.ts'
import { fileSizes, isFolder } from '../files.ts'
import { labelling, hasSameIndices, type Labelling } from '../labels/labelMap.ts'
import { normalizeLabel, parseLabels } from '../labels/labelSpace.ts'
import { groupColumns } from '../labels/groupColumns.ts'
import type { ReadManifestOptions } from '../manifest.ts'
import { readTableEntry, rawCellText, type RawTable } from '../readTable.ts'
import { imageOf, readTreeText, type FileTree } from '../tree.ts'

const officialIndex = 'index.csv'
/** The metadata of the paper's test part, which its repository holds. */
const testIndexes = ['metadata_test_1k_final.csv', 'metadata_test_1k.csv']
const indexNames = [officialIndex, ...testIndexes]

/**
 * GeoDE (Ramaswamy et al. 2023): `images/` and an index of `file_path, object, region, ip_country, …`. Ids are the
 * `file_path`s. Six of the 40 objects have no ImageNet class; their samples accept none.
 */
export const geode: Benchmark = {
  name: 'geode',
  title: 'GeoDE',
  kind: 'geographic',
  terms: 'CC BY 4.0 (the metadata of the test part: CC BY-NC 4.0)',
  source: 'https://geodiverse-data-collection.cs.princeton.edu/',
  expectedCounts: variant =>
    ({
      all: { images: 61_940, classes: 40, regions: 6 },
      overlap: { images: null, classes: 20, regions: 6 },
      test: { images: 10_333, classes: 34, regions: 6 },
    })[variant]!,
  variants: ['all', 'overlap', 'test'],
  howToGet:
    'the archive of the source page, as geode.zip or unpacked as geode/ with index.csv and images/',
  downloads: [],
  hub: {
    name: 'hf:djghosh/wds_geode_test',
    difference:
      "DataComp's subset: 12,488 images, whose regions and countries are numbers without names",
  },
  candidatePaths: () => ['geode'],
  isRootEntry: name => indexNames.includes(name),
  marks: async root => ({ fits: await hasGeodeIndex(root) }),
  read: readGeode,
}

/** The name of the test part, which is another data set than the whole. */
const testName = 'geode/test'

const geodeColumns = ['file_path', 'object', 'region', 'ip_country']

/** Tells whether a table has the columns of GeoDE's metadata. */
export const isGeodeTable = (columns: readonly string[]): boolean =>
  geodeColumns.every(column => columns.includes(column))

/** Looks at the first line of an index only. */
async function hasGeodeIndex(tree: FileTree): Promise<boolean> {
  for (const name of indexNames) {
    const [header] = ((await readTreeText(tree, name)) ?? '').split(/\r?\n/, 1)
    if (isGeodeTable(header!.split(','))) return true
  }
  return false
}

type GeodeImages = { image: ImageSource; bytes: number | null }[]

/** The 20 objects whose ImageNet classes Dollar Street's map has too (appendix E). */
export const overlapObjects: readonly string[] = (
  readJson(new URL('../labels/geode-overlap-paper.json', import.meta.url)) as {
    objects: string[]
  }
).objects

const selectOverlap = (draft: RawDataset): RawDataset => ({
  ...draft,
  name: 'geode/overlap',
  samples: draft.samples.filter(({ label }) => overlapObjects.includes(normalizeLabel(label))),
})

/** Reads the first of some indexes that a folder has. Errors: missing-file, unknown-column. */
async function readIndex(
  tree: FileTree,
  names: readonly string[],
): Promise<{ table: RawTable; name: string }> {
  for (const name of names) {
    const entry = await tree.find(name)
    if (entry) return { table: await readTableEntry(entry), name }
  }
  throw inputError(
    'missing-file',
    `GeoDE in ${tree.location} lacks its index; put ${names.join(' or ')} beside images/`,
  )
}

async function readGeode(tree: FileTree, options: ReadBenchmarkOptions): Promise<RawDataset> {
  const { table, name } = await readIndex(
    tree,
    options.variant === 'test' ? testIndexes : indexNames,
  )
  if (!isGeodeTable(table.columns))
    throw inputError(
      'unknown-column',
      `${name} in ${tree.location} is no index of GeoDE, which has the columns ${geodeColumns.join(', ')}; its columns: ${table.columns.join(', ')}`,
    )
  const files = new Map((await tree.list('')).map(entry => [entry.path, entry]))
  const located = table.rows.map((row): GeodeImages[number] => {
    const path = rawCellText(row['file_path']) ?? ''
    return imageOf(
      files.get(`images/${path}`) ?? files.get(path),
      `${tree.location}/images/${path}`,
    )
  })
  const all = await geodeDataset(table, located, options)
  if (options.variant === 'overlap') return selectOverlap(all)
  return name === officialIndex
    ? all
    : { ...all, name: testName, notes: [`its index is ${name}, the test part of the paper`] }
}

/**
 * Reads a GeoDE index given by its path; image paths start at `data`, or at `images/` beside the index. The file's name tells
 * the whole from the paper's test part and from other parts.
 */
export async function readGeodeIndex(
  index: string,
  table: RawTable,
  options: Pick<ReadManifestOptions, 'data' | 'labels'> = {},
): Promise<RawDataset> {
  const base = options.data ?? dirname(index)
  const images = (await isFolder(`${base}/images`)) ? `${base}/images` : base
  const files = table.rows.map(row => `${images}/${rawCellText(row['file_path']) ?? ''}`)
  const bytes = await fileSizes(files)
  const found = await geodeDataset(
    table,
    files.map((file, i) => ({ image: { kind: 'file', file }, bytes: bytes[i]! })),
    options,
  )
  const file = basename(index)
  if (file === officialIndex) return found
  return { ...found, name: testIndexes.includes(file) ? testName : index }
}

const nonGroupColumns = [
  'file_path',
  'object',
  '1k_index',
  'object_index',
  'id',
  'column00',
  'column0',
]

/** Makes samples of an index. A column `1k_index` states the accepted ImageNet classes, else the paper's map does. */
async function geodeDataset(
  table: RawTable,
  found: GeodeImages,
  { labels: wanted }: Pick<ReadManifestOptions, 'labels'>,
): Promise<RawDataset> {
  const rules = await labelling('geode-paper', wanted)
  const stated = wanted === undefined && table.columns.includes('1k_index')
  const kept = table.columns.filter(column => !nonGroupColumns.includes(column))
  const groups = groupColumns(table.rows, kept)
  const items: Sample[] = []
  const problems: Problem[] = []
  table.rows.forEach((row, i) => {
    const id = rawCellText(row['file_path'])
    const label = rawCellText(row['object']) ?? ''
    const labels = stated
      ? parseLabels(row['1k_index']).flatMap(rules.space.resolve)
      : rules.accepted(label)
    const { ip_country: country = null, ...others } = groups[i]!
    if (id === null)
      problems.push({
        id: `row ${i + 1}`,
        code: 'no-image',
        message: `no file_path in row ${i + 1}`,
      })
    else if (!labels) problems.push(unknownClassProblem(id, `GeoDE object ${label}`))
    else items.push({ id, ...found[i]!, labels, label, groups: { country, ...others } })
  })
  return {
    name: 'geode',
    samples: items,
    problems,
    space: rules.space,
    labelMap: stated ? indexLabelMap(items, rules) : rules.labelMap,
    columns: kept.map(column => (column === 'ip_country' ? 'country' : column)),
  }
}

/** Returns the shipped map where the index states equal classes, else a map with a hash of the stated ones. */
function indexLabelMap(items: readonly Sample[], { labelMap: map, accepted }: Labelling): LabelMap {
  const stated = new Map(items.map(item => [item.label, item.labels]))
  const same = items.every(item => hasSameIndices(item.labels, accepted(item.label) ?? []))
  return same ? map : { name: 'geode-1k-index', hash: sha256(JSON.stringify([...stated].sort())) }
}
