import { dirname, join } from 'node:path'
import { inputError } from '../errors.ts'
import { sha256, type Draft } from './build.ts'
import type { Item, LabelMap, Problem } from './dataset.ts'
import { fileBytes, fileSizes, isFolder } from './files.ts'
import { labelling, type LabelsOption } from './labelMap.ts'
import { writtenLabels } from './labels.ts'
import { groupColumns, readTable, text, type Table } from './manifest.ts'

/** Columns that mark a CSV as GeoDE's metadata. */
const marks = ['file_path', 'object', 'region', 'ip_country']

export const isGeodeTable = (columns: readonly string[]): boolean => marks.every(column => columns.includes(column))

/** Names of the metadata beside `images/`: the official index, and the test part that the paper's repository holds. */
const indexNames = ['index.csv', 'metadata_test_1k_final.csv', 'metadata_test_1k.csv']

/** GeoDE in its official layout: a folder with `images/` and an index. */
export async function readGeode(folder: string, options: { labels?: LabelsOption } = {}): Promise<Draft> {
  for (const name of indexNames) {
    const index = join(folder, name)
    if ((await fileBytes(index)) !== null)
      return readGeodeIndex(index, await readTable(index), { ...options, data: folder })
  }
  throw inputError('missing-file', `no GeoDE index in ${folder}; expected ${indexNames.join(' or ')} beside images/`)
}

/**
 * The rows of a GeoDE index. Image paths start at `data`, or at `images/` beside the index; an image's id is its
 * `file_path`. A column `1k_index` states the accepted ImageNet classes itself, else the paper's map gives them.
 */
export async function readGeodeIndex(
  index: string,
  { columns, rows }: Table,
  options: { data?: string; labels?: LabelsOption } = {},
): Promise<Draft> {
  const rules = await labelling('geode-paper', options.labels)
  const images = await imageFolder(options.data ?? dirname(index))
  const stated = rules.space.kind === 'imagenet-1k' && options.labels === undefined && columns.includes('1k_index')
  const kept = columns.filter(
    column => !['file_path', 'object', '1k_index', 'object_index', 'id', 'column00', 'column0'].includes(column),
  )
  const groups = groupColumns(rows, kept)
  const files = rows.map(row => join(images, text(row['file_path']) ?? ''))
  const bytes = await fileSizes(files)
  const items: Item[] = []
  const problems: Problem[] = []
  rows.forEach((row, i) => {
    const id = text(row['file_path'])
    const label = text(row['object']) ?? ''
    const known = rules.accepted(label)
    const labels = stated ? writtenLabels(row['1k_index']).flatMap(rules.space.resolve) : known
    if (id === null)
      return void problems.push({ id: `row ${i + 1}`, code: 'no-image', message: `no file_path in row ${i + 1}` })
    if (!labels) return void problems.push({ id, code: 'unknown-class', message: `unknown GeoDE object: ${label}` })
    const { ip_country: country, ...others } = groups[i]!
    items.push({
      id,
      image: { kind: 'file', file: files[i]! },
      labels,
      label,
      groups: { country: country!, ...others },
      bytes: bytes[i]!,
    })
  })
  const names = kept.map(column => (column === 'ip_country' ? 'country' : column))
  const labelMap = stated ? statedMap(items, rules.map, rules.accepted) : rules.map
  return { name: 'geode', items, space: rules.space, labelMap, columns: names, problems }
}

const imageFolder = async (folder: string): Promise<string> => {
  const images = join(folder, 'images')
  return (await isFolder(images)) ? images : folder
}

/** The shipped map's identity where the index states the same sets, else one of its own. */
function statedMap(
  items: readonly Item[],
  shipped: LabelMap,
  accepted: (label: string) => readonly number[] | undefined,
): LabelMap {
  const stated = new Map(items.map(item => [item.label, item.labels]))
  const same = items.every(item => sameSet(item.labels, accepted(item.label) ?? []))
  return same ? shipped : { name: 'geode-1k-index', hash: sha256(JSON.stringify([...stated].sort())) }
}

const sameSet = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every(x => b.includes(x))
