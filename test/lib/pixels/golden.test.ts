import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { createCropper } from '../../../src/lib/pixels/crop.ts'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'
import {
  centerCrop,
  imagenetMean,
  imagenetStd,
  normalize,
  resize,
  type PreprocessingStep,
} from '../../../src/lib/pixels/steps.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'

interface Case {
  file: string
  decoded_rgb_sha256: string
  note: string
}

const folder = sharedPath('golden/preprocessing')
const cases = shared ? (JSON.parse(readFileSync(`${folder}/cases.json`, 'utf8')) as Case[]) : []
const last = normalize(imagenetMean, imagenetStd)
const recipes: Record<string, PreprocessingStep[]> = {
  resize256_bilinear_crop224: [resize(256, 'bilinear'), centerCrop(224), last],
  resize224_bicubic_crop224: [resize(224, 'bicubic'), centerCrop(224), last],
}
describe.skipIf(!shared)(
  'golden preprocessing (left out: the shared golden cases are not here)',
  () => {
    it.each(cases)('decodes $file to the same bytes', async ({ file, decoded_rgb_sha256 }) => {
      const { data } = await decodeImage(readFileSync(`${folder}/sources/${file}`))
      expect(createHash('sha256').update(data).digest('hex')).toBe(decoded_rgb_sha256)
    })

    const crops = Object.keys(recipes).flatMap(recipe =>
      cases.filter(({ note }) => note === '').map(({ file }) => ({ file, recipe })),
    )
    it.each(crops)('crops $file by $recipe to the same bytes', async ({ file, recipe }) => {
      const crop = await (
        await createCropper(recipes[recipe]!)
      )(readFileSync(`${folder}/sources/${file}`))
      const expected = await sharp(`${folder}/expected/${file}.${recipe}.png`)
        .removeAlpha()
        .raw()
        .toBuffer()
      expect(
        expected.every((value, i) => crop[(i % 3) * 224 * 224 + Math.floor(i / 3)] === value),
      ).toBe(true)
    })

    it.each(shared ? readdirSync(`${folder}/bad`) : [])(
      'refuses bad/%s with a code, in little memory',
      async file => {
        const before = process.memoryUsage().rss
        await expect(decodeImage(readFileSync(`${folder}/bad/${file}`))).rejects.toMatchObject({
          kind: 'data',
          code: expect.stringMatching(/^[a-z-]+$/) as string,
        })
        expect(process.memoryUsage().rss - before).toBeLessThan(500e6)
      },
    )
  },
)
