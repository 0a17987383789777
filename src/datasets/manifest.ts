import { dirname, resolve } from 'node:path'
import { shortList } from '../lib/table/text.ts'
import { GeogapError, inputError, quoteForMessage, unknownNameError } from '../lib/errors.ts'
import { isImageName } from './benchmarks/classFolderSamples.ts'
import type { RawDataset } from './build.ts'
import type { Sample, LabelMap, Problem } from './dataset.ts'
import type { ImageSource } from '../lib/archive/member.ts'
import { ownValue } from '../lib/ownValue.ts'
import { groupByKey, tally } from '../lib/tally.ts'
import { fileSizes, readText } from './files.ts'
import { groupColumns, nearlyNumericNotes } from './labels/groupColumns.ts'
import { isObjectStoreUrl } from '../lib/storage/storage.ts'
import { parseJson } from '../lib/archive/json.ts'
import { imagenetNames } from './labels/imagenet.ts'
import { fileLabelling, type LabelsOption } from './labels/labelMap.ts'
import { refuseContradictedIndices } from './labels/matchClassNames.ts'
import {
  imagenetSpace,
  normalizeLabel,
  ownSpace,
  parseLabels,
  type LabelSpace,
} from './labels/labelSpace.ts'
import { missingPattern, rawCellText, type RawTable, reservedColumns } from './readTable.ts'

export interface ReadManifestOptions {
  /** Folder that relative image paths start from; the manifest's folder by default. */
  data?: string | undefined
  /** The file's column for each name that geogap uses: `{ image: 'photo', label: 'sku', country: 'cc' }`. */
  map?: Readonly<Record<string, string>> | undefined
  /** File of class names (one name a line, a JSON list, or a JSON object of names and indices), or `imagenet-1k`. */
  classes?: string | undefined
  /** `original` (the labels that occur), `imagenet` (the default), or the path of a label map. */
  labels?: LabelsOption | undefined
}

