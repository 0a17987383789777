import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { hubFile } from '../../../src/lib/hub/hub.ts'
import { repo, startHub, textContent } from './fakeHub.ts'

const file = 'weights.bin'
let hub: Awaited<ReturnType<typeof startHub>>
let home: string

const get = (more: Record<string, string> = {}) =>
  hubFile(
    { repo, file },
    {
      env: { HF_HOME: home, HF_ENDPOINT: hub.endpoint, ...more },
      network: { stallMs: 400, backoffMs: 5, attempts: 2 },
    },
  )
const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error as Error).message,
  )

beforeAll(async () => {
  hub = await startHub({ [file]: textContent('weights') }, [file])
})
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-token-'))
  hub.seen.length = 0
  hub.hubFault = () => undefined
})
afterEach(() => rm(home, { recursive: true }))
afterAll(() => hub.close())

describe('the token', () => {
  it('goes to the hub and not to where it redirects', async () => {
    await get({ HF_TOKEN: 'hf_secret' })
    const sent = new Set(
      hub.seen.map(({ server, authorization }) => `${server}: ${authorization ?? 'none'}`),
    )
    expect([...sent].sort()).toEqual(['content: none', 'hub: Bearer hf_secret'])
  })

  it.each([
    ['HF_TOKEN', { HF_TOKEN: ' hf_a\r\n', HUGGING_FACE_HUB_TOKEN: 'hf_b' }, 'hf_c', 'hf_a'],
    ['HUGGING_FACE_HUB_TOKEN', { HF_TOKEN: '', HUGGING_FACE_HUB_TOKEN: 'hf_b' }, 'hf_c', 'hf_b'],
    ['the file of hf auth login', {}, 'hf_c\n', 'hf_c'],
    ['the file after an empty variable', { HF_TOKEN: ' \n' }, 'hf_c', 'hf_c'],
    ['nothing for an empty file', {}, '\n', undefined],
    ['nothing if implicit tokens are off', { HF_HUB_DISABLE_IMPLICIT_TOKEN: 'ON' }, 'c', undefined],
  ])(
    'is that of %s, as huggingface_hub has it',
    async (_, env: Record<string, string>, stored, expected) => {
      await writeFile(join(home, 'token'), stored)
      await get(env)
      const sent = hub.seen.map(({ server, authorization }) => [server, authorization])
      const header = expected === undefined ? undefined : `Bearer ${expected}`
      expect(new Set(sent.map(one => JSON.stringify(one)))).toEqual(
        new Set(
          [
            ['hub', header],
            ['content', undefined],
          ].map(one => JSON.stringify(one)),
        ),
      )
    },
  )

  it('is read from where HF_TOKEN_PATH points, and never shown', async () => {
    const elsewhere = join(home, 'other')
    hub.hubFault = () => ({ status: 403 })
    await writeFile(elsewhere, 'hf_secret')
    expect(await messageOf(get({ HF_TOKEN_PATH: elsewhere }))).toMatch(/other has no access to it$/)
    expect(hub.seen[0]!.authorization).toBe('Bearer hf_secret')
    for (const token of ['hf_secret\u0001', 'hf_sécret', 'hf_secret two'])
      expect(await messageOf(get({ HF_TOKEN: token }))).toBe(
        'the token of HF_TOKEN has spaces or characters that no token has; set HF_TOKEN to the token alone',
      )
    hub.hubFault = () => ({ status: 401, headers: { 'x-error-message': 'Invalid credentials' } })
    expect(await messageOf(get({ HF_TOKEN_PATH: elsewhere }))).toMatch(
      /^the token of .*other is not valid at http:.*: set HF_TOKEN, or run hf auth/,
    )
    expect(await messageOf(get({ HF_TOKEN_PATH: home }))).toMatch(
      /token in .* cannot be read \(EISDIR\); make the file readable, or set HF_TOKEN/,
    )
  })

  it('is asked for where a model is gated', async () => {
    hub.hubFault = () => ({ status: 401, headers: { 'x-error-code': 'GatedRepo' } })
    const message = await messageOf(get())
    expect(message).toMatch(
      /acme\/model is gated or private \(401\): accept its terms at http.*acme\/model, and run hf auth login, or set HF_TOKEN/,
    )
    hub.hubFault = () => ({ status: 403 })
    expect(await messageOf(get({ HF_TOKEN: 'x' }))).toMatch(
      /the account of the token in HF_TOKEN has no access/,
    )
  })
})
