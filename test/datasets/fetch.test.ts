import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
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
    const packed = gzipSync(content)
    const answers: Record<string, Buffer> = {
      '/packed': packed,
      '/cut': packed.subarray(0, 20),
      '/empty': Buffer.alloc(0),
    }
    response.writeHead(request.url === '/busy' ? 500 : 200)
    response.end(answers[request.url!] ?? content)
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

  it('keeps nothing of a packed file that is damaged, of an empty one and of none', async () => {
    const network = { attempts: 2, backoffMs: 1 }
    const below = join(folder, 'damaged')
    for (const [page, message] of [
      ['cut', /cut\.tar\.gz was damaged, and is removed: fetch it again/],
      ['empty', /it is empty; twice, so nothing is kept/],
      ['busy', /the server answered 500, after 2 attempts/],
    ] as const) {
      const downloads = (base: string): BenchmarkDownload[] => [
        { url: `${base}/${page}`, file: `${page}.tar`, then: 'gunzip' },
      ]
      await withDownloads('imagenet-a', downloads, async () => {
        await expect(fetchBenchmark('imagenet-a', below, { network })).rejects.toThrow(message)
      })
      expect(await readdir(below)).toEqual([])
    }
  })

  it('takes a file that was put there, unless its MD5 is another, and then states the terms', async () => {
    const below = join(folder, 'by-hand')
    await mkdir(below)
    await writeFile(join(below, 'a.tar'), 'mine')
    await writeFile(join(below, 'b.tar'), content)
    await writeFile(join(below, 'c.tar'), 'part')
    const downloads = (base: string): BenchmarkDownload[] => [
      { url: `${base}/a`, file: 'a.tar' },
      { url: `${base}/b`, file: 'b.tar', md5 },
      { url: `${base}/c`, file: 'c.tar', md5 },
    ]
    served.length = 0
    const terms: string[][] = []
    const onTerms = (text: string): void => void terms.push([text.slice(0, 10), ...served])
    await withDownloads('imagenet-a', downloads, async () => {
      const fetched = await fetchBenchmark('imagenet-a', below, { onTerms })
      expect(fetched.map(({ cached }) => cached)).toEqual([true, true, false])
    })
    expect([terms, served]).toEqual([[['imagenet-a']], ['/c']])
    expect(await readFile(join(below, 'c.tar'))).toEqual(content)
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