/** Reads class names: a JSON list, a JSON object of names by index or of indices by name, or one name a line. */
export async function readClasses(file: string): Promise<string[]> {
  const content = await readText(file)
  const names = /^\s*[[{]/.test(content) ? parseNames(content) : nonEmptyLines(content)
  if (names) return names
  throw inputError(
    'bad-classes',
    `not a list of class names: ${file}; expected one name a line, a JSON list, or a JSON object of names and indices`,
  )
}

/** Returns the class names that the option `classes` means: ImageNet's, or those of a file. */
export const readClassList = async (classes: string): Promise<readonly string[]> =>
  classes === 'imagenet-1k' ? imagenetNames : readClasses(classes)

/** Returns the names of the columns that may hold labels, the preferred one first, after a column map. */
export const labelColumnNames = (map: Readonly<Record<string, string>> = {}): string[] =>
  ['labels', 'label'].map(name => map[name] ?? name)

/** Returns the lines that are not empty, trimmed. */
export const nonEmptyLines = (content: string): string[] =>
  content.split('\n').flatMap(line => line.trim() || [])

function parseNames(content: string): string[] | undefined {
  const parsed = parseJson(content)
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const pairs = Object.entries(parsed) as [string, unknown][]
  const byIndex = pairs.every(([, index]) => typeof index === 'number')
    ? pairs.map(([name, index]) => [index, name] as const)
    : pairs.map(([index, name]) => [Number(index), name] as const)
  const names = new Map(byIndex as [number, unknown][])
  const list = pairs.map((_, i) => names.get(i))
  return list.every(name => typeof name === 'string') ? list : undefined
}

/** Renames columns as `map` says. Errors: unknown-column, duplicate-column. */
export function renameColumns(
  { columns, rows }: RawTable,
  map: Readonly<Record<string, string>> = {},
): RawTable {
  for (const column of Object.values(map)) {
    if (!columns.includes(column)) throw unknownNameError('column', column, columns)
  }
  const ours = new Map(Object.entries(map).map(([name, column]) => [column, name]))
  const renamed = columns.map(column => ours.get(column) ?? column)
  const twice = renamed.find((name, i) => renamed.indexOf(name) !== i)
  if (twice !== undefined) {
    throw inputError(
      'duplicate-column',
      `column ${twice} is both in the file and mapped from ${map[twice]}`,
    )
  }
  return {
    columns: renamed,
    rows: rows.map(row =>
      Object.fromEntries(columns.map((column, i) => [renamed[i]!, ownValue(row, column)])),
    ),
  }
}

/** Reads the samples of a manifest; image paths are relative to `data` or to the manifest's folder. */
export async function readManifest(
  file: string,
  table: RawTable,
  options: ReadManifestOptions = {},
): Promise<RawDataset> {
  const { columns, rows } = renameColumns(table, withFileNames(table, options.map))
  requireColumns(file, columns)
  const rules = await labelRules(options, () => labelsInTable({ columns, rows }))
  const base = options.data ?? dirname(file)
  const paths = rows.map((row, i) =>
    requiredText(pathOf(row['image']), `no image in row ${i + 1} of ${file}`),
  )
  const images = await locateImages(base, paths)
  if (!columns.includes('id')) refuseRepeatedFiles(file, images)
  const found = rowSamples({ columns, rows, file, images, space: rules.space })
  const notes = [
    ...(options.labels === 'original' && options.classes === undefined
      ? missingLabelNotes(found.samples)
      : []),
    ...nearlyNumericNotes(rows, found.columns ?? []),
  ]
  return { name: file, ...found, ...rules, notes }
}

/** Names labels of a table's own that are words for a missing value, as programs write them. */
function missingLabelNotes(samples: readonly Sample[]): string[] {
  const words = samples.flatMap(({ label }) => (missingPattern.test(label) ? label : []))
  const counts = [...tally(words)].map(([word, count]) => `${word} ${count}`)
  if (counts.length === 0) return []
  return [
    `its labels ${counts.join(', ')} are taken as classes; leave the cells empty if these images have no label`,
  ]
}

/** Refuses two spellings of one file's path (`a.jpg` and `./a.jpg`), which would count its image twice. */
function refuseRepeatedFiles(file: string, images: readonly LocatedImage[]): void {
  const ids = new Map<string, string>()
  for (const { id, image } of images) {
    const other = ids.get(image.file)
    if (other !== undefined && other !== id)
      throw inputError(
        'duplicate-id',
        `two rows of ${file} name one image: ${other} and ${id}; drop one, or add a column id`,
      )
    ids.set(image.file, id)
  }
}

/** The column that names images in the tables of image folders of the hub and of COCO. */
export const fileNameColumn = 'file_name'

/** Returns whether a table has that column and no column `image`, and a column map names no other one. */
export const hasFileNames = (
  { columns }: RawTable,
  map: Readonly<Record<string, string>> = {},
): boolean =>
  columns.includes(fileNameColumn) && !columns.includes('image') && map['image'] === undefined

/** Lets a column `file_name` stand for `image` if there is no such column. */
const withFileNames = (
  table: RawTable,
  map: ReadManifestOptions['map'],
): ReadManifestOptions['map'] =>
  hasFileNames(table, map) ? { ...map, image: fileNameColumn } : map

/** Returns the `path` of an image that is an object, as the hub's data sets write it in JSON; any other cell as it is. */
const pathOf = (cell: unknown): unknown =>
  typeof cell === 'object' && cell !== null && 'path' in cell ? cell.path : cell

/**
 * Finds the files and objects at `paths`. A path that does not exist is looked for with slashes instead of backslashes, and without
 * spaces around it.
 */
async function locateImages(base: string, paths: readonly string[]): Promise<LocatedImage[]> {
  const broken = paths.find(path => path.includes('\0'))
  if (broken !== undefined)
    throw inputError(
      'bad-path',
      `the path of an image has a zero byte: ${quoteForMessage(broken)}; save the table again as UTF-8`,
    )
  const web = paths.find(path => /^(https?|ftp|data):/i.test(path))
  if (web !== undefined)
    throw inputError(
      'web-images',
      `images at web addresses are not read: ${quoteForMessage(web)}; download them, and give the column of their paths (--map image=COLUMN)`,
    )
  const full = (path: string): string => {
    const plain = /^file:/i.test(path) ? fileUrlPath(path) : path
    if (isObjectStoreUrl(plain)) return plain
    return isObjectStoreUrl(base) ? `${base}/${plain}` : resolve(base, plain)
  }
  const bytes = await fileSizes(paths.map(full))
  const slashed = paths.map((path, i) =>
    bytes[i] === null ? path.replaceAll('\\', '/').trim() : path,
  )
  const again = slashed.some((path, i) => path !== paths[i])
    ? await fileSizes(slashed.map(full))
    : bytes
  return paths.map((path, i) => {
    const file = full(again[i] === null ? path : slashed[i]!)
    return { id: path, image: { kind: 'file', file }, bytes: again[i]! }
  })
}

/** Returns the path of a `file:` address, which may be relative (`file://./photos/a.jpg`) and may have `%20` for a space. */
function fileUrlPath(url: string): string {
  const path = url.replace(/^file:(\/\/(localhost(?=\/))?)?/i, '').replace(/^\/(?=[a-z]:)/i, '')
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** Returns the distinct labels of a table. */
export const labelsInTable = ({ columns, rows }: RawTable): string[] => [
  ...new Set(
    rows.flatMap(row => parseLabels(row[columns.includes('labels') ? 'labels' : 'label'])),
  ),
]

/** Returns the label space of a manifest or folder: ImageNet's classes, a classes file's, its own labels, or a label map. */
export async function labelRules(
  { classes, labels = 'imagenet' }: Pick<ReadManifestOptions, 'classes' | 'labels'>,
  own: () => readonly string[],
): Promise<{ space: LabelSpace; labelMap?: LabelMap }> {
  if (classes === 'imagenet-1k') return { space: imagenetSpace }
  if (classes !== undefined) return { space: ownSpace(await readClasses(classes)) }
  if (labels === 'imagenet') return { space: imagenetSpace }
  if (labels === 'original') return { space: ownSpace(refuseSpellings([...own()].sort())) }
  const { space, labelMap: map, accepted, knownLabels: known } = await fileLabelling(labels)
  const resolve = (written: string): readonly number[] => {
    const found = accepted(written)
    if (!found) throw unknownNameError('label', written, known)
    return found
  }
  return { space: { ...space, resolve }, labelMap: map }
}

/** Refuses labels of one class in two spellings, which would be two classes that no image can tell apart. */
function refuseSpellings(labels: readonly string[]): readonly string[] {
  const spellings = groupByKey(labels, normalizeLabel)
  const several = [...spellings.values()].find(names => names.length > 1)
  if (!several) return labels
  throw inputError(
    'duplicate-class',
    `labels that differ in case, spaces or underscores alone: ${several.join(', ')}; write them alike, or give the class names (--classes FILE)`,
  )
}

export type LocatedImage = Pick<Sample, 'id' | 'bytes'> & { image: ImageSource }

/** A table whose images are located, with the label space of its labels. */
export interface LocatedTable extends RawTable {
  file: string
  images: readonly LocatedImage[]
  space: LabelSpace
  /** The class names of the file's own indices, if `space` is not over them. */
  names?: readonly string[] | undefined
}

/**
 * Makes a sample of each row. `labels` holds the accepted classes and `label` the name shown; either may stand for both.
 * An `id` column replaces the images' own ids. Every further column is a grouping column. A row without a label is a problem.
 * @throws GeogapError `no-label` if no row has a label
 */
export function rowSamples(
  table: LocatedTable,
): Pick<RawDataset, 'samples' | 'columns' | 'problems'> {
  const { columns, rows, file, images } = table
  const kept = columns.filter(column => !reservedColumns.includes(column))
  const groups = groupColumns(rows, kept)
  const labelsOf = labelReader(table)
  const samples: Sample[] = []
  const problems: Problem[] = []
  for (const [i, row] of rows.entries()) {
    const id = rawCellText(row['id']) ?? images[i]!.id
    const labels = labelsOf(row)
    if (labels) samples.push({ ...images[i]!, id, ...labels, groups: groups[i]! })
    else problems.push({ id, code: 'no-label', message: `no label in row ${i + 1} of ${file}` })
  }
  if (samples.length === 0 && problems.length > 0)
    throw inputError(
      'no-label',
      `${problems[0]!.message}, nor in any other of its ${rows.length} rows: labels are empty or -1, as in a hidden test split; give the labelled one`,
    )
  refuseContradictedIndices(samples, table.space)
  return { samples, problems, columns: kept }
}

export function requireColumns(file: string, columns: readonly string[]): void {
  const exist = `columns: ${shortList(columns, 30)}`
  const data = columns.find(isImageName)
  if (data !== undefined)
    throw inputError(
      'no-header',
      `the first line of ${file} is no list of column names: it holds ${quoteForMessage(data)}; add a first line such as image,label`,
    )
  if (!columns.includes('label') && !columns.includes('labels')) {
    throw inputError(
      'no-label-column',
      `manifest without a label column: ${file}; ${exist} (say which one it is: --map label=COLUMN)`,
    )
  }
  if (!columns.includes('image')) {
    throw inputError(
      'no-image-column',
      `manifest without an image column: ${file}; ${exist} (say which one it is: --map image=COLUMN)`,
    )
  }
}

/** Returns a function that reads a row's accepted classes and the name shown; undefined for a row without a label. */
function labelReader({ columns, rows, space, names = space.classes }: LocatedTable) {
  const accepted = columns.includes('labels') ? 'labels' : 'label'
  const known = resolveLabels(space, labelsInTable({ columns, rows }))
  return (row: Record<string, unknown>): Pick<Sample, 'labels' | 'label'> | undefined => {
    const written = parseLabels(row[accepted])
    if (written.length === 0) return undefined
    const labels = [...new Set(written.flatMap(name => known.get(name)!))]
    const [shown = written[0]!] = columns.includes('label') ? parseLabels(row['label']) : written
    return { labels, label: /^\d+$/.test(shown) ? (names[Number(shown)] ?? shown) : shown }
  }
}

/** Resolves every label once. The error of the first unknown label lists the other unknown ones. */
function resolveLabels(
  space: LabelSpace,
  written: readonly string[],
): Map<string, readonly number[]> {
  const known = new Map<string, readonly number[]>()
  const refused = new Map<string, GeogapError>()
  for (const name of written) {
    try {
      known.set(name, space.resolve(name))
    } catch (error) {
      if (!(error instanceof GeogapError)) throw error
      refused.set(name, error)
    }
  }
  const [first, ...others] = refused.keys()
  if (first === undefined) return known
  const { code, message } = refused.get(first)!
  throw inputError(
    code,
    others.length === 0
      ? message
      : `${message}; neither known nor clear are also: ${shortList(others, 8)}`,
  )
}

function requiredText(cell: unknown, message: string): string {
  const value = rawCellText(cell)
  if (value === null) throw inputError('no-image', message)
  return value
}
