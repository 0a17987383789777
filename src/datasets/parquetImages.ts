import { basename, join } from 'node:path'
import { inputError } from '../lib/errors.ts'
import { quoteIdentifier, literalPath, parquetRows, query, select } from '../lib/sql.ts'
import type { RawDataset } from './build.ts'
import { parseJson } from '../lib/archive/json.ts'
import { imagenetSpace, ownSpace, normalizeLabel, type LabelSpace } from './labels/labels.ts'
import { imagenetClasses } from './labels/imagenet.ts'
import {
  labelRules,
  renameColumns,
  requireColumns,
  rowSamples,
  labelsInTable,
  type LocatedImage,
  type ReadManifestOptions,
} from './manifest.ts'
import { tableReadError } from './tables.ts'
import type { FileTree } from './tree.ts'

/** The column that holds image bytes: a struct with `bytes` and `path` as the hub writes it, or plain bytes. */
interface ImageColumn {
  name: string
  bytes: string
  path: string | null
}

/** Finds the column with image bytes; undefined for a manifest of paths. */
export async function findImageColumn(file: string): Promise<ImageColumn | undefined> {
  const columns = await query<{ column_name: string; column_type: string }>(
    `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${parquetRows()})`,
    [literalPath(file)],
  ).catch((error: unknown) => {
    throw tableReadError(file, error)
  })
  const found = columns.find(
    ({ column_type: type }) => type === 'BLOB' || /^STRUCT\(.*\bbytes"? BLOB/.test(type),
  )
  if (!found) return undefined
  const { column_name: name, column_type: type } = found
  const hasPath = /\bpath"? VARCHAR/.test(type)
  return type === 'BLOB'
    ? { name, bytes: name, path: null }
    : { name, bytes: `${name}.bytes`, path: hasPath ? `${name}.path` : null }
}

/**
 * Reads Parquet files with image bytes in the hub's format: a column `image` of `{bytes, path}` or plain bytes, and `label`
 * as a class index whose names the file's metadata may hold. Ids are the images' paths where these are unique, else
 * `<file>#<row>`.
 */
export async function readParquetImages(
  files: readonly string[],
  options: ReadManifestOptions = {},
): Promise<RawDataset> {
  const [first] = files
  if (first === undefined) throw inputError('missing-file', 'no Parquet files')
  const parts = await Promise.all(files.map(readParquetFile))
  const images = parts.flatMap(part => part.images)
  const columns = [...new Set(parts.flatMap(part => part.table.columns)), 'image']
  const table = renameColumns(
    { columns, rows: parts.flatMap(part => part.table.rows) },
    withoutImageColumn(options.map),
  )
  requireColumns(first, table.columns)
  const stated = options.classes === undefined && options.labels === undefined
  const rules = stated
    ? { space: await readLabelSpace(first) }
    : await labelRules(options, () => labelsInTable(table))
  const paths = new Set(images.map(image => image.path))
  const located = images.map(({ path, ...image }): LocatedImage => ({
    ...image,
    id: path !== null && paths.size === images.length ? path : image.id,
  }))
  const found = rowSamples({ ...table, file: first, images: located, space: rules.space })
  return { name: first, ...found, ...rules }
}

/** Leaves `image` out of a column map, because the image column is found by its type. */
const withoutImageColumn = (map: ReadManifestOptions['map'] = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(map).filter(([name]) => name !== 'image'))

async function readParquetFile(file: string) {
  const column = await findImageColumn(file)
  if (!column) throw inputError('no-image-column', `no column with image bytes in ${file}`)
  const cell = (path: string): string => path.split('.').map(quoteIdentifier).join('.')
  const { columns, rows } = await select(
    `SELECT * EXCLUDE (${quoteIdentifier(column.name)}), octet_length(${cell(column.bytes)}) AS "image bytes",
     ${column.path === null ? 'NULL' : cell(column.path)} AS "image path" FROM ${parquetRows()}`,
    [literalPath(file)],
  )
  const images = rows.map((row, i) => ({
    id: `${basename(file)}#${i}`,
    path: row['image path'] as string | null,
    bytes: row['image bytes'] === null ? null : Number(row['image bytes']),
    image: { kind: 'parquet' as const, file, column: column.bytes, row: i },
  }))
  return { images, table: { columns: columns.filter(name => !name.startsWith('image ')), rows } }
}

/** Returns the space of the class names in the file's metadata, ImageNet's without such names. */
async function readLabelSpace(file: string): Promise<LabelSpace> {
  const [row] = await query<{ value: string }>(
    `SELECT decode(value) AS value FROM parquet_kv_metadata($1) WHERE decode(key) = 'huggingface'`,
    [literalPath(file)],
  )
  const names = row && classNamesInMetadata(row.value)
  return names ? labelSpaceOf(names) : imagenetSpace
}

function classNamesInMetadata(metadata: string): string[] | undefined {
  const parsed = parseJson(metadata) as
    { info?: { features?: Record<string, { names?: unknown }> } } | undefined
  const names = parsed?.info?.features?.['label']?.names
  return Array.isArray(names) && names.every(name => typeof name === 'string') ? names : undefined
}

/** Returns ImageNet's space for its 1,000 names in order, else a space of the names given. */
export function labelSpaceOf(names: readonly string[]): LabelSpace {
  const same =
    names.length === imagenetClasses.length && names.every((name, i) => isImageNetName(name, i))
  return same ? imagenetSpace : ownSpace(names)
}

function isImageNetName(name: string, index: number): boolean {
  const { name: short, synonyms } = imagenetClasses[index]!
  const known = [short, ...synonyms]
  return known.some(candidate => normalizeLabel(candidate) === normalizeLabel(name.split(',')[0]!))
}

/** Lists the Parquet files of a folder or of its `data/`: those of the test split, else of validation, else all. */
export async function findParquetFiles(tree: FileTree): Promise<string[]> {
  const top = await tree.topEntries()
  const below = top.some(({ name, isFolder }) => isFolder && name === 'data')
    ? await tree.subtree('data').topEntries()
    : []
  const names = [...top.map(({ name }) => name), ...below.map(({ name }) => `data/${name}`)]
  const files = names.filter(name => name.endsWith('.parquet'))
  const ofSplit = (split: string): string[] =>
    files.filter(name => new RegExp(`(^|[/_.-])${split}([/_.-]|$)`).test(name))
  const chosen = ['test', 'validation', 'val'].map(ofSplit).find(found => found.length > 0) ?? files
  return chosen.map(name => join(tree.location, name))
}
