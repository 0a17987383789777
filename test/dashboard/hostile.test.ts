import { rm } from 'node:fs/promises'
import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelOutcomes } from '../../src/dashboard/answers.ts'
import { type Overview } from '../../src/dashboard/views.ts'
import { readDatasetRecords } from '../../src/results/records.ts'
import { serve, type DashboardServer } from '../../src/dashboard/serve.ts'
import { makeWorld, secret, type World } from './world.ts'

let world: World
let served: DashboardServer
let cookie: string
let content: string

interface Reply {
  status: number
  body: string
  headers: Record<string, string | string[] | undefined>
}

interface Sent {
  method?: string
  path?: string
  headers?: Record<string, string>
}

const port = (): string => new URL(served.url).port

/** Sends exactly what is given, as a browser would not. */
const send = ({ method = 'GET', path = '/', headers = {} }: Sent): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: port(), method, path, headers }, reply => {
      const parts: Buffer[] = []
      reply.on('data', (part: Buffer) => parts.push(part))
      reply.on('end', () =>
        resolve({
          status: reply.statusCode!,
          body: Buffer.concat(parts).toString('latin1'),
          headers: reply.headers,
        }),
      )
    })
    sent.on('upgrade', () => reject(new Error('the server agreed to an upgrade')))
    sent.on('error', reject)
    sent.end()
  })

const known = (more: Sent = {}): Promise<Reply> =>
  send({ ...more, headers: { cookie, ...more.headers } })

beforeAll(async () => {
  world = await makeWorld()
  served = await serve(world.results, {
    client: await emptyClient(world.folder),
    images: [world.data],
  })
  const { pathname, search } = new URL(served.url)
  const first = await send({ path: pathname + search })
  expect([first.status, first.headers['location']]).toEqual([303, '/'])
  const [given = ''] = first.headers['set-cookie'] as string[]
  expect(given).toMatch(/; HttpOnly; SameSite=Strict$/)
  cookie = given.split(';')[0]!
  content = [...(await readDatasetRecords(world.results)).values()].find(
    ({ name }) => name === 'street',
  )!.hash
  const overview = JSON.parse((await known({ path: '/data/overview.json' })).body) as Overview
  const { folder } = overview.datasets.find(({ name }) => name === 'street')!
  const { file } = overview.models.find(({ name }) => name === 'resnet50')!
  counts = `/data/${folder}/counts.json`
  outcomes = `/data/${folder}/${file}.json`
  const { body } = await known({ path: outcomes })
  images = `/data/${folder}/${(JSON.parse(body) as ModelOutcomes).images}.json`
})

async function emptyClient(folder: string): Promise<string> {
  const { mkdir, writeFile } = await import('node:fs/promises')
  await mkdir(`${folder}/client`)
  await writeFile(`${folder}/client/index.html`, '<!doctype html><title>geogap</title>')
  return `${folder}/client`
}

afterAll(async () => {
  await served.close()
  await rm(world.folder, { recursive: true })
})

/** Paths of data files; the hashes in them are set once the server runs. */
let counts = ''
let outcomes = ''
let images = ''
const answersOf = (ids: unknown, model = 'resnet50', dataset = 'street'): string =>
  `/api/answers?${new URLSearchParams({ dataset, model, ids: JSON.stringify(ids) }).toString()}`
const answers = answersOf(['street/5.png'])
const long = 'a'.repeat(2000)
const thumb = (id: string, more = ''): string =>
  `/thumb?content=${encodeURIComponent(content)}&id=${encodeURIComponent(id)}${more}`

