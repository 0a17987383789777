/*
 * Reads folders of images as the library `datasets` lays them out: a table `metadata.csv`, `.jsonl` or `.parquet` whose column
 * `file_name` names images relative to its folder, at the top, below `data/` or in a folder of each split.
 */
import { basename, join } from 'node:path'
import { inputError } from '../lib/errors.ts'
import type { ArchiveMember } from '../lib/archive/member.ts'
import { isImageName, parentName } from './benchmarks/classFolderSamples.ts'
import type { RawDataset } from './build.ts'
import type { Problem } from './dataset.ts'
import {
  classColumnsOfCard,
  isMetadataName,
  splitOfFolders,
  unlabelledSplitNote,
} from './hub/splits.ts'
import {
  fileNameColumn,
  hasFileNames,
  labelColumnNames,
  renameColumns,
  requireColumns,
  rowSamples,
} from './manifest.ts'
import { columnLabels, type ReadParquetOptions } from './parquetImages.ts'
import { parseLabels } from './labels/labelSpace.ts'
import { rawCellText, readTableEntry, type RawTable } from './readTable.ts'
import { imageOf, readTreeText, type FileTree } from './tree.ts'

/** A table of images, and the folder of the tree that its `file_name` starts from. */
export interface ImageTable {
  folder: string
  name: string
  table: RawTable
}

const maxDepth = 4

/** Returns whether a table that was named by its path is the metadata of the folder in which it lies. */
export const isImageTable = (
  file: string,
  table: RawTable,
  map?: ReadParquetOptions['map'],
): boolean => isMetadataName(basename(file)) && hasFileNames(table, map)

/**
 * Finds the tables of a folder of images; none if no `metadata` file has a column of file names.
 * @throws GeogapError `several-tables` if a folder has two of them
 */
export async function findImageTables(
  tree: FileTree,
  map: ReadParquetOptions['map'] = {},
): Promise<ImageTable[]> {
  const found: ImageTable[] = []
  const folders = ['']
  for (const folder of folders) {
    const here = tree.subtree(folder)
    const entries = await here.topEntries()
    const inner = entries.filter(({ isFolder }) => isFolder)
    for (const { name } of folder.split('/').length < maxDepth ? inner : [])
      if (name === 'data' || inner.length === 1 || splitOfFolders(name) !== undefined)
        folders.push(folder === '' ? name : `${folder}/${name}`)
    const tables: ImageTable[] = []
    for (const { name } of entries.filter(entry => isMetadataName(entry.name))) {
      const entry = await here.find(name)
      const table = entry && (await readTableEntry(entry))
      if (table?.columns.includes(map['image'] ?? fileNameColumn))
        tables.push({ folder, name, table })
      const other = table?.columns.find(column => column.endsWith(`_${fileNameColumn}`))
      if (other !== undefined && tables.length === 0 && map['image'] === undefined)
        throw inputError(
          'no-image-column',
          `${join(here.location, name)} names images in its column ${other}: --map image=${other}`,
        )
    }
    if (tables.length > 1)
      throw inputError(
        'several-tables',
        `${tree.location} has several tables of one folder: ${tables.map(({ name }) => name).join(', ')}; name the one that counts`,
      )
    found.push(...tables)
  }
  return found
}

/**
 * Reads the images that tables list, of the first split among test and validation that has labels. Labels are read as those of
 * Parquet files; without a column of labels they are the names of the images' folders. Images without a row are problems.
 * `split` chooses rows by their folders.
 * @throws GeogapError `no-label-column`, `no-class-names`, `no-label`
 */
export async function readImageFolder(
  tree: FileTree,
  tables: readonly ImageTable[],
  options: ReadParquetOptions & { split?: string } = {},
): Promise<RawDataset> {
  const classColumns = classColumnsOfCard(await readCard(tree))
  const fileName = options.map?.['image'] ?? fileNameColumn
  const columns = [...new Set(tables.flatMap(({ table }) => table.columns))]
  const usual = [...labelColumnNames(options.map), ...classColumns.keys()]
  const column = usual.find(name => columns.includes(name))
  const all = tables.flatMap(({ folder, table: { rows } }) =>
    rows.map((row): ImageRow => {
      const path = imagePath(folder, row[fileName])
      return { row, path, label: column === undefined ? folderLabel(path, tables) : row[column] }
    }),
  )
  const ofSplit = all.filter(({ path }) => (splitOfFolders(path) ?? 'train') === options.split)
  const { kept, notes } = chooseSplit(ofSplit.length > 0 ? ofSplit : all)
  const file = join(tree.location, tables[0]!.folder, tables[0]!.name)
  const map = { ...options.map, image: fileName }
  const table = labelledTable({ columns, kept, column, map })
  if (column === undefined && table.columns.includes('label'))
    notes.push(`its labels are the names of its folders, because ${basename(file)} has none`)
  requireColumns(file, table.columns)
  const names = options.names ?? (column === undefined ? undefined : classColumns.get(column))
  const rules = await columnLabels(file, table, { ...options, names })
  const entries = await tree.list('')
  const find = entryFinder(entries)
  const images = kept.map(({ path }) => ({
    id: path,
    ...imageOf(find(path), join(tree.location, path)),
  }))
  const found = rowSamples({ ...table, ...rules, file, images })
  const splits = new Set(kept.map(({ path }) => splitOfFolders(path)))
  const listed = new Set(all.map(({ path }) => find(path)))
  const unlisted = entries.filter(
    entry =>
      isImageName(entry.path) && splits.has(splitOfFolders(entry.path)) && !listed.has(entry),
  )
  return {
    name: tree.location,
    ...found,
    space: rules.space,
    labelMap: rules.labelMap,
    problems: [
      ...(found.problems ?? []),
      ...unlisted.map(({ path }) => unlistedProblem(file, path)),
    ],
    notes,
  }
}

