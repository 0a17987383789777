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

/** Files of a benchmark that are in place, and whether they had to be downloaded. */
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
      `${name} has to be got by hand (${terms}): ${get}, below ${data}; from ${source}`,
    )
  }
  const fetched: FetchedFile[] = []
  for (const download of downloads)
    fetched.push(await fetchDownload(download, data, source, options))
  return fetched
}

async function fetchDownload(
  download: BenchmarkDownload,
  data: string,
  page: string,
  { onProgress, ...rest }: FetchBenchmarkOptions,
): Promise<FetchedFile> {
  const { url, sha256, md5, file, then } = download
  const target = join(data, file)
  if (then === 'gunzip' && (await fileBytes(target)) !== null) return { file: target, cached: true }
  await mkdir(dirname(target), { recursive: true })
  const path = then === 'gunzip' ? `${target}.gz` : target
  const { cached } = await downloadUrl(url, {
    ...rest,
    ...{ page, path },
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(md5 === undefined ? {} : { md5 }),
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
