import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { builtPath } from '../../../scripts/built.ts'
import { hubFile, type HubOptions } from '../../../src/lib/hub/hub.ts'
import { peakMemory } from '../../helpers/memory.ts'
import { commit, digest, noiseContent, repo, startHub, textContent } from './fakeHub.ts'

/** GEOGAP_LARGE_MB=500 sends a file of that size through the cuts. */
const megabytes = Number(process.env.GEOGAP_LARGE_MB ?? 24)
const large = noiseContent(megabytes * 2 ** 20 + 321)
const medium = noiseContent(1_500_000)
const config = textContent('{"model_type": "acme"}\n')

let hub: Awaited<ReturnType<typeof startHub>>
let home: string
const quick = { stallMs: 400, backoffMs: 5, attempts: 4 }

const options = (more: Record<string, string> = {}): HubOptions => ({
  env: { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...more },
  network: quick,
})
const cache = (...path: string[]) => join(home, 'hub', 'models--acme--model', ...path)
const get = (file: string, more?: Record<string, string>, revision?: string) =>
  hubFile({ repo, file, ...(revision ? { revision } : {}) }, options(more))
const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => {
      expect(error).toMatchObject({ name: 'GeogapError' })
      return (error as Error).message
    },
  )

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

async function expectOnly(...blobs: string[]): Promise<void> {
  expect((await readdir(cache('blobs')).catch(() => [])).sort()).toEqual(blobs.sort())
}

const weights = { file: 'model.safetensors', etag: digest(medium, 'sha256') }

beforeAll(async () => {
  const files = { 'model.safetensors': medium, 'large.bin': large, 'sub/config.json': config }
  hub = await startHub(files, ['model.safetensors', 'large.bin'])
})
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-hub-'))
  hub.seen.length = 0
  hub.faults = () => undefined
  hub.hubFault = () => undefined
})
afterEach(() => rm(home, { recursive: true }))
afterAll(() => hub.close())

describe('the cache', () => {
  it('has the standard layout', async () => {
    const result = await get(weights.file)
    expect(result).toEqual({
      path: cache('snapshots', commit, weights.file),
      commit,
      cached: false,
    })
    expect(await readlink(result.path)).toBe(`../../blobs/${weights.etag}`)
    expect(await realpath(result.path)).toBe(await realpath(cache('blobs', weights.etag)))
    expect(await readFile(cache('refs', 'main'), 'utf8')).toBe(commit)
    expect(await sha256(result.path)).toBe(weights.etag)
    await expectOnly(weights.etag)
    expect((await readdir(join(home, 'hub'))).sort()).toEqual(['.locks', 'models--acme--model'])
  })

  it('names small files by their git hash and links them from folders', async () => {
    const { path } = await get('sub/config.json')
    expect(await readFile(path, 'utf8')).toBe('{"model_type": "acme"}\n')
    expect(await readlink(path)).toBe(`../../../blobs/${digest(config, 'git-sha1')}`)
  })

  it('serves a pinned commit without asking, a branch with one question and no body', async () => {
    await get(weights.file)
    hub.seen.length = 0
    expect((await get(weights.file, {}, commit)).cached).toBe(true)
    expect(hub.seen).toEqual([])
    expect((await get(weights.file)).cached).toBe(true)
    expect(hub.seen.map(({ method }) => method)).toEqual(['HEAD'])
  })

  it('uses a file that Python tools put there', async () => {
    await mkdir(cache('blobs'), { recursive: true })
    await writeFile(cache('blobs', weights.etag), medium.part(0, medium.size))
    expect((await get(weights.file)).cached).toBe(true)
    expect(hub.bodies()).toEqual([])
  })

  it('follows HF_HUB_CACHE and HF_HUB_OFFLINE', async () => {
    const elsewhere = join(home, 'elsewhere')
    const offline = { HF_HUB_CACHE: elsewhere, HF_HUB_OFFLINE: '1' }
    expect(await messageOf(get(weights.file, offline))).toMatch(
      /^HF_HUB_OFFLINE is set and model.safetensors of acme/,
    )
    expect(hub.seen).toEqual([])
    const { path } = await get(weights.file, { HF_HUB_CACHE: elsewhere })
    expect(dirname(path)).toBe(join(elsewhere, 'models--acme--model', 'snapshots', commit))
    expect(await get(weights.file, offline)).toEqual({ path, commit, cached: true })
  })

  it('falls back to the last known commit when the hub is away', async () => {
    const { path } = await get(weights.file)
    expect(await get(weights.file, { HF_ENDPOINT: 'http://127.0.0.1:9' })).toEqual({
      path,
      commit,
      cached: true,
    })
    expect(await messageOf(get('sub/config.json', { HF_ENDPOINT: 'http://127.0.0.1:9' }))).toMatch(
      /after 4 attempts/,
    )
  })

  it('follows a repository to its new name', async () => {
    hub.hubFault = ({ path }) =>
      path.startsWith('/acme/old/')
        ? { status: 307, headers: { location: path.replace('old', 'model') } }
        : undefined
    const { path } = await hubFile({ repo: 'acme/old', file: weights.file }, options())
    expect(await sha256(path)).toBe(weights.etag)
    expect(path).toContain('models--acme--old')
  })

  it('refuses names that lead outside', async () => {
    const names = [
      { repo: '../x', file: 'a' },
      { repo: 'a/b/c', file: 'a' },
      { repo, file: '../../a' },
      { repo, file: '/etc/passwd' },
      { repo, file: 'a\\b' },
      { repo, file: 'a', revision: '../main' },
    ]
    for (const name of names)
      await expect(hubFile(name, options())).rejects.toMatchObject({ code: 'bad-hub-name' })
    expect(hub.seen).toEqual([])
  })
})

