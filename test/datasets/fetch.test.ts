import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BenchmarkDownload } from '../../src/datasets/benchmarks/benchmark.ts'
import { benchmarks } from '../../src/datasets/benchmarks/index.ts'
import { fetchBenchmark } from '../../src/datasets/fetch.ts'

const content = Buffer.from('an archive')
const md5 = createHash('md5').update(content).digest('hex')
const served: string[] = []
let server: Server
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-fetch-'))
  server = createServer((request, response) => {
    served.push(request.url!)
    response.end(request.url === '/packed' ? gzipSync(content) : content)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})

afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true, force: true })
})

/** Has the benchmark's downloads come from the server for the time of `work`. */
async function withDownloads(
  name: string,
  downloads: (base: string) => BenchmarkDownload[],
  work: () => Promise<void>,
): Promise<void> {
  const benchmark = benchmarks.find(known => known.name === name)! as {
    downloads: readonly BenchmarkDownload[]
  }
  const before = benchmark.downloads
  benchmark.downloads = downloads(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await work().finally(() => (benchmark.downloads = before))
}

describe('fetchBenchmark', () => {
  it('brings files to where data sets are looked for, once', async () => {
    const downloads = (base: string): BenchmarkDownload[] => [
      { url: `${base}/plain`, file: 'imagenet-a.tar', md5 },
      { url: `${base}/packed`, file: 'sub/unpacked.tar', then: 'gunzip' },
    ]
    await withDownloads('imagenet-a', downloads, async () => {
      const terms: string[] = []
      const onTerms = (text: string): void => {
        expect(served).toHaveLength(0)
        terms.push(text)
      }
      const first = await fetchBenchmark('imagenet-a', folder, { onTerms })
      expect(terms).toHaveLength(1)
      expect(terms[0]).toMatch(/^imagenet-a: terms: MIT.*; see https:/)
      expect(first.map(({ cached }) => cached)).toEqual([false, false])
      expect(await readFile(join(folder, 'imagenet-a.tar'))).toEqual(content)
      expect(await readFile(join(folder, 'sub/unpacked.tar'))).toEqual(content)
      const before = served.length
      const again = await fetchBenchmark('imagenet-a', folder, {
        onTerms: () => terms.push('again'),
      })
      expect(terms).toHaveLength(1)
      expect(again.map(({ cached }) => cached)).toEqual([true, true])
      expect(served).toHaveLength(before)
    })
  })

  it('keeps nothing of a file with another hash', async () => {
    const downloads = (base: string): BenchmarkDownload[] => [
      { url: `${base}/wrong`, file: 'wrong.tar', md5: '0'.repeat(32) },
    ]
    await withDownloads('imagenet-a', downloads, async () => {
      await expect(fetchBenchmark('imagenet-a', folder)).rejects.toThrow(/md5 .* instead of 0000/)
    })
    await expect(stat(join(folder, 'wrong.tar'))).rejects.toThrow('ENOENT')
  })

  it('says what to do by hand, and what exists', async () => {
    await expect(
      fetchBenchmark('geode', folder, { env: { HF_HUB_OFFLINE: '1', HF_HOME: folder } }),
    ).rejects.toThrow(
      /HF_HUB_OFFLINE is set .*; geode can be downloaded by hand .*https:.*geode\.zip/,
    )
    await expect(fetchBenchmark('geodo', folder)).rejects.toThrow(
      'unknown dataset: geodo; nearest: geode',
    )
  })
})
