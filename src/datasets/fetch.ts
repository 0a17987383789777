import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { inputError } from '../lib/errors.ts'
import { writeDurably } from '../lib/files.ts'
import { downloadUrl, type UrlOptions } from '../lib/hub/download.ts'
import { type BenchmarkDownload } from './benchmarks/benchmark.ts'
import { requireBenchmark } from './benchmarks/benchmarks.ts'
import { fileBytes } from './files.ts'

export interface FetchBenchmarkOptions extends Pick<UrlOptions, 'network' | 'env'> {
  onProgress?: (file: string, done: number, total: number | undefined) => void
}

/** A file of a benchmark, and whether it was there already. */
export interface FetchedFile {
  file: string
  cached: boolean
}

/**
 * Downloads a benchmark's files below `data`, where `openDataset` finds them; what is there is not downloaded again.
 * @throws GeogapError `by-hand`, with what to do, for a benchmark whose terms a person has to accept
 * @example
 * await fetchBenchmark('imagenet-v2', './data')
 */
export async function fetchBenchmark(
  name: string,
  data: string,
  options: FetchBenchmarkOptions = {},
): Promise<FetchedFile[]> {
  const { downloads, howToGet: get, source, terms } = requireBenchmark(name).benchmark
  if (downloads.length === 0) {
    throw inputError(
      'by-hand',
      `${name} has to be got by hand from ${source} (${terms}): ${get}, below ${data}`,
    )
  }
  const fetched: FetchedFile[] = []
  for (const download of downloads)
    fetched.push(await fetchDownload(download, data, { ...options, page: source }))
  return fetched
}

async function fetchDownload(
  { url, sha256, md5, file, then }: BenchmarkDownload,
  data: string,
  { onProgress, ...options }: FetchBenchmarkOptions & Pick<UrlOptions, 'page'>,
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
    await writeDurably(target, temporary =>
      pipeline(createReadStream(path), createGunzip(), createWriteStream(temporary)),
    )
    await rm(path)
    await rm(`${path}.sha256`, { force: true })
  }
  return { file: target, cached }
}
