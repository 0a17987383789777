import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { downloadUrl, type UrlOptions } from '../../../src/lib/hub/urlDownload.ts'
import {
  type Content,
  digest,
  type Fault,
  listen,
  noiseContent,
  sendContent,
  stop,
  textContent,
} from './fakeHub.ts'

let server: Server
let origin: string
let served: Content
let faults: (n: number) => Fault
let requests: {
  range: string | undefined
  authorization: string | undefined
  ifRange: string | undefined
}[]
let home: string

const weights = noiseContent(1_200_000)
const hash = digest(weights, 'sha256')
const page = 'https://example.org/model'

const get = (
  more: UrlOptions = {},
  env: Record<string, string> = {},
  path = '/release/resnet50-cutmix.pth.tar',
) =>
  downloadUrl(`${origin}${path}`, {
    page,
    network: { stallMs: 400, backoffMs: 5, attempts: 3 },
    env: { GEOGAP_CACHE: home, HF_TOKEN: 'hf_secret', ...env },
    ...more,
  })

beforeAll(async () => {
  server = createServer((request, response) => {
    const { range, authorization, 'if-range': ifRange } = request.headers
    requests.push({ range, authorization, ifRange: ifRange as string | undefined })
    void sendContent(request, response, served, faults(requests.length - 1))
  })
  origin = await listen(server)
})
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-url-'))
  served = weights
  faults = () => ({})
  requests = []
})
afterEach(() => rm(home, { recursive: true }))
afterAll(() => stop(server))

const failure = (promise: Promise<unknown>): Promise<{ message: string; code: string }> =>
  promise.then(
    () => expect.unreachable('no error'),
    (error: unknown) => error as { message: string; code: string },
  )

