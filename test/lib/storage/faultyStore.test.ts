import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect as connectTcp } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { readImage } from '../../../src/datasets/readImage.ts'
import { downloadBytes } from '../../../src/lib/hub/urlDownload.ts'
import { localFile } from '../../../src/lib/storage/localFile.ts'
import { headObject, listObjects, readObject, s3Storage } from '../../../src/lib/storage/s3.ts'
import { listen, stop } from '../hub/fakeHub.ts'

const quick = { stallMs: 300, backoffMs: 5, attempts: 4 }
vi.mock('../../../src/lib/hub/http.ts', async original => ({
  ...(await original<object>()),
  storeNetworkSettings: { stallMs: 300, backoffMs: 5, attempts: 4 },
}))

const content = Buffer.from(Array.from({ length: 4000 }, (_, i) => i % 251))

type Fault = (response: ServerResponse, request: IncomingMessage) => void

/** Answers as a store does, after as many faults as the list has. */
const faults: Fault[] = []
let seen: string[]
let stored: Buffer | undefined
let folder: string
const server = createServer((request, response) => {
  seen.push(`${request.method} ${request.headers.range ?? ''}`.trim())
  const fault = faults.shift()
  const body: Buffer[] = []
  request.on('data', (chunk: Buffer) => body.push(chunk))
  request.on('end', () => {
    if (request.method === 'PUT') {
      put(Buffer.concat(body), request, response, fault)
      return
    }
    if (fault) fault(response, request)
    else answer(response, request)
  })
})

function put(
  body: Buffer,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): void {
  if (request.headers['if-none-match'] === '*' && stored)
    return void response.writeHead(412, { 'content-length': 0 }).end()
  stored = body
  if (fault) fault(response, request)
  else response.writeHead(200, { 'content-length': 0 }).end()
}

function answer(response: ServerResponse, { headers, method, url }: IncomingMessage): void {
  if (url!.includes('list-type')) {
    const object = '<Contents><Key>a</Key><Size>4000</Size><ETag>"a"</ETag></Contents>'
    const text = `<ListBucketResult><IsTruncated>false</IsTruncated>${object}</ListBucketResult>`
    return void response.writeHead(200, { 'content-length': text.length }).end(text)
  }
  const whole = stored ?? content
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '') ?? []
  const part = first === undefined ? whole : whole.subarray(+first, +last! + 1)
  response.writeHead(first === undefined ? 200 : 206, {
    'content-length': part.length,
    etag: '"a"',
    'content-range': `bytes ${first ?? 0}-${Number(first ?? 0) + part.length - 1}/4000`,
  })
  response.end(method === 'HEAD' ? undefined : part)
}

const status =
  (code: number, headers: Record<string, string | number> = {}): Fault =>
  response =>
    void response.writeHead(code, { 'content-length': 0, ...headers }).end()
const silent: Fault = () => undefined
const reset: Fault = response => void response.socket!.resetAndDestroy()
const stallInBody: Fault = response => {
  response.writeHead(200, { 'content-length': 4000 })
  response.write(content.subarray(0, 2000))
}
const drip: Fault = response => {
  response.writeHead(200, { 'content-length': 4000 })
  const timer = setInterval(() => response.write('x'), 50)
  response.on('close', () => clearInterval(timer))
}
const cutInBody: Fault = response => {
  response.writeHead(200, { 'content-length': 4000 })
  response.write(content.subarray(0, 2000), () => response.destroy())
}
const resetInBody: Fault = response => {
  response.writeHead(200, { 'content-length': 4000 })
  response.write(content.subarray(0, 2000), () => response.socket!.resetAndDestroy())
}
/** Ends the body early without a length; only the range that was asked for tells. */
const shortChunked: Fault = response => {
  response.writeHead(206, {
    'transfer-encoding': 'chunked',
    'content-range': 'bytes 100-299/4000',
  })
  response.end(content.subarray(100, 200))
}
const notHttp: Fault = response => void response.socket!.end('nonsense\r\n\r\n')

const passing = {
  silent,
  reset,
  stallInBody,
  drip,
  cutInBody,
  resetInBody,
  notHttp,
  500: status(500),
  503: status(503),
  408: status(408),
  '429 to wait': status(429),
  '503 with Retry-After': status(503, { 'retry-after': 0 }),
  '429 with a date': status(429, { 'retry-after': new Date(Date.now() + 50).toUTCString() }),
} satisfies Record<string, Fault>

