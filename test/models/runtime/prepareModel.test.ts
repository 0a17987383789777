import { createServer } from 'node:http'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { resolveModel } from '../../../src/models/catalog.ts'
import { prepareModel } from '../../../src/models/runtime/prepareModel.ts'
import { type WeightSource } from '../../../src/models/spec.ts'
import { listen, repo, startHub, stop, textContent } from '../../lib/hub/fakeHub.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-ready-'))
  vi.stubEnv('HF_HOME', home)
  vi.stubEnv('GEOGAP_CACHE', home)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

const withWeights = (weights: WeightSource) => ({ ...resolveModel('resnet50'), weights })

it('takes the file that older repositories have where the usual one is absent', async () => {
  const hub = await startHub({ 'pytorch_model.bin': textContent('old weights') }, [
    'pytorch_model.bin',
  ])
  try {
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
    const source = { from: 'hub', repo, file: 'model.safetensors' } as const
    const { model, bytes } = await prepareModel(
      withWeights({ ...source, otherwise: 'pytorch_model.bin' }),
    )
    expect(await readFile(model.files[0]!, 'utf8')).toBe('old weights')
    expect(bytes).toBe(11)
    await expect(prepareModel(withWeights(source))).rejects.toThrow('model.safetensors')
    const again = withWeights({ ...source, otherwise: 'pytorch_model.bin' })
    vi.stubEnv('HF_HUB_OFFLINE', '1')
    expect((await prepareModel(again)).model).toEqual(model)
    await rm(join(home, 'hub'), { recursive: true })
    await expect(prepareModel(again)).rejects.toThrow(
      /^HF_HUB_OFFLINE is set and model\.safetensors of/,
    )
  } finally {
    await hub.close()
  }
})

it('downloads every file of a model that has several', async () => {
  const server = createServer((request, response) => response.end(`content of ${request.url!}`))
  const origin = await listen(server)
  try {
    const files = [{ url: `${origin}/backbone.pth` }, { url: `${origin}/head.pth` }]
    const { model } = await prepareModel(
      withWeights({ from: 'url', files, page: 'https://example.org' }),
    )
    const texts = await Promise.all(model.files.map(file => readFile(file, 'utf8')))
    expect(texts).toEqual(['content of /backbone.pth', 'content of /head.pth'])
  } finally {
    await stop(server)
  }
})

it('says where a person gets what no program can download', async () => {
  await expect(prepareModel(resolveModel('resnet50cutmix'))).rejects.toThrow(
    /get model_best\.pth\.tar from https:\/\/www\.dropbox\.com\/\S+ and give it with --weights FILE/,
  )
})