describe('answers that no repetition mends', () => {
  it('names the file, the repository or the revision that is not there', async () => {
    expect(await messageOf(get('nothing.bin'))).toBe(
      'no file nothing.bin in repository acme/model at revision main',
    )
    const other = hubFile({ repo: 'acme/none', file: weights.file }, options())
    expect(await messageOf(other)).toMatch(/^no repository acme\/none at http/)
    hub.hubFault = () => ({ status: 404, headers: { 'x-error-code': 'RevisionNotFound' } })
    expect(await messageOf(get(weights.file, {}, 'v9'))).toBe(
      'repository acme/model has no revision v9',
    )
    expect(hub.seen).toHaveLength(3)
  })

  it('refuses an endpoint that is no hub', async () => {
    hub.hubFault = () => ({ status: 204 })
    expect(await messageOf(get(weights.file))).toMatch(/no commit or hash in the answer/)
  })
})

describe('faults on the way', () => {
  it(`joins a file of ${megabytes} MB that is cut 20 times`, { timeout: 600_000 }, async () => {
    let seed = 7
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) / 0x7fffffff
    hub.faults = n => (n < 20 ? { cutAfter: Math.floor((random() * large.size) / 20) } : undefined)
    const progress: number[] = []
    const before = process.memoryUsage.rss()
    const started = performance.now()
    const { path } = await hubFile(
      { repo, file: 'large.bin' },
      { ...options(), progress: done => progress.push(done) },
    )
    const seconds = (performance.now() - started) / 1000
    const peak = (peakMemory() - before) / 2 ** 20
    if (process.env.GEOGAP_FIGURES)
      console.log({ megabytes, seconds, peakMB: peak, bodies: hub.bodies().length })
    expect(await sha256(path)).toBe(digest(large, 'sha256'))
    expect(hub.bodies()).toHaveLength(21)
    expect(
      hub
        .bodies()
        .slice(1)
        .filter(({ range }) => range === undefined).length,
    ).toBeLessThanOrEqual(1)
    expect(progress.at(-1)).toBe(large.size)
    expect(progress.every((done, i) => i === 0 || done >= progress[i - 1]!)).toBe(true)
  })

  it('fetches once more when a bit is flipped, and keeps nothing when it is flipped again', async () => {
    hub.faults = n => (n === 0 ? { flip: 777_777 } : undefined)
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(hub.bodies()).toHaveLength(2)
    await rm(cache(), { recursive: true })
    hub.faults = () => ({ flip: 777_777 })
    expect(await messageOf(get(weights.file))).toMatch(
      /^wrong content from .*: sha256 [0-9a-f]{64} instead of .* twice/,
    )
    expect(hub.bodies()).toHaveLength(4)
    await expectOnly()
    expect(await readdir(cache('snapshots')).catch(() => 'absent')).toBe('absent')
  })

  it('checks small files too', async () => {
    hub.hubFault = ({ method }) => (method === 'GET' ? { flip: 3 } : undefined)
    expect(await messageOf(get('sub/config.json'))).toMatch(/git-sha1 .* instead of/)
    await expectOnly()
  })

  it.each([medium.size - 1000, medium.size + 1000])('refuses a file of %i bytes', async size => {
    hub.faults = () => ({ size })
    expect(await messageOf(get(weights.file))).toMatch(
      new RegExp(`${size} bytes instead of ${medium.size}; twice`),
    )
    await expectOnly()
  })

  it('begins again when a range request is answered with 200', async () => {
    hub.faults = n => (n === 0 ? { cutAfter: 600_000 } : { ignoreRange: true })
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(hub.bodies()[1]!.range).toMatch(/^bytes=\d+-$/)
    expect(hub.bodies()).toHaveLength(2)
  })

  it('begins again when a part is not the one asked for', async () => {
    const wrong = { headers: { 'content-range': `bytes 5-9/${medium.size}` } }
    hub.faults = n => [{ cutAfter: 600_000 }, wrong][n]
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
  })

  it('waits out 503, of the hub and of the content server, and gives up in the end', async () => {
    hub.hubFault = () => (hub.seen.length < 3 ? { status: 503 } : undefined)
    hub.faults = n => (n < 2 ? { status: 503, headers: { 'retry-after': '0' } } : undefined)
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    await rm(cache(), { recursive: true })
    hub.faults = () => ({ status: 503 })
    expect(await messageOf(get(weights.file))).toMatch(
      /cannot download .*: the server answered 503, after 4 attempts/,
    )
    await rm(cache(), { recursive: true })
    hub.hubFault = () => ({ status: 500 })
    expect(await messageOf(get(weights.file))).toMatch(/the server answered 500, after 4 attempts/)
  })

  it('connects anew after a stall, and goes on where it was', async () => {
    hub.faults = n => (n === 0 ? { stallAfter: 900_000 } : undefined)
    const started = performance.now()
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(Number(/\d+/.exec(hub.bodies()[1]!.range!)![0])).toBeGreaterThan(0)
    await rm(cache(), { recursive: true })
    hub.faults = () => ({ stallAfter: 0 })
    expect(await messageOf(get(weights.file))).toMatch(/hardly a byte for 0.4 s, after 4 attempts/)
  })

  it('goes on in a later run where an ended process stopped', async () => {
    await mkdir(cache('blobs'), { recursive: true })
    const host = hostname().replace(/[^\w-]/g, '_')
    const left = cache('blobs', `${weights.etag}.${host}-4194305-0123abcd.incomplete`)
    const foreign = cache('blobs', `${weights.etag}.elsewhere-1-0123abcd.incomplete`)
    await writeFile(left, medium.part(0, 1_000_000))
    await writeFile(foreign, 'of a process of another machine')
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(hub.bodies().map(({ range }) => range)).toEqual(['bytes=1000000-'])
    await expectOnly(weights.etag, `${weights.etag}.elsewhere-1-0123abcd.incomplete`)
  })

  it('keeps what it has when attempts run out, and goes on from there', async () => {
    hub.faults = n => (n === 0 ? { cutAfter: 1_000_000 } : { status: 503 })
    expect(await messageOf(get(weights.file))).toMatch(/after 4 attempts/)
    hub.faults = () => undefined
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(hub.bodies().at(-1)!.range).toMatch(/^bytes=[1-9]\d+-$/)
    await expectOnly(weights.etag)
  })

  it('says so when the cache cannot be written', async () => {
    await writeFile(join(home, 'hub'), 'a file where a folder should be')
    await expect(get(weights.file)).rejects.toMatchObject({ name: 'GeogapError', kind: 'storage' })
  })
})

