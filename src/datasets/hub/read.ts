// Reads a data set of the hub: WebDataset shards, Parquet files or images of one split, from the hub cache.
import { basename, dirname, join, posix, relative } from 'node:path'
import { mapLimited } from '../../lib/concurrency.ts'
import { inputError } from '../../lib/errors.ts'
import type { ArchiveMember } from '../../lib/archive/member.ts'
import type { HubListedFile } from '../../lib/hub/repository.ts'
import type { RawDataset } from '../build.ts'
import { fileBytes, readText } from '../files.ts'
import { readFolder } from '../classFolders.ts'
import { findImageTables, readImageFolder } from '../metadataFolder.ts'
import { areImagenetNames } from '../labels/matchClassNames.ts'
import { readClassList, type ReadManifestOptions } from '../manifest.ts'
import {
  type NamedFile,
  readClassNames,
  readParquetImages,
  type ReadParquetOptions,
} from '../parquetImages.ts'
import { parquetColumns } from '../readTable.ts'
import { archiveTree, openTree } from '../tree.ts'
import {
  checkShardCount,
  classLines,
  compareShardNumbers,
  isGeographicSet,
  readShards,
} from '../webdataset.ts'
import {
  downloadHubSplit,
  type HubDatasetOptions,
  type HubSelection,
  labelColumns,
  selectHubSplit,
} from './download.ts'
import type { HubSplit } from './splits.ts'

/** Names a data set of the hub, and says how its files are read and downloaded. */
export interface HubDatasetSpec extends ReadManifestOptions {
  /** `hf:OWNER/NAME[@REVISION][:CONFIG/SPLIT]` */
  name: string
  hub?: HubDatasetOptions | undefined
}

/**
 * Reads a data set of the hub, downloading what is not in the hub cache. Its name in results is without the revision; a note
 * says the commit. Where `labels` is not given, data sets that a shipped label map knows are scored by it, and those whose
 * class names are all ImageNet's by these classes; others have classes of their own.
 * @throws GeogapError those of `selectHubSplit`, `downloadHubSplit` and of the readers of its files
 */
export async function readHubDataset(spec: HubDatasetSpec): Promise<RawDataset> {
  const { hub = {}, map } = spec
  const selection = await selectHubSplit(spec.name, hub, map)
  await downloadHubSplit(selection, hub)
  const { source, split, repository } = selection
  const readers = {
    parquet: readParquetSplit,
    webdataset: readShardSplit,
    images: readImagesSplit,
  }
  const read = await readers[split.form](selection, spec)
  return {
    ...read,
    name: spec.name.replace(/@[^:]+/, ''),
    revision: repository.commit,
    notes: [
      `it is the split ${split.split} of ${source.repo} on the hub, commit ${repository.commit.slice(0, 12)}`,
      ...selection.notes,
      ...(split.files.some(({ path }) => /(^|\/)partial-[^/]+\/\d{4}\.parquet$/.test(path))
        ? ['the hub converted a part of it only, so images are missing']
        : []),
      ...(read.notes ?? []),
    ],
  }
}

async function readParquetSplit(
  selection: HubSelection,
  options: HubDatasetSpec,
): Promise<RawDataset> {
  const { split, folder, source } = selection
  const files = split.files.map(({ path }) => join(folder, path)).sort()
  const columns = await parquetColumns(files[0]!)
  const { label, map: asked } = labelOf(
    split,
    columns.map(({ name }) => name),
    options.map,
  )
  const own = await readClassNames(files[0]!, asked)
  const stated = label === undefined ? undefined : split.classColumns.get(label)
  if (own && stated && options.classes === undefined && own.join('\n') !== stated.join('\n'))
    throw inputError(
      'class-names-differ',
      `the card of ${source.repo} and ${files[0]!} state different class names: say which count (--classes FILE)`,
    )
  const names = own ?? stated
  const labels = labelsFor(options.labels, source.repo, names)
  const locate: ReadParquetOptions['locate'] = (file, paths) =>
    fetchNamedImages(selection, { paths, from: dirname(relative(folder, file)) }, options.hub)
  return readParquetImages(files, { ...options, names, labels, map: asked, locate })
}

