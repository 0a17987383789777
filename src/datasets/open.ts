import { extname, join } from 'node:path'
import { stat } from 'node:fs/promises'
import { inputError, unknownName } from '../errors.ts'
import { finish, type Adjust, type Draft } from './build.ts'
import type { Dataset } from './dataset.ts'
import { isFolder } from './files.ts'
import { readFolder } from './folder.ts'
import { isGeodeTable, readGeode, readGeodeIndex } from './geode.ts'
import type { LabelsOption } from './labelMap.ts'
import { manifestKinds, readManifest, readTable, type ManifestOptions } from './manifest.ts'

export interface DatasetSpec extends ManifestOptions, Adjust {
  /** A benchmark's name, or the path of a manifest or of a folder of class folders. */
  name: string
  labels?: LabelsOption
}

interface Benchmark {
  name: string
  /** Names of its folder below the data folder, tried in order; the data folder itself is tried last. */
  folders: readonly string[]
  read: (folder: string, spec: DatasetSpec) => Promise<Draft>
}

const benchmarks: readonly Benchmark[] = [{ name: 'geode', folders: ['geode', 'GeoDE'], read: readGeode }]

export const datasetNames: readonly string[] = benchmarks.map(b => b.name)

/** Opens a benchmark by name, or a manifest or folder by path; nothing is decoded, each image's file is looked up once. */
export async function openDataset(spec: DatasetSpec): Promise<Dataset> {
  const benchmark = benchmarks.find(b => b.name === spec.name.toLowerCase())
  if (benchmark) return finish(await readBenchmark(benchmark, spec), spec)
  return finish(await readPath(spec), spec)
}

async function readBenchmark(benchmark: Benchmark, spec: DatasetSpec): Promise<Draft> {
  const data = spec.data ?? 'data'
  for (const folder of benchmark.folders) {
    if (await isFolder(join(data, folder))) return benchmark.read(join(data, folder), spec)
  }
  return benchmark.read(data, spec)
}

async function readPath(spec: DatasetSpec): Promise<Draft> {
  const path = spec.name
  const found = await stat(path).catch((error: unknown) => (error as NodeJS.ErrnoException).code)
  if (typeof found === 'string' || found === undefined) throw notFound(path, found)
  if (found.isDirectory()) return readFolder(path, spec)
  if (!manifestKinds.includes(extname(path).toLowerCase())) {
    throw inputError('unknown-format', `unknown data set format: ${path}; known: a folder, ${manifestKinds.join(', ')}`)
  }
  const table = await readTable(path)
  return isGeodeTable(table.columns) && !spec.map ? readGeodeIndex(path, table, spec) : readManifest(path, table, spec)
}

function notFound(path: string, code: string | undefined): Error {
  if (code !== undefined && code !== 'ENOENT')
    return inputError('unreadable-file', `unreadable file: ${path} (${code})`)
  const looksLikePath = path.includes('/') || path.includes('\\') || extname(path) !== ''
  return looksLikePath
    ? inputError('missing-file', `missing file: ${path}`)
    : unknownName('dataset', path, datasetNames)
}