describe('many processes', () => {
  const child = builtPath('test/lib/hub/hub.child.ts')

  it('download once when 8 ask at once', async () => {
    const env = { ...process.env, HF_HOME: home, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: '' }
    hub.faults = () => ({ headers: { connection: 'close' } })
    const args = [child, repo, 'large.bin']
    const runs = Array.from({ length: 8 }, () =>
      promisify(execFile)(process.execPath, args, { env }),
    )
    const results = (await Promise.all(runs)).map(
      ({ stdout }) => JSON.parse(stdout) as { path: string; cached: boolean },
    )
    expect(hub.bodies()).toHaveLength(1)
    expect(results.filter(({ cached }) => !cached)).toHaveLength(1)
    expect(new Set(results.map(({ path }) => path)).size).toBe(1)
    expect(await sha256(results[0]!.path)).toBe(digest(large, 'sha256'))
    await expectOnly(digest(large, 'sha256'))
  })

  it('go on where a killed one stopped', async () => {
    hub.faults = n => (n === 0 ? { stallAfter: 1_000_000 } : undefined)
    const env = { ...process.env, HF_HOME: home, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: '' }
    const args = [child, repo, weights.file]
    const killed = execFile(process.execPath, args, { env })
    const left = async (): Promise<number> => {
      const names = await readdir(cache('blobs')).catch(() => [])
      return names[0] === undefined ? 0 : (await stat(cache('blobs', names[0]))).size
    }
    while ((await left()) < 1_000_000) await new Promise(done => setTimeout(done, 20))
    const ended = new Promise(done => killed.once('exit', done))
    killed.kill('SIGKILL')
    await ended
    expect(await sha256((await get(weights.file)).path)).toBe(weights.etag)
    expect(hub.bodies().map(({ range }) => range)).toEqual([undefined, 'bytes=1000000-'])
    await expectOnly(weights.etag)
  })

  it('download once when 8 calls of one process ask at once', async () => {
    const results = await Promise.all(Array.from({ length: 8 }, () => get(weights.file)))
    expect(hub.bodies()).toHaveLength(1)
    expect(results.filter(({ cached }) => !cached)).toHaveLength(1)
  })

  const lock = () =>
    join(home, 'hub', '.locks', 'models--acme--model', `${weights.etag}.geogap.lock`)

  it('take over the lock of a process that is gone, and an untouched one', async () => {
    await mkdir(dirname(lock()), { recursive: true })
    await writeFile(lock(), `${hostname()} 4194305 some token`)
    await get(weights.file)
    await rm(cache(), { recursive: true })
    await writeFile(lock(), 'elsewhere 1 some token')
    const old = new Date(Date.now() - 120_000)
    await utimes(lock(), old, old)
    await get(weights.file)
    await expect(stat(lock())).rejects.toThrow('ENOENT')
  })

  it('replace a link whose blob is gone', async () => {
    const { path } = await get(weights.file)
    await rm(cache('blobs', weights.etag))
    expect((await lstat(path)).isSymbolicLink()).toBe(true)
    expect((await get(weights.file, {}, commit)).cached).toBe(false)
    expect(await sha256(path)).toBe(weights.etag)
  })
})