/** Downloads the files of a repository at paths that start from a folder of it or from the top. */
async function fetchNamedImages(
  selection: HubSelection,
  { paths, from }: { paths: readonly string[]; from: string },
  hub?: HubDatasetOptions,
): Promise<NamedFile[]> {
  const { repository, folder } = selection
  const listed = new Map(repository.files.map(file => [file.path, file]))
  const found = paths.map(path => {
    const plain = path.replace(/^hf:\/\/datasets\/[^/]+\/[^/]+\//, '')
    return listed.get(posix.join(from, plain)) ?? listed.get(posix.normalize(plain))
  })
  const missing: HubListedFile[] = []
  for (const file of new Set(found))
    if (file && (await fileBytes(join(folder, file.path))) !== file.size) missing.push(file)
  await downloadHubSplit({ ...selection, missing }, hub)
  return found.map((file, i) => ({
    file: join(folder, file?.path ?? paths[i]!),
    bytes: file?.size ?? null,
  }))
}

/** Reads images with the tables that name them, or in class folders. */
async function readImagesSplit(
  { split, folder, source, companions }: HubSelection,
  options: HubDatasetSpec,
): Promise<RawDataset> {
  const members = [...split.files, ...companions].map(({ path, size }): ArchiveMember => ({
    path,
    bytes: size,
    source: { kind: 'file', file: join(folder, path) },
  }))
  const tree = archiveTree(folder, members)
  const tables = await findImageTables(tree, options.map)
  if (tables.length === 0) return readFolder(tree, options)
  const columns = tables.flatMap(({ table }) => table.columns)
  const { label, map } = labelOf(split, columns, options.map)
  const names = label === undefined ? undefined : split.classColumns.get(label)
  const labels = labelsFor(options.labels, source.repo, names)
  return readImageFolder(tree, tables, { ...options, map, names, labels, split: split.split })
}

/** Returns the column that holds the class, and the column map with it. */
function labelOf(
  split: HubSplit,
  columns: readonly string[],
  map: Readonly<Record<string, string>> = {},
): { label: string | undefined; map: Readonly<Record<string, string>> } {
  const label = labelColumns(split, map).find(wanted => columns.includes(wanted))
  const isMapped =
    label === undefined || ['label', 'labels', map['label'], map['labels']].includes(label)
  return { label, map: isMapped ? map : { ...map, label } }
}

async function readShardSplit(
  selection: HubSelection,
  { name, classes, labels, map }: HubDatasetSpec,
): Promise<RawDataset> {
  const { split, folder, source } = selection
  const paths = [...split.files].sort(compareShardNumbers).map(({ path }) => join(folder, path))
  checkShardCount(name, paths.length, await readCompanion(selection, 'nshards.txt'))
  const type = (await readCompanion(selection, 'dataset_type.txt'))?.trim() ?? 'classification'
  if (type !== 'classification')
    throw inputError('no-label', `${name} is a data set for ${type}, which has no classes`)
  const names = await shardClassNames(selection, classes)
  const shards = await mapLimited(paths, 4, openTree)
  return readShards(
    { location: name, set: basename(source.repo), names, shards },
    { labels: labelsFor(labels, source.repo, names), map },
  )
}

function labelsFor(
  labels: ReadManifestOptions['labels'],
  repo: string,
  names: readonly string[] = [],
): ReadManifestOptions['labels'] {
  const isKnown = isGeographicSet(repo) || (names.length > 0 && areImagenetNames(names))
  return labels ?? (isKnown ? 'imagenet' : undefined)
}

/** Returns the text of the companion that lies nearest to the shards; undefined if there is none. */
async function readCompanion(
  { companions, folder }: HubSelection,
  name: string,
): Promise<string | undefined> {
  const [nearest] = companions
    .filter(({ path }) => basename(path) === name)
    .sort((a, b) => b.path.length - a.path.length)
  return nearest && readText(join(folder, nearest.path))
}

/** Returns the class names that a classes file, `classnames.txt` or the card gives. */
async function shardClassNames(
  selection: HubSelection,
  classes: string | undefined,
): Promise<readonly string[] | undefined> {
  if (classes !== undefined) return readClassList(classes)
  const text = await readCompanion(selection, 'classnames.txt')
  if (text !== undefined) return classLines(text, selection.name)
  const [only, ...others] = selection.split.classColumns.values()
  return others.length === 0 ? only : undefined
}
