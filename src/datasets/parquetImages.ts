import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { parquetRows, quoteIdentifier, selectFromFile } from '../lib/sql.ts'
import type { RawDataset } from './build.ts'
import { parseJson } from '../lib/archive/json.ts'
import type { LabelMap, Problem } from './dataset.ts'
import { distinctNames, fileSizes } from './files.ts'
import { unlabelledSplitNote } from './hub/splits.ts'
import { indexLabelling } from './labels/matchClassNames.ts'
import { imagenetSpace, normalizeLabel, parseLabels } from './labels/labelSpace.ts'
import {
  labelColumnNames,
  labelRules,
  renameColumns,
  requireColumns,
  rowSamples,
  labelsInTable,
  type LocatedImage,
  type LocatedTable,
  type ReadManifestOptions,
} from './manifest.ts'
import {
  type TypedColumn,
  parquetColumns,
  type RawTable,
  rawCellText,
  wideIntegersAsText,
} from './readTable.ts'
import type { FileTree } from './tree.ts'

/** The column of images: a struct with `bytes` and `path` as the hub writes it, plain bytes, or paths. */
interface ImageColumn {
  name: string
  bytes: string | null
  path: string | null
}

/**
 * Finds the column with image bytes: the one called `image` (or mapped to it), else the only one; undefined for a manifest of paths.
 * Errors: several-image-columns.
 */
export async function findImageColumn(
  file: string,
  map?: ReadManifestOptions['map'],
): Promise<ImageColumn | undefined> {
  const column = imageColumnOf(file, await parquetColumns(file), map)
  return column?.bytes === null ? undefined : column
}