describe('a published hash', () => {
  it('is checked, also by its first digits, and on every later call', async () => {
    const { path, ...rest } = await get({ sha256: hash.slice(0, 8) })
    expect(rest).toEqual({ sha256: hash, cached: false, trust: 'published' })
    expect(path.startsWith(join(home, 'weights'))).toBe(true)
    expect(path.endsWith('/resnet50-cutmix.pth.tar')).toBe(true)
    expect((await get({ sha256: hash })).cached).toBe(true)
    const bytes = await readFile(path)
    bytes[5]! ^= 1
    await writeFile(path, bytes)
    expect(await get({ sha256: hash })).toMatchObject({ cached: false, sha256: hash })
    expect(requests).toHaveLength(2)
  })

  it('refuses other content after one more try, and keeps nothing', async () => {
    faults = () => ({ flip: 10 })
    const { message, code } = await failure(get({ sha256: hash }))
    expect(code).toBe('bad-download')
    expect(message).toMatch(
      /instead of .*, published; twice, so nothing is kept; get the file by hand \(https:.*--weights FILE$/,
    )
    expect(requests).toHaveLength(2)
    expect(
      await readdir(join(home, 'weights', (await readdir(join(home, 'weights')))[0]!)),
    ).toEqual([])
  })

  it('must look like one', async () => {
    await expect(get({ sha256: 'ABC' })).rejects.toMatchObject({ code: 'bad-hash' })
    await expect(downloadUrl('file:///etc/passwd')).rejects.toMatchObject({ code: 'bad-url' })
  })
})

describe('the hash of the first download', () => {
  it('is kept and compared from then on', async () => {
    const first = await get()
    expect(first).toMatchObject({ sha256: hash, cached: false, trust: 'first-use' })
    expect(await readFile(`${first.path}.sha256`, 'utf8')).toBe(
      `${hash}  resnet50-cutmix.pth.tar\n`,
    )
    expect((await get()).cached).toBe(true)
    expect(requests).toHaveLength(1)

    await rm(first.path)
    served = noiseContent(1_200_001)
    const { message } = await failure(get())
    expect(message).toMatch(
      /sha256 .* instead of .*, of the first download, kept in .*\.sha256; twice/,
    )
    await expect(stat(first.path)).rejects.toThrow('ENOENT')

    served = weights
    expect(await get()).toMatchObject({ sha256: hash, cached: false })
  })

  it('is not taken from a web page', async () => {
    served = textContent('  <!doctype html><title>Quota exceeded</title>')
    const { message } = await failure(get())
    expect(message).toMatch(/it is a web page; twice/)
    expect(
      await readdir(join(home, 'weights', (await readdir(join(home, 'weights')))[0]!)),
    ).toEqual([])
  })

  it('never joins parts of two files', async () => {
    faults = n => (n === 0 ? { cutAfter: 500_000 } : {})
    expect((await get()).sha256).toBe(hash)
    expect(requests.map(({ range }) => range)).toEqual([undefined, undefined])

    requests = []
    faults = n =>
      n === 0 ? { cutAfter: 500_000, headers: { etag: '"a"' } } : { headers: { etag: '"a"' } }
    expect((await get({}, {}, '/other.pth')).sha256).toBe(hash)
    expect(requests[1]).toMatchObject({ ifRange: '"a"' })
    expect(requests[1]!.range).toMatch(/^bytes=\d+-$/)
  })
})

describe('a download that another run left unfinished', () => {
  const etag = { headers: { etag: '"a"' } }
  const kept = async (path: string): Promise<string[]> => (await readdir(dirname(path))).sort()

  it('goes on if the server vouches for the file, and leaves nothing behind', async () => {
    faults = n => ({ ...etag, cutAfter: n === 0 ? 400_000 : 0 })
    expect((await failure(get())).message).toMatch(/after 3 attempts/)
    requests = []
    faults = () => etag
    const { path, sha256 } = await get()
    expect(sha256).toBe(hash)
    expect(requests).toMatchObject([{ range: 'bytes=400000-', ifRange: '"a"' }])
    expect(await kept(path)).toEqual(['resnet50-cutmix.pth.tar', 'resnet50-cutmix.pth.tar.sha256'])
  })

  it('starts anew where the server has another file now, or vouches for none', async () => {
    for (const before of [etag, {}]) {
      faults = n => ({ ...before, cutAfter: n === 0 ? 400_000 : 0 })
      await failure(get())
      requests = []
      served = noiseContent(1_100_000)
      faults = () => ({ headers: { etag: '"b"' }, ignoreRange: true })
      const { path, sha256 } = await get()
      expect(sha256).toBe(digest(served, 'sha256'))
      expect(await kept(path)).toHaveLength(2)
      await rm(dirname(path), { recursive: true })
      served = weights
    }
  })

  it('goes on without a validator where an MD5 is published, also after a process that is gone', async () => {
    const path = join(home, 'noise.tar')
    const left = `${path}.${hostname().replace(/[^\w-]/g, '_')}-4194305-0123abcd.incomplete`
    await writeFile(left, weights.part(0, 500_000))
    const md5 = createHash('md5').update(weights.part(0, weights.size)).digest('hex')
    expect(await get({ path, md5 })).toMatchObject({ sha256: hash })
    expect(requests.map(({ range }) => range)).toEqual(['bytes=500000-'])
    expect((await readdir(home)).sort()).toEqual(['noise.tar', 'noise.tar.sha256'])
  })
})

describe('a dead link', () => {
  it.each([404, 403, 410])('with %i says where the file can be had', async status => {
    faults = () => ({ status })
    const { message, code } = await failure(get())
    expect(code).toBe('url-dead')
    expect(message).toBe(
      `cannot get ${origin}/release/resnet50-cutmix.pth.tar: the server answered ${status}; ` +
        `get the file by hand (${page}) and pass --weights FILE`,
    )
    expect(requests).toHaveLength(1)
  })

  it('to no server says so after some attempts', async () => {
    const dead = downloadUrl('http://127.0.0.1:9/x.pth', {
      network: { backoffMs: 1, attempts: 2 },
      env: { GEOGAP_CACHE: home },
    })
    expect((await failure(dead)).message).toMatch(
      /after 2 attempts; get the file by hand and pass --weights FILE$/,
    )
  })

  it('is not tried when HF_HUB_OFFLINE is set', async () => {
    expect((await failure(get({}, { HF_HUB_OFFLINE: 'yes' }))).message).toMatch(
      /HF_HUB_OFFLINE is set and it is not in/,
    )
    expect(requests).toEqual([])
  })
})

it('sends no token, and downloads once when several ask at once', async () => {
  const results = await Promise.all(Array.from({ length: 5 }, () => get()))
  expect(requests.map(({ authorization }) => authorization)).toEqual([undefined])
  expect(results.filter(({ cached }) => !cached)).toHaveLength(1)
  expect((await readdir(dirname(results[0]!.path))).sort()).toEqual([
    'resnet50-cutmix.pth.tar',
    'resnet50-cutmix.pth.tar.sha256',
  ])
})
