import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname, extname, resolve } from 'node:path'
import { columnsOfSamples } from './dataset.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { benchmarkNames, findBenchmark } from './benchmarks/index.ts'
import { asCopy } from './benchmarks/hubCopies.ts'
import { readBenchmark } from './benchmarks/locate.ts'
import { fileReadError } from './files.ts'
import { normalizeGroups } from './labels/normalizeGroups.ts'
import { buildDataset, type DatasetAdjustments, type RawDataset } from './build.ts'
import type { Dataset } from './dataset.ts'
import { readFolder } from './classFolders.ts'
import { localFile } from '../lib/storage/localFile.ts'
import { absolutePath, isObjectStoreUrl } from '../lib/storage/storage.ts'
import type { HubDatasetOptions } from './hub/download.ts'
import { readHubDataset } from './hub/read.ts'
import { isHubDatasetName, pinnedName } from './hub/splits.ts'
import { shippedMaps } from './labels/labelMap.ts'
import { findImageTables, isImageTable, readImageFolder } from './metadataFolder.ts'
import { isGeodeTable, readGeodeIndex } from './benchmarks/geode.ts'
import { hashImages } from './imageHashes.ts'
import { readManifest, type ReadManifestOptions } from './manifest.ts'
import { findImageColumn, findParquetFiles, readParquetImages } from './parquetImages.ts'
import { applyRegions, readRegionScheme } from './labels/regions.ts'
import { manifestKinds, readTable, tableKind, unknownTableError } from './readTable.ts'
import { archiveKinds, openTree } from './tree.ts'
import { isWebDataset, readWebDataset } from './webdataset.ts'

/** Names a data set and says how to open it: label map, regions and other adjustments. */
export interface DatasetSpec extends ReadManifestOptions, DatasetAdjustments {
  /**
   * A benchmark's name, with a variant if wanted (`imagenet-c/fog/3`), the path of a manifest, folder or archive, or
   * `hf:OWNER/NAME[@REVISION][:CONFIG/SPLIT]` for a data set of the hub, which is downloaded into the hub cache.
   */
  name: string
  /** The scheme that derives `region` from `country`: a shipped one (`continents-1`) or a file. */
  regions?: string | undefined
  /** Reads the bytes of all images again, also of files that look unchanged. */
  recheck?: boolean | undefined
  /** How a data set of the hub is downloaded; part of no key. */
  hub?: HubDatasetOptions | undefined
}

/**
 * Opens a benchmark by name, or a manifest, folder or archive by path. No image is decoded; the bytes of images are hashed
 * the first time and when their files change. A sample whose file is missing stays in the data set with `bytes: null`.
 *
 * @example
 * const dataset = await openDataset({ name: 'geode', data: './data' })
 */
export async function openDataset(spec: DatasetSpec): Promise<Dataset> {
  const { name, data = '' } = absoluteSpec(spec)
  const place = JSON.stringify([findBenchmark(name) ? name.split('/')[0] : name, data])
  return hashImages(await listDataset(spec), { place, recheck: spec.recheck })
}

/** Opens a data set without reading images, whose bytes its hash then lacks: to list or check it, not to evaluate. */
export async function listDataset(spec: DatasetSpec): Promise<Dataset> {
  const found = findBenchmark(spec.name)
  if (found) refuseUnusedOptions(spec)
  const scheme = spec.regions === undefined ? undefined : await readRegionScheme(spec.regions)
  const read = found
    ? await readBenchmark(found.benchmark, spec.data ?? 'data', {
        variant: found.variant,
        labels: spec.labels,
      })
    : isHubDatasetName(spec.name)
      ? asCopy(await readHubDataset(spec))
      : asCopy(await readDatasetAt(spec))
  const columns = read.columns ?? columnsOfSamples(read.samples)
  const { samples, notes } = normalizeGroups(read.samples, columns)
  const named = findBenchmark(read.name) ?? found
  const expected = (found && named?.benchmark.expectedCounts(named.variant).images) ?? 0
  const refused = (read.problems ?? []).filter(({ code }) => code !== 'missing-part').length
  const draft = {
    ...read,
    samples,
    notes: [...(read.notes ?? []), ...notes],
    absent: Math.max(0, expected - samples.length - refused) || undefined,
  }
  return buildDataset(scheme ? applyRegions(draft, scheme) : draft, spec)
}

