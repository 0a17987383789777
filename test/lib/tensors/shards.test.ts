import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { shardFiles } from '../../../src/lib/tensors/shards.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-shards-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe('an index of shards', () => {
  const filesOf = async (content: unknown): Promise<string[]> => {
    const file = join(folder, 'model.safetensors.index.json')
    await writeFile(file, JSON.stringify(content))
    return shardFiles(file)
  }

  it('stands for its files, each once', async () => {
    const index = { metadata: {}, weight_map: { a: 'one.bin', b: 'two.bin', c: 'one.bin' } }
    const files = [join(folder, 'one.bin'), join(folder, 'two.bin')]
    expect(await filesOf(index)).toEqual(files)
    expect(await shardFiles('model.safetensors')).toEqual(['model.safetensors'])
  })

  it('is refused if it is none or names files elsewhere', async () => {
    for (const content of [{}, 3, { weight_map: { a: '../one.bin' } }, { weight_map: { a: 5 } }])
      await expect(filesOf(content)).rejects.toThrow(/no index of shards in its own folder/)
    await expect(shardFiles(join(folder, 'none.index.json'))).rejects.toThrow(/no index of shards/)
  })
})
