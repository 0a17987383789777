import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { GeogapError, inputError, networkError } from '../lib/errors.ts'
import { writeDurably } from '../lib/files.ts'
import { isInflateError } from '../lib/pixels/png.ts'
import { asStorageError } from '../lib/hub/resumableDownload.ts'
import { downloadUrl, type UrlOptions } from '../lib/hub/urlDownload.ts'
import { type BenchmarkDownload, byHandText } from './benchmarks/benchmark.ts'
import { requireBenchmark } from './benchmarks/index.ts'
import { fileBytes } from './files.ts'
import { downloadHubSplit, type HubDatasetOptions, selectHubSplit } from './hub/download.ts'
import { isHubDatasetName } from './hub/splits.ts'

export interface FetchBenchmarkOptions extends Pick<
  HubDatasetOptions,
  'network' | 'env' | 'onTerms'
> {
  onProgress?: (file: string, done: number, total: number | undefined) => void
}

/** A file of a benchmark, and whether it was there already. */
export interface FetchedFile {
  file: string
  cached: boolean
}

/**
 * Downloads a benchmark's files below `data`, where `openDataset` finds them, or a data set of the hub into the hub cache: one
 * that is named `hf:OWNER/NAME`, or the copy of a benchmark whose official source is not a direct download. What is there is
 * not downloaded again.
 * @throws GeogapError `by-hand`, with instructions, for a benchmark whose copy the hub does not give
 * @example
 * await fetchBenchmark('imagenet-v2', './data')
 */
export async function fetchBenchmark(
  name: string,
  data: string,
  options: FetchBenchmarkOptions = {},
): Promise<FetchedFile[]> {
  if (isHubDatasetName(name)) return fetchHubDataset(name, options)
  const { benchmark } = requireBenchmark(name)
  const { downloads, source, terms, hub } = benchmark
  if (hub)
    return fetchHubDataset(hub.name, options).catch((error: unknown) => {
      if (!(error instanceof GeogapError) || !['input', 'network'].includes(error.kind)) throw error
      throw inputError(
        'by-hand',
        `${hub.name}: ${error.message}; ${name} can be downloaded by hand (${terms}): ${byHandText(benchmark, data)}`,
        error,
      )
    })
  const fetched: FetchedFile[] = []
  let isTold = false
  const onStart = (): void => {
    if (!isTold) options.onTerms?.(`${name}: terms: ${terms}; see ${source}`)
    isTold = true
  }
  for (const download of downloads)
    fetched.push(await fetchDownload(download, data, { ...options, page: source, onStart }))
  return fetched
}

async function fetchHubDataset(
  name: string,
  { onProgress, ...options }: FetchBenchmarkOptions,
): Promise<FetchedFile[]> {
  const selection = await selectHubSplit(name, options)
  const { folder, split, companions, missing } = selection
  await downloadHubSplit(selection, { ...options, onDownload: onProgress })
  const missingPaths = new Set(missing.map(({ path }) => path))
  return [...companions, ...split.files].map(({ path }) => ({
    file: join(folder, path),
    cached: !missingPaths.has(path),
  }))
}

async function fetchDownload(
  { url, sha256, md5, file, then }: BenchmarkDownload,
  data: string,
  { onProgress, ...options }: FetchBenchmarkOptions & Pick<UrlOptions, 'page' | 'onStart'>,
): Promise<FetchedFile> {
  const target = join(data, file)
  if (then === 'gunzip' && (await fileBytes(target)) !== null) return { file: target, cached: true }
  await mkdir(dirname(target), { recursive: true })
  const path = then === 'gunzip' ? `${target}.gz` : target
  const { cached } = await downloadUrl(url, {
    ...options,
    path,
    sha256,
    md5,
    progress: (done, total) => onProgress?.(file, done, total),
  })
  if (then === 'gunzip') {
    const remove = async (): Promise<void> => {
      await rm(path, { force: true })
      await rm(`${path}.sha256`, { force: true })
    }
    await writeDurably(target, temporary =>
      pipeline(createReadStream(path), createGunzip(), createWriteStream(temporary)),
    ).catch(async (error: unknown) => {
      if (!isInflateError(error)) throw asStorageError(target, error)
      await remove()
      throw networkError(
        'bad-download',
        `${path} was damaged, and is removed: fetch it again`,
        error,
      )
    })
    await remove()
  }
  return { file: target, cached }
}