interface ImageRow {
  row: Record<string, unknown>
  path: string
  label: unknown
}

/** Returns the rows with the columns `image` and, if they have labels in a column or by their folders, `label` or `labels`. */
function labelledTable({
  columns,
  kept,
  column,
  map,
}: {
  columns: readonly string[]
  kept: readonly ImageRow[]
  column: string | undefined
  map: Record<string, string>
}): RawTable {
  const rows = kept.map(({ row }) => row)
  const isMapped = column === undefined || column === 'labels' || map['labels'] === column
  const table = renameColumns(
    { columns: [...columns], rows },
    isMapped ? map : { ...map, label: column },
  )
  const isByFolder = column === undefined && kept.every(({ label }) => label !== undefined)
  if (!isByFolder) return table
  return {
    columns: [...table.columns, 'label'],
    rows: table.rows.map((row, i) => ({ ...row, label: kept[i]!.label })),
  }
}

const unlistedProblem = (file: string, path: string): Problem => ({
  id: path,
  code: 'no-label',
  message: `no row of ${basename(file)} names ${path}`,
})

const imagePath = (folder: string, cell: unknown): string => {
  const path = (rawCellText(cell) ?? '').replaceAll('\\', '/').replace(/^(\.\/)+/, '')
  return folder === '' ? path : `${folder}/${path}`
}

/** Returns the name of the class folder that an image lies in; undefined if it lies beside its table. */
function folderLabel(path: string, tables: readonly ImageTable[]): string | undefined {
  const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')))
  const isOwn = parent === '' || tables.some(({ folder }) => folder === parent)
  return isOwn || splitOfFolders(`${parentName(path)}/`) !== undefined
    ? undefined
    : parentName(path)
}

/** Keeps the rows of one split where there are several. */
function chooseSplit(rows: readonly ImageRow[]): { kept: readonly ImageRow[]; notes: string[] } {
  const splits = new Set(rows.map(({ path }) => splitOfFolders(path)))
  const notes: string[] = []
  if (splits.size < 2) return { kept: rows, notes }
  const ofSplit = (split: string | undefined): ImageRow[] =>
    rows.filter(({ path }) => splitOfFolders(path) === split)
  for (const split of ['test', 'validation'].filter(name => splits.has(name))) {
    const kept = ofSplit(split)
    splits.delete(split)
    const others = [...splits].map(name => name ?? 'files outside').join(', ')
    if (kept.some(({ label }) => parseLabels(label).length > 0))
      return { kept, notes: [...notes, `it is the split ${split}; not read: ${others}`] }
    notes.push(unlabelledSplitNote(split))
  }
  const outside = ofSplit(undefined)
  return { kept: outside.length > 0 ? outside : ofSplit('train'), notes }
}

/** Returns a function that finds the entry of a path, however the accents of both are written. */
function entryFinder(entries: readonly ArchiveMember[]) {
  const byPath = new Map(entries.map(entry => [entry.path, entry]))
  const byText = new Map(entries.map(entry => [entry.path.normalize(), entry]))
  return (path: string): ArchiveMember | undefined =>
    byPath.get(path) ?? byText.get(path.normalize())
}

/** Reads the metadata of the README of a hub repository; empty if there is none. */
async function readCard(tree: FileTree): Promise<Record<string, unknown>> {
  const text = (await readTreeText(tree, 'README.md')) ?? ''
  const front = /^---\r?\n(.*?)\r?\n---/s.exec(text)?.[1]
  if (front === undefined) return {}
  const { parse } = await import('yaml')
  try {
    return (parse(front) as Record<string, unknown> | null) ?? {}
  } catch {
    return {}
  }
}
