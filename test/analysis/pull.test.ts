import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { writePack } from '../../src/analysis/pack.ts'
import { pullPack } from '../../src/analysis/pull.ts'
import { openRun } from '../../src/results/run.ts'
import { store } from './stored.ts'

vi.mock('../../src/lib/hub/http.ts', async original => ({
  ...(await original<object>()),
  defaultNetworkSettings: { stallMs: 1000, backoffMs: 5, attempts: 3 },
}))

let folder: string
let bytes: Buffer

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-pull-'))
  await store(folder, [{ id: 'a', label: 'stove', correct: true, groups: { region: 'Asia' } }], {
    dataset: 'geode',
  })
  bytes = await writePack(await openRun(folder))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

it('takes a pack by address or file, and says what it holds and under which terms', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/cut.pack') {
      response.writeHead(200, { 'content-length': 1e6 }).write(bytes)
      setTimeout(() => response.destroy(), 50)
      return
    }
    response.statusCode = request.url === '/testbed.pack' ? 200 : 404
    response.end(request.url === '/testbed.pack' ? bytes : 'no')
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const target = join(folder, 'here.pack')
  const text = await pullPack(`${address}/testbed.pack`, target)
  expect(text).toContain('here.pack: 1 model, 1 evaluation')
  expect(text).toMatch(/SHA-256 [0-9a-f]{64}\ngeode: .+/)
  expect(await readFile(target)).toEqual(bytes)
  await expect(pullPack(`${address}/other`, target)).rejects.toThrow('the server answered 404')
  await expect(pullPack(`${address}/cut.pack`, target)).rejects.toThrow(
    `cannot download ${address}/cut.pack: `,
  )
  server.close()
  expect(await pullPack(target, join(folder, 'again.pack'))).toContain('again.pack: 1 model,')
})

it('says that no pack has a name yet', async () => {
  await expect(pullPack('testbed')).rejects.toThrow(
    'no pack goes by the name testbed: none is published yet',
  )
})

it('leaves nothing behind of a file that is no pack', async () => {
  const [bad, target] = [join(folder, 'bad'), join(folder, 'never.pack')]
  await writeFile(bad, 'no pack')
  await expect(pullPack(bad, target)).rejects.toThrow('not a pack of this version')
  await expect(readFile(target)).rejects.toThrow()
})

it('shows the terms of a stranger as text', async () => {
  const file = join(folder, 'evil.pack')
  const pack = JSON.parse(gunzipSync(bytes).toString()) as object
  const terms = [{ dataset: 'geode', terms: '\u001b[2Jfree', source: 'x' }]
  await writeFile(file, gzipSync(JSON.stringify({ ...pack, terms })))
  expect(await pullPack(file, join(folder, 'taken.pack'))).toContain('geode: \ufffd[2Jfree\n')
})