describe('the dashboard', () => {
  it('answers its own page', async () => {
    for (const path of [
      '/',
      '/data/overview.json',
      '/data/progress.json',
      counts,
      outcomes,
      images,
      answers,
    ]) {
      expect([path, (await known({ path })).status]).toEqual([path, 200])
    }
    const picture = await known({ path: thumb('street/5.png') })
    expect([picture.status, picture.headers['content-type']]).toEqual([200, 'image/webp'])
  })

  it('listens on this machine alone', async () => {
    const others = Object.values(networkInterfaces()).flatMap(
      all => all?.filter(({ internal }) => !internal) ?? [],
    )
    for (const { address } of others.filter(({ family }) => family === 'IPv4')) {
      const asked = fetch(`http://${address}:${port()}/`, { signal: AbortSignal.timeout(2000) })
      await expect(asked).rejects.toThrow()
    }
    expect(new URL(served.url).hostname).toBe('127.0.0.1')
    expect(new URL(served.url).searchParams.get('token')).toMatch(/^[\w-]{32}$/)
  })

  it('forbids pages to load anything from elsewhere, and others to show or read it', async () => {
    const { headers } = await known({ path: '/' })
    expect(headers['content-security-policy']).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(headers['x-content-type-options']).toBe('nosniff')
    expect(headers['cross-origin-resource-policy']).toBe('same-origin')
    for (const path of ['/', counts, thumb('street/5.png')]) {
      const names = Object.keys(
        (await known({ path, headers: { origin: `http://127.0.0.1:${port()}` } })).headers,
      )
      expect(names.filter(name => name.startsWith('access-control'))).toEqual([])
    }
  })

  const own = (): string => `127.0.0.1:${port()}`
  const hostile: [string, () => Sent | (Sent & { bare: true })][] = [
    ...[
      ...[
        'evil.example',
        'evil.example:80',
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        '169.254.169.254',
      ],
      ...[
        '127.0.0.1@evil.example',
        'LOCALHOST.evil',
        '0.0.0.0',
        '[::]',
        'localhost:1:2',
        'xn--lcalhost-b7a',
      ],
    ].map((host): [string, () => Sent] => [
      `host ${host}`,
      () => ({ path: counts, headers: { host } }),
    ]),
    ...[
      'http://evil.example',
      'null',
      'https://127.0.0.1',
      'http://127.0.0.1:1',
      'file://',
      'http://localhost.evil',
    ].map((origin): [string, () => Sent] => [
      `origin ${origin}`,
      () => ({ path: counts, headers: { origin, host: own() } }),
    ]),
    ...['cross-site', 'same-site', 'anything'].map((site): [string, () => Sent] => [
      `sec-fetch-site ${site}`,
      () => ({ path: answers, headers: { 'sec-fetch-site': site } }),
    ]),
    ...['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE'].map(
      (method): [string, () => Sent] => [`method ${method}`, () => ({ path: counts, method })],
    ),
    [
      'websocket',
      () => ({
        path: '/data/progress.json',
        headers: {
          connection: 'Upgrade',
          upgrade: 'websocket',
          'sec-websocket-version': '13',
          'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          origin: 'http://evil.example',
        },
      }),
    ],
    [
      'websocket of the own page',
      () => ({
        path: '/data/progress.json',
        headers: { connection: 'Upgrade', upgrade: 'websocket' },
      }),
    ],
    [
      'event source',
      () => ({
        path: '/data/progress.json',
        headers: { accept: 'text/event-stream', origin: 'http://evil.example' },
      }),
    ],
    ['no cookie', () => ({ path: counts, bare: true })],
    ['no cookie for the page', () => ({ path: '/', bare: true })],
    ['no cookie for a picture', () => ({ path: thumb('street/5.png'), bare: true })],
    ['wrong token', () => ({ path: '/?token=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', bare: true })],
    ['empty token', () => ({ path: '/?token=', bare: true })],
    ['token twice', () => ({ path: '/?token=a&token=b', bare: true })],
    [
      'token elsewhere',
      () => ({ path: `${counts}?${new URL(served.url).search.slice(1)}`, bare: true }),
    ],
    [
      'wrong cookie',
      () => ({ path: counts, bare: true, headers: { cookie: `geogap-${port()}=wrong` } }),
    ],
    [
      'cookie of another name',
      () => ({ path: counts, bare: true, headers: { cookie: cookie.replace('geogap', 'other') } }),
    ],
    [
      'token as cookie',
      () => ({
        path: counts,
        bare: true,
        headers: { cookie: `geogap-${port()}=${new URL(served.url).search.slice(7)}` },
      }),
    ],
    ...[
      ...[
        '/../package.json',
        '/..%2f..%2fetc/passwd',
        '/%2e%2e/%2e%2e/etc/passwd',
        '//etc/passwd',
        '/assets/../../x',
      ],
      ...[
        '/index.html%00.png',
        '/..\\..\\windows',
        '/data/3.png',
        '/predictions',
        '/api',
        '/api/unknown',
        '/data/overview',
        '/data/overview.json/x',
        '/data/unknown.json',
        '/data/../predictions.json',
        '/data/__proto__/counts.json',
      ],
    ].map((path): [string, () => Sent] => [`path ${path}`, () => ({ path })]),
    ...[
      ...['page=-1', 'page=9999999', 'outcome=everything', 'order=id', 'region=Africa'],
      ...[`model=${long}`, 'model=a&model=b', 'ids[]=1', '__proto__=1', 'constructor=1'],
    ].map((text): [string, () => Sent] => [
      `answers ${text.slice(0, 40)}`,
      () => ({ path: `${answers}&${text}` }),
    ]),
    ...[
      ...['a', { id: 'a' }, null, [1], [null], [['street/5.png']]],
      ...[Array.from({ length: 25 }, () => 'street/5.png'), [long]],
    ].map((ids): [string, () => Sent] => [
      `ids ${JSON.stringify(ids).slice(0, 40)}`,
      () => ({ path: answersOf(ids) }),
    ]),
    ['ids that are no JSON', () => ({ path: '/api/answers?dataset=street&model=resnet50&ids=[' })],
    ['a data file with a parameter', () => ({ path: `${counts}?region=Africa` })],
    ['unknown data set', () => ({ path: answersOf([], 'resnet50', '../x') })],
    ['a prototype as data set', () => ({ path: answersOf([], 'resnet50', '__proto__') })],
    ['SQL as model', () => ({ path: answersOf([], "x' OR '1'='1") })],
    ['no parameters', () => ({ path: '/api/answers' })],
    ['picture behind a link', () => ({ path: thumb('street/0.png') })],
    ['missing picture', () => ({ path: thumb('street/1.png') })],
    ['a file that is no picture', () => ({ path: thumb('street/2.png') })],
    ['picture by its path', () => ({ path: thumb('../outside/private.png') })],
    ['picture by an absolute path', () => ({ path: thumb('/etc/passwd') })],
    ['picture by SQL', () => ({ path: thumb("x' OR true --") })],
    [
      'picture of another data set',
      () => ({ path: '/thumb?content=../../datasets/x&id=street/5.png' }),
    ],
    ['picture with a pattern', () => ({ path: '/thumb?content=*&id=street/5.png' })],
    ['picture with one parameter more', () => ({ path: thumb('street/5.png', '&width=9') })],
  ]

  it(`has ${hostile.length} hostile requests to stand`, () => {
    expect(hostile.length).toBeGreaterThanOrEqual(60)
  })

  it.each(hostile)('refuses: %s', async (_, make) => {
    const { bare, ...sent } = make() as Sent & { bare?: true }
    const { status, body } = await (bare ? send(sent) : known(sent))
    expect(status).toBeGreaterThanOrEqual(400)
    expect(status).toBeLessThan(500)
    for (const told of ['Africa', 'Kenya', '"n":', '"items"', 'RIFF', secret, world.folder])
      expect(body).not.toContain(told)
  })

  it('finds nothing by SQL in an id, for values are bound', async () => {
    for (const id of ["' OR 1=1 --", 'x" OR "1"="1', "Africa'; DROP TABLE x"]) {
      const { status, body } = await known({ path: answersOf([id]) })
      expect([status, JSON.parse(body)]).toEqual([200, { status: [null], top: [null], p: [null] }])
    }
  })

  it('answers 304 to a page that has a data file', async () => {
    const { headers } = await known({ path: counts })
    const etag = String(headers['etag'])
    const again = await known({ path: counts, headers: { 'if-none-match': etag } })
    expect([again.status, again.body]).toEqual([304, ''])
  })
})