let origin: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-faulty-'))
  origin = await listen(server)
  vi.stubEnv('AWS_ENDPOINT_URL', origin)
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'test')
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'test')
  vi.stubEnv('GEOGAP_CACHE', folder)
})
beforeEach(() => {
  faults.length = 0
  seen = []
  stored = undefined
})
afterAll(async () => {
  vi.unstubAllEnvs()
  await stop(server)
  await rm(folder, { recursive: true })
})

const url = 's3://bucket/a'

describe.each(Object.entries(passing))('%s', (name, fault) => {
  it('costs the store a second request, in every reader', async () => {
    const range = { kind: 'range', file: url, offset: 100, length: 200 } as const
    const readers: [() => Promise<unknown>, unknown][] = [
      [() => readObject(url), content],
      [() => readImage({ kind: 'file', file: url }), content],
      [() => readImage(range), content.subarray(100, 300)],
      [async () => (await listObjects('s3://bucket/'))[0]!.bytes, 4000],
      [async () => (await headObject(url))!.bytes, 4000],
    ]
    for (const [read, expected] of readers) {
      seen = []
      faults.push(fault)
      const found = await read()
      expect(found instanceof Uint8Array ? Buffer.from(found) : found).toEqual(expected)
      expect(faults).toEqual([])
    }
    faults.push(fault)
    expect(await downloadBytes(`${origin}/file`, 1e6, quick)).toEqual(content)
  })

  it('ends every reader after four attempts, never as a fault of the image', async () => {
    const always = (): number => faults.push(...Array<Fault>(4).fill(fault))
    always()
    await expect(readImage({ kind: 'file', file: url })).rejects.toMatchObject({
      kind: 'network',
      code: 'store-unreachable',
      message: expect.stringMatching(/^cannot read s3:\/\/bucket\/a: .*after 4 attempts/) as string,
    })
    expect(seen).toHaveLength(4)
    always()
    await expect(localFile(url)).rejects.toMatchObject({ kind: 'network' })
    faults.length = 0
    always()
    await expect(downloadBytes(`${origin}/file`, 1e6, quick)).rejects.toMatchObject({
      kind: 'network',
      code: 'not-downloaded',
    })
  }, 20_000)
})

it('a range that ends early is asked for again, an object that is shorter is damage of the archive', async () => {
  faults.push(shortChunked)
  const range = { kind: 'range', file: url, offset: 100, length: 200 } as const
  expect(Buffer.from(await readImage(range))).toEqual(content.subarray(100, 300))
  expect(seen).toEqual(['GET bytes=100-299', 'GET bytes=100-299'])
  await expect(readImage({ ...range, offset: 3900 })).rejects.toMatchObject({
    kind: 'data',
    code: 'damaged-archive',
  })
})

it('what no repetition mends is not repeated', async () => {
  for (const [code, expected] of [
    [403, 'store-denied'],
    [501, 'no-conditional-put'],
  ] as const) {
    seen = []
    faults.push(status(code))
    await expect(readObject(url)).rejects.toMatchObject({ kind: 'storage', code: expected })
    expect(seen).toHaveLength(1)
  }
  faults.push(status(404))
  expect(await readObject(url)).toBeUndefined()
})

it('a text is created once, also when the answer of its upload is lost', async () => {
  const store = s3Storage('s3://bucket')
  faults.push(reset)
  expect(await store.create('a', 'mine')).toBe(true)
  expect(seen).toEqual(['PUT', 'PUT', 'GET'].slice(0, seen.length))
  expect(stored!.toString()).toBe('mine')
  expect(await store.create('a', 'other')).toBe(false)
})

it('a port that nobody listens at is said', async () => {
  const probe = createServer()
  const dead = await listen(probe)
  await stop(probe)
  await expect(
    new Promise((resolve, reject) =>
      connectTcp(+new URL(dead).port, '127.0.0.1').on('error', reject).on('connect', resolve),
    ),
  ).rejects.toThrow('ECONNREFUSED')
  await expect(downloadBytes(`${dead}/x`, 1e6, quick)).rejects.toThrow(
    /ECONNREFUSED.*after 4 attempts/,
  )
})