function imageColumnOf(
  file: string,
  columns: readonly TypedColumn[],
  map: Readonly<Record<string, string>> = {},
): ImageColumn | undefined {
  const image = columns.find(({ name }) => name === (map['image'] ?? 'image'))
  const holdsBytes = ({ type }: TypedColumn): boolean =>
    type === 'BLOB' || /^STRUCT\(.*\bbytes"? BLOB.*\)$/.test(type)
  const [found, ...others] = image ? [image].filter(holdsBytes) : columns.filter(holdsBytes)
  if (!found)
    return image && /^(VARCHAR|STRUCT\(.*\bpath"? VARCHAR.*\))$/.test(image.type)
      ? {
          name: image.name,
          bytes: null,
          path: image.type === 'VARCHAR' ? image.name : `${image.name}.path`,
        }
      : undefined
  if (others.length > 0)
    throw inputError(
      'several-image-columns',
      `several columns of ${file} hold bytes: ${[found, ...others].map(({ name }) => name).join(', ')}; say which one is the images': --map image=COLUMN`,
    )
  const { name, type } = found
  const hasPath = /\bpath"? VARCHAR/.test(type)
  return type === 'BLOB'
    ? { name, bytes: name, path: null }
    : { name, bytes: `${name}.bytes`, path: hasPath ? `${name}.path` : null }
}

export interface ReadParquetOptions extends ReadManifestOptions {
  /** Class names of the label column; by default those in the metadata of the first file. */
  names?: readonly string[] | undefined
  /** Finds the files that a Parquet file names by paths in place of images' bytes; they start from its folder by default. */
  locate?: (file: string, paths: readonly string[]) => Promise<readonly NamedFile[]>
}

/** A file by the path of an image, null bytes if it is missing. */
export interface NamedFile {
  file: string
  bytes: number | null
}

const besideFile =
  (data?: string): NonNullable<ReadParquetOptions['locate']> =>
  async (file, paths) => {
    const files = paths.map(path => resolve(data ?? dirname(file), path))
    const sizes = await fileSizes(files)
    return files.map((file, i) => ({ file, bytes: sizes[i]! }))
  }

/**
 * Reads Parquet files with image bytes in the hub's format: a column `image` of `{bytes, path}` or plain bytes, and `label`
 * as a class index whose names are in the file's metadata. Images without bytes are the files at their paths. Ids are the images'
 * paths if these are unique, else `<file>#<row>`, with folders if files have equal names.
 * @throws GeogapError `no-image-bytes` if no image has bytes or a file
 */
export async function readParquetImages(
  files: readonly string[],
  options: ReadParquetOptions = {},
): Promise<RawDataset> {
  const [first] = files
  if (first === undefined) throw inputError('missing-file', 'no Parquet files')
  const ids = distinctNames(files)
  const parts = await Promise.all(files.map((file, i) => readParquetFile(file, ids[i]!, options)))
  const images = parts.flatMap(part => part.images)
  if (images.length === 0) throw inputError('no-images', `no rows in ${first}`)
  if (images.every(({ bytes }) => bytes === null)) {
    const path = images.find(image => image.path !== null)?.path
    const found = path == null ? 'they are empty' : `no file is at its paths, such as ${path}`
    throw inputError(
      'no-image-bytes',
      `no images in ${first}: ${found}; give the table with the files that it names, or with bytes`,
    )
  }
  const stated = parts.map(part => part.classNames)
  refuseOtherNames(files, stated)
  const columns = [...new Set(parts.flatMap(part => part.table.columns)), 'image']
  const table = renameColumns(
    { columns, rows: parts.flatMap(part => part.table.rows) },
    withoutImageColumn(options.map),
  )
  // Ids that repeat are of something else, such as a person.
  const given = table.rows.flatMap(row => rawCellText(row['id']) ?? [])
  if (new Set(given).size < given.length) for (const row of table.rows) delete row['id']
  requireColumns(first, table.columns)
  const names = options.names ?? stated[0]
  const rules = await columnLabels(first, table, { ...options, names })
  const paths = new Set(images.map(image => image.path))
  const located = images.map(({ path, ...image }): LocatedImage => ({
    ...image,
    id: path !== null && paths.size === images.length ? path : image.id,
  }))
  const found = rowSamples({ ...table, ...rules, file: first, images: located })
  return {
    name: first,
    ...found,
    space: rules.space,
    labelMap: rules.labelMap,
    problems: [...missingParts(files), ...(found.problems ?? [])],
  }
}

/**
 * Returns what the labels of a table with images accept. Indices count `names`, or the class names of a classes file; texts are read as a manifest's.
 * @throws GeogapError `no-class-names` for indices without names
 */
export async function columnLabels(
  file: string,
  table: RawTable,
  options: ReadParquetOptions,
): Promise<Pick<LocatedTable, 'space' | 'names'> & { labelMap?: LabelMap | undefined }> {
  const names = options.classes === undefined ? options.names : undefined
  const written = labelsInTable(table)
  if (names) {
    const found = await indexLabelling(names, options.labels)
    const own = ownIndexOf(names)
    const resolve = (text: string): readonly number[] => found.accepted(own(text))
    const space =
      found.space === imagenetSpace && found.names === imagenetSpace.classes
        ? imagenetSpace
        : { ...found.space, resolve }
    return { space, labelMap: found.labelMap, names: found.names }
  }
  if (options.classes === undefined && written.length > 0 && written.every(isIndex))
    throw inputError(
      'no-class-names',
      `labels of ${file} are indices without class names, so their classes are not known: give the names in the order of the indices (--classes FILE, or --classes imagenet-1k)`,
    )
  return labelRules(options, () => written)
}

const isIndex = (label: string): boolean => /^\d+$/.test(label)

/** Returns a function from a label, an index or a name, to its place in the class names. */
function ownIndexOf(names: readonly string[]): (label: string) => number {
  const byName = new Map(names.map((name, i) => [normalizeLabel(name), i]))
  return label => {
    const index = isIndex(label) ? Number(label) : byName.get(normalizeLabel(label))
    if (index === undefined) throw unknownNameError('class', label, names)
    if (index < names.length) return index
    const hint = index === names.length ? '; do the labels count from 1?' : ''
    throw inputError(
      'unknown-class',
      `class index ${label} is out of range: there are ${names.length} class names, 0 to ${names.length - 1}${hint}`,
    )
  }
}

/** Lists the parts that the names of files count (`test-00000-of-00002.parquet`) and that are not among them. */
function missingParts(files: readonly string[]): Problem[] {
  const parts = files.flatMap(file => {
    const [, start, part, count] =
      /^(.*-)(\d{5})-of-(\d{5})(?:-[0-9a-f]+)?\.parquet$/.exec(basename(file)) ?? []
    return start === undefined ? [] : [{ start, part: Number(part), count: Number(count) }]
  })
  const found = new Set(parts.map(({ start, part }) => `${start}${part}`))
  const counts = new Map(parts.map(({ start, count }) => [start, count]))
  return [...counts].flatMap(([start, count]) =>
    Array.from({ length: count }, (_, part) => part).flatMap(part => {
      const id = `${start}${String(part).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.parquet`
      return found.has(`${start}${part}`)
        ? []
        : { id, code: 'missing-part', message: `missing file: ${id}` }
    }),
  )
}

/** Leaves `image` out of a column map, because the image column is found by its type. */
const withoutImageColumn = (map: ReadManifestOptions['map'] = {}): Record<string, string> =>
  Object.fromEntries(Object.entries(map).filter(([name]) => name !== 'image'))

async function readParquetFile(
  file: string,
  name: string,
  { map, data, locate = besideFile(data) }: ReadParquetOptions,
) {
  const described = await parquetColumns(file)
  const column = imageColumnOf(file, described, map)
  if (!column) throw inputError('no-image-column', `no column with image bytes in ${file}`)
  const cell = (path: string): string => path.split('.').map(quoteIdentifier).join('.')
  // The bytes of further images are no groups.
  const left = described.flatMap(({ name, type }) =>
    name === column.name || /.\bBLOB|BLOB\[/.test(type) ? name : [],
  )
  const { columns, rows } = await selectFromFile(
    file,
    `SELECT * EXCLUDE (${left.map(quoteIdentifier).join(', ')})${wideIntegersAsText(described)}, ${column.bytes === null ? 'NULL' : `octet_length(${cell(column.bytes)})`} AS "image bytes",
     ${column.path === null ? 'NULL' : cell(column.path)} AS "image path" FROM ${parquetRows()}`,
  )
  const stated = await readStatedNames(file)
  nameIndices(rows, stated, map)
  const images = rows.map((row, i) => ({
    id: `${name}#${i}`,
    path: row['image path'] as string | null,
    bytes: row['image bytes'] === null ? null : Number(row['image bytes']),
    image: { kind: 'parquet' as const, file, column: column.bytes ?? column.name, row: i },
  }))
  const named = images.filter(({ bytes, path }) => bytes === null && path !== null)
  const paths = named.map(({ path }) => path!)
  for (const [i, { bytes, ...found }] of (paths.length > 0
    ? await locate(file, paths)
    : []
  ).entries())
    if (bytes !== null) Object.assign(named[i]!, { bytes, image: { kind: 'file', ...found } })
  const classNames = classNamesIn(stated, map)
  return { images, table: { columns: columns.slice(0, -2), rows }, classNames }
}

/** Refuses files that state other class names than the first, whose indices would be read as other classes. */
function refuseOtherNames(
  files: readonly string[],
  stated: readonly (readonly string[] | undefined)[],
): void {
  const [first] = stated
  const other = stated.findIndex(names => names && JSON.stringify(names) !== JSON.stringify(first))
  if (first && other !== -1)
    throw inputError(
      'class-names-differ',
      `${files[other]!} and ${files[0]!} state different class names, so one index is two classes: read them apart`,
    )
}

/** Returns the class names that the file's metadata states for the label column. */
export async function readClassNames(
  file: string,
  map: ReadManifestOptions['map'] = {},
): Promise<string[] | undefined> {
  return classNamesIn(await readStatedNames(file), map)
}

const classNamesIn = (
  stated: ReadonlyMap<string, string[]>,
  map: ReadManifestOptions['map'] = {},
): string[] | undefined =>
  labelColumnNames(map)
    .map(name => stated.get(name))
    .find(Boolean)

/** Returns the names that the file's metadata states for the indices of its columns. */
async function readStatedNames(file: string): Promise<ReadonlyMap<string, string[]>> {
  const { rows } = await selectFromFile(
    file,
    `SELECT decode(value) AS value FROM parquet_kv_metadata($1) WHERE decode(key) = 'huggingface'`,
  )
  const found = hubMetadataSchema.safeParse(rows[0] && parseJson(rows[0]['value'] as string))
  const features = Object.entries(found.data?.info.features ?? {})
  return new Map(
    features.flatMap(([name, { names, feature }]): [string, string[]][] => {
      const list = names ?? feature?.names
      return list ? [[name, list]] : []
    }),
  )
}

/** Writes names for the indices of all columns but the label, such as `country`. The index -1 stands for an unknown value. */
function nameIndices(
  rows: readonly Record<string, unknown>[],
  stated: ReadonlyMap<string, string[]>,
  map: ReadManifestOptions['map'] = {},
): void {
  const labels = labelColumnNames(map)
  for (const [column, names] of stated) {
    if (labels.includes(column)) continue
    for (const row of rows) {
      const index = row[column]
      if (typeof index === 'number' || typeof index === 'bigint')
        row[column] = Number(index) === -1 ? null : (names[Number(index)] ?? index)
    }
  }
}

const classLabelSchema = z.object({ names: z.array(z.string()).optional().catch(undefined) })
const hubMetadataSchema = z.object({
  info: z.object({
    features: z.record(
      z.string(),
      classLabelSchema.extend({ feature: classLabelSchema.optional().catch(undefined) }).catch({}),
    ),
  }),
})

/** The splits of a data set that are evaluated, the preferred one first; the others hold training data. */
const evaluationSplits = ['test', 'validation', 'valid', 'val', 'eval']

/**
 * Lists the Parquet files of a folder or of its `data/`: those of the first split among test and validation whose images
 * have labels (hub repositories hide the test labels as -1), else all. `notes` names a split that was passed over.
 */
export async function findParquetFiles(
  tree: FileTree,
  map: ReadManifestOptions['map'] = {},
): Promise<{ files: string[]; notes: string[] }> {
  const top = await tree.topEntries()
  const below = top.some(({ name, isFolder }) => isFolder && name === 'data')
    ? await tree.subtree('data').topEntries()
    : []
  const names = [...top.map(({ name }) => name), ...below.map(({ name }) => `data/${name}`)]
  const files = names
    .filter(name => name.endsWith('.parquet'))
    .map(name => join(tree.location, name))
  const notes: string[] = []
  for (const split of evaluationSplits) {
    const pattern = new RegExp(`(^|[_.-])${split}([_.-]|$)`)
    const ofSplit = files.filter(file => pattern.test(basename(file)))
    if (ofSplit.length === 0) continue
    if (ofSplit.length === files.length || (await hasLabels(ofSplit[0]!, map)))
      return { files: ofSplit, notes }
    notes.push(unlabelledSplitNote(split))
  }
  return { files, notes }
}

/** Returns whether some image of a Parquet file has a label. */
async function hasLabels(file: string, map: Readonly<Record<string, string>>): Promise<boolean> {
  const columns = await parquetColumns(file)
  const column = labelColumnNames(map).find(label => columns.some(({ name }) => name === label))
  if (column === undefined) return false
  const { rows } = await selectFromFile(
    file,
    `SELECT DISTINCT ${quoteIdentifier(column)} AS label FROM ${parquetRows()}`,
  )
  return rows.some(({ label }) => parseLabels(label).length > 0)
}