/** Makes every path of a specification absolute, for another process. */
export function absoluteSpec(spec: DatasetSpec): DatasetSpec {
  const { name, data, classes, labels, regions } = spec
  const known = findBenchmark(name) !== undefined || isHubDatasetName(name)
  const isFile = labels !== undefined && !['original', 'imagenet', ...shippedMaps].includes(labels)
  return {
    ...spec,
    recheck: undefined,
    hub: undefined,
    name: known ? name : absolutePath(name),
    data: known || data !== undefined ? absolutePath(data ?? 'data') : undefined,
    classes: classes === undefined || classes === 'imagenet-1k' ? classes : resolve(classes),
    labels: isFile ? resolve(labels) : labels,
    regions: regions !== undefined && existsSync(regions) ? resolve(regions) : regions,
  }
}

/** Names the commit that a data set of the hub was read from, so that it is opened as it was. */
export const pinRevision = (spec: DatasetSpec, revision: string | undefined): DatasetSpec =>
  revision === undefined ? spec : { ...spec, name: pinnedName(spec.name, revision) }

/** Copies a manifest that lies in a store; its images stay below its address or below `data`. */
async function readDatasetAt(spec: DatasetSpec): Promise<RawDataset> {
  if (!isObjectStoreUrl(spec.name)) return nameAfterFile(await readPath(spec), spec.name)
  const file = await localFile(spec.name)
  return nameAfterFile(
    await readPath({ data: spec.name.slice(0, spec.name.lastIndexOf('/')), ...spec, name: file }),
    file,
  )
}

/** Names a data set that was given by its path after the file. */
function nameAfterFile(draft: RawDataset, path: string): RawDataset {
  const plain = path.replace(/\.gz$/i, '')
  return draft.name === path ? { ...draft, name: basename(plain, extname(plain)) } : draft
}

/** Refuses options that have no effect on a benchmark. */
function refuseUnusedOptions({ name, map, classes }: DatasetSpec): void {
  const unused = map ? 'column map' : classes === undefined ? undefined : 'classes file'
  if (unused)
    throw inputError(
      'unused-option',
      `${name} is a benchmark and takes no ${unused}; give a manifest's path`,
    )
}

async function readPath(spec: DatasetSpec): Promise<RawDataset> {
  const path = spec.name
  const found = await stat(path).catch((error: unknown) => {
    throw datasetPathError(path, error)
  })
  const kind = tableKind(path)
  if (found.isDirectory() || archiveKinds.includes(kind)) return readTree(path, spec)
  if (!manifestKinds.includes(kind)) throw unknownTableError(path, ['a folder', ...archiveKinds])
  if (kind === '.parquet' && (await findImageColumn(path, spec.map)))
    return readParquetImages([path], spec)
  const table = await readTable(path)
  if (isImageTable(path, table, spec.map))
    return readImageFolder(
      await openTree(spec.data ?? dirname(path)),
      [{ folder: '', name: basename(path), table }],
      spec,
    )
  return isGeodeTable(table.columns) && !spec.map
    ? readGeodeIndex(path, table, spec)
    : readManifest(path, table, spec)
}

/** Reads a folder or archive of WebDataset shards, images with a metadata table, Parquet files or class folders. */
async function readTree(path: string, spec: DatasetSpec): Promise<RawDataset> {
  const tree = await openTree(path)
  if (await isWebDataset(tree)) return readWebDataset(tree, spec)
  const tables = await findImageTables(tree, spec.map)
  if (tables.length > 0) return readImageFolder(tree, tables, spec)
  const { files, notes } = await findParquetFiles(tree, spec.map)
  if (files.length === 0) return readFolder(tree, spec)
  const read = await readParquetImages(files, spec)
  return { ...read, name: path, notes: [...notes, ...(read.notes ?? [])] }
}

/** Returns the error for a path that does not exist; a word without a slash or ending is taken for a benchmark's name. */
function datasetPathError(path: string, error: unknown): Error {
  const { code } = error as NodeJS.ErrnoException
  const isPath = path.includes('/') || path.includes('\\') || extname(path) !== ''
  return code === 'ENOENT' && !isPath
    ? unknownNameError('dataset', path, benchmarkNames)
    : fileReadError(path, error)
}
