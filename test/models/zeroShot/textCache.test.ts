import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { towerFolder } from '../../../src/models/zeroShot/textCache.ts'
import { type TextEncoder } from '../../../src/models/zeroShot/textEncoder.ts'
import {
  builtTextEncoder,
  hasUnknownTexts,
  zeroShotHead,
} from '../../../src/models/zeroShot/zeroShotHead.ts'
import { type ZeroShotTask } from '../../../src/models/spec.ts'
import { tiny, width, writeTinyModel } from './tinyEncoder.ts'
import { wordPieceJson } from './wordPiece.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-texts-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const tinyModel = () => writeTinyModel(folder)

/** The tiny model's text tower, which notes how many texts go through it. */
async function countingEncoder(seen: number[]): Promise<TextEncoder> {
  const { file } = await tinyModel()
  const encoder = builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 })
  return {
    ...encoder,
    open: async options => {
      const session = await encoder.open(options)
      let texts = 0
      return {
        embed: (rows, length) => {
          texts += rows.length
          return session.embed(rows, length)
        },
        release: () => {
          seen.push(texts)
          return session.release()
        },
      }
    },
  }
}

describe('embeddings of texts', () => {
  it('are of texts that go through the tower once, whatever list, prompts or language they are in', async () => {
    const { task } = await tinyModel()
    const embeddings = join(folder, 'counted')
    const seen: number[] = []
    const asked = async (change: Partial<ZeroShotTask>): Promise<Float32Array> =>
      zeroShotHead(await countingEncoder(seen), { ...task, embeddings, ...change })
    const first = await asked({})
    expect(seen.splice(0)).toEqual([4])
    expect(await asked({})).toEqual(first)
    expect(await asked({ classNames: ['cafe'], templates: ['{}s'] })).toHaveLength(width)
    expect(seen).toEqual([])
    await asked({ classNames: ['cafe', 'photo', 'cafe'] })
    expect(seen.splice(0)).toEqual([2])
    await asked({ classNames: ['stove', 'photo'], templates: ['a photo of the {}', '{}', '{}s'] })
    expect(seen.splice(0)).toEqual([2])
    expect(await hasUnknownTexts({ ...task, embeddings })).toBe(false)
    expect(await hasUnknownTexts({ ...task, embeddings, templates: ['the {}'] })).toBe(true)
  })

  it('have the values that they have without what is kept, bit for bit', async () => {
    const { file, task } = await tinyModel()
    const encoder = builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 })
    const kept = { ...task, embeddings: join(folder, 'bits') }
    await zeroShotHead(encoder, { ...kept, classNames: ['photo', 'cafe'], templates: ['{}s'] })
    expect(await zeroShotHead(encoder, kept)).toEqual(await zeroShotHead(encoder, task))
    const gone = { encoder: tiny, files: [join(folder, 'gone.safetensors')], imageSize: 224 }
    expect(await zeroShotHead(builtTextEncoder(gone), kept)).toEqual(
      await zeroShotHead(encoder, task),
    )
  })

  it('are computed again where what is kept is damaged or gone', async () => {
    const { task } = await tinyModel()
    const embeddings = join(folder, 'damaged')
    const seen: number[] = []
    const asked = async (): Promise<Float32Array> =>
      zeroShotHead(await countingEncoder(seen), { ...task, embeddings })
    const first = await asked()
    const damages: ((file: string) => Promise<void>)[] = [
      file => truncate(file, 20),
      file => truncate(file, 0),
      file => writeFile(file, 'no rows'),
      async file => {
        const bytes = await readFile(file)
        bytes[bytes.length - 2]! ^= 1
        await writeFile(file, bytes)
      },
      file => rm(file),
    ]
    for (const damage of damages) {
      const [name, ...others] = await readdir(embeddings)
      expect(others).toEqual([])
      await damage(join(embeddings, name!))
      expect(await asked()).toEqual(first)
    }
    expect(seen).toEqual([4, 4, 4, 4, 4, 4])
    await writeFile(join(embeddings, 'half.rows.1.tmp'), 'of a writer that was killed')
    expect(await asked()).toEqual(first)
  })

  it('that cannot be kept are computed each time', async () => {
    const { file, task } = await tinyModel()
    const seen: number[] = []
    const kept = { ...task, embeddings: join(file, 'texts') }
    const head = await zeroShotHead(await countingEncoder(seen), kept)
    expect(await zeroShotHead(await countingEncoder(seen), kept)).toEqual(head)
    expect(seen).toEqual([4, 4])
  })

  it('are kept by several processes at once', async () => {
    const { file, task } = await tinyModel()
    const encoder = builtTextEncoder({ encoder: tiny, files: [file], imageSize: 224 })
    const kept = { ...task, embeddings: join(folder, 'together') }
    const heads = await Promise.all(
      [['stove'], ['cafe'], ['stove', 'cafe'], ['stove', 'cafe']].map(classNames =>
        zeroShotHead(encoder, { ...kept, classNames }),
      ),
    )
    const seen: number[] = []
    expect(await zeroShotHead(await countingEncoder(seen), kept)).toEqual(heads[3])
    expect(seen).toEqual([])
  })

  it('are kept apart by architecture, weights and tokenizer', async () => {
    const { task } = await tinyModel()
    const other = join(folder, 'other.json')
    await writeFile(other, `${wordPieceJson} `)
    const tower = { architecture: 'tiny', hashes: ['aa'], tokenizer: task.tokenizer }
    const folders = await Promise.all([
      towerFolder(folder, tower),
      towerFolder(folder, { ...tower, hashes: ['ab'] }),
      towerFolder(folder, { ...tower, architecture: 'tiny-quickgelu' }),
      towerFolder(folder, { ...tower, tokenizer: other }),
    ])
    expect(new Set(folders).size).toBe(folders.length)
    expect(await towerFolder(folder, { ...tower })).toBe(folders[0])
  })
})
