import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import sharp from 'sharp'
import { beforeAll, describe, expect, it } from 'vitest'
import { encode } from '../../src/graph/onnx.ts'
import { decode } from '../../src/preprocessing/decode.ts'
import { centerCrop, imagenetMean, imagenetStd, normalize, resize, type Step } from '../../src/preprocessing/steps.ts'
import { cropFeeds, cropGraph } from '../../src/preprocessing/toGraph.ts'
import { shared, sharedPath } from '../shared.ts'

interface Case {
  file: string
  decoded_rgb_sha256: string
  note: string
}

const folder = sharedPath('golden/preprocessing')
const cases = shared ? (JSON.parse(readFileSync(`${folder}/cases.json`, 'utf8')) as Case[]) : []
const last = normalize(imagenetMean, imagenetStd)
const recipes: Record<string, Step[]> = {
  resize256_bilinear_crop224: [resize(256, 'bilinear'), centerCrop(224), last],
  resize224_bicubic_crop224: [resize(224, 'bicubic'), centerCrop(224), last],
}
/** The two files whose rounding differs more often; see the README of the golden cases. */
const worst = 0.025

describe.skipIf(!shared)('golden preprocessing (left out: the shared golden cases are not here)', () => {
  const sessions = new Map<string, InferenceSession>()

  beforeAll(async () => {
    for (const [name, steps] of Object.entries(recipes)) {
      const model = encode(cropGraph(steps), {
        bind: () => {
          throw new Error('no parameters')
        },
      })
      sessions.set(name, await InferenceSession.create(model))
    }
  })

  it.each(cases.filter(({ note }) => note === ''))(
    'decodes $file to the same bytes',
    async ({ file, decoded_rgb_sha256 }) => {
      const { data } = await decode(readFileSync(`${folder}/sources/${file}`))
      expect(createHash('sha256').update(data).digest('hex')).toBe(decoded_rgb_sha256)
    },
  )

  const crops = Object.keys(recipes).flatMap(recipe =>
    cases.filter(({ note }) => note === '').map(({ file }) => ({ file, recipe })),
  )
  const shares: number[] = []
  it.each(crops)('crops $file by $recipe', async ({ file, recipe }) => {
    const { data, height, width } = await decode(readFileSync(`${folder}/sources/${file}`))
    const feeds = Object.entries(cropFeeds(recipes[recipe]!, height, width)).map(([name, values]) => [
      name,
      new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length]),
    ])
    const image = new Tensor('uint8', data, [1, height, width, 3])
    const { crop } = await sessions
      .get(recipe)!
      .run({ image, ...(Object.fromEntries(feeds) as Record<string, Tensor>) })
    const expected = await sharp(`${folder}/expected/${file}.${recipe}.png`).removeAlpha().raw().toBuffer()
    const off = [0, 0, 0]
    for (let c = 0; c < 3; c++) {
      for (let i = 0; i < 224 * 224; i++) {
        const difference = Math.abs(Number(crop!.data[c * 224 * 224 + i]) - expected[i * 3 + c]!)
        if (difference > 0) off[Math.min(difference, 3) - 1]! += 1
      }
    }
    const share = off.map(count => count / (3 * 224 * 224))
    shares.push(share[0]!)
    expect(share[2]).toBe(0)
    expect(share[1]).toBeLessThanOrEqual(0.0001)
    expect(share[0]).toBeLessThanOrEqual(worst)
  })

  it('stays under 0.6 % off by one on all but two sources', () => {
    expect(shares.filter(share => share > 0.006).length).toBeLessThanOrEqual(2 * Object.keys(recipes).length)
  })

  it.each(shared ? readdirSync(`${folder}/bad`) : [])('refuses bad/%s with a code, in little memory', async file => {
    const before = process.memoryUsage().rss
    await expect(decode(readFileSync(`${folder}/bad/${file}`))).rejects.toMatchObject({
      kind: 'data',
      code: expect.stringMatching(/^[a-z-]+$/) as string,
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(500e6)
  })
})
