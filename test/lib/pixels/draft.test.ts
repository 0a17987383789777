import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { modelSteps, stepsFor } from '../../../src/evaluate/plan.ts'
import { createCropper } from '../../../src/lib/pixels/cropper.ts'
import { cropGeometryOf } from '../../../src/lib/pixels/geometry.ts'
import {
  centerCrop,
  draft,
  imagenetMean,
  imagenetStd,
  normalize,
  resize,
} from '../../../src/lib/pixels/steps.ts'

const last = normalize(imagenetMean, imagenetStd)
const recipe = {
  mean: imagenetMean,
  std: imagenetStd,
  interpolation: 'bicubic',
  cropPct: 0.875,
  size: 224,
} as const

/** JPEG files of 64 × 48 pixels and SHA-256 of [3, side, side] from the middle of what Pillow 13's `Image.draft` decodes, by reduction. */
const stored = JSON.parse(readFileSync(new URL('./drafts.json', import.meta.url), 'utf8')) as {
  sampling: string
  jpeg: string
  crops: Record<string, string>
}[]

/** Waves that are smooth to the eye, with values far from black and white. */
function waves(width: number, height: number, period: number): Sharp {
  const data = Buffer.alloc(3 * width * height)
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)]
    data[i] = 128 + 70 * Math.sin((2 * Math.PI * (x + (1 + (i % 3)) * y)) / period)
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
}

const farthest = (a: Uint8Array, b: Uint8Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0)

describe('drafts of JPEG files', () => {
  const cases = stored.flatMap(({ sampling, jpeg, crops }) =>
    Object.entries(crops).map(([by, hash]) => ({ sampling, jpeg, by: Number(by), hash })),
  )
  it.each(cases)('are the pixels of Pillow’s, $sampling at 1/$by', async ({ jpeg, by, hash }) => {
    const crop = await createCropper([
      draft(1),
      resize(48 / by, 'bilinear'),
      centerCrop(48 / by),
      last,
    ])
    const made = await crop(Buffer.from(jpeg, 'base64'))
    expect(createHash('sha256').update(made).digest('hex')).toBe(hash)
  })

  it('are means of squares, as of files of other formats, and nearly the crops of whole images', async () => {
    const cropping = [resize(24, 'bicubic'), centerCrop(20), last]
    const [whole, reduced] = [
      await createCropper(cropping),
      await createCropper([draft(2), ...cropping]),
    ]
    const side = fc.integer({ min: 48, max: 450 })
    await fc.assert(
      fc.asyncProperty(
        side,
        side,
        fc.constantFrom('4:2:0', '4:4:4'),
        async (width, height, chromaSubsampling) => {
          const image = waves(width, height, 4 * Math.min(width, height))
          const [plain, progressive] = await Promise.all(
            [false, true].map(progressive =>
              image.clone().jpeg({ quality: 95, progressive, chromaSubsampling }).toBuffer(),
            ),
          )
          const png = await sharp(plain).png().toBuffer()
          const crop = await reduced(plain!)
          expect(farthest(crop, await reduced(progressive!))).toBeLessThan(3)
          expect(farthest(crop, await reduced(png))).toBeLessThan(3)
          expect(farthest(crop, await whole(plain!))).toBeLessThan(4)
        },
      ),
      { numRuns: 40 },
    )
  })
})

describe('a draft', () => {
  it.each([
    [1023, 4000, 1],
    [1024, 1024, 2],
    [3000, 2047, 2],
    [2048, 3000, 4],
    [9000, 4096, 8],
  ])(
    'of %i × %i pixels reduces by the most that leaves twice the target: %i',
    (height, width, reduction) => {
      expect(
        cropGeometryOf(stepsFor(recipe, 'paper-draft', undefined), height, width).reduction,
      ).toBe(reduction)
      expect(cropGeometryOf(stepsFor(recipe, 'paper', undefined), height, width).reduction).toBe(1)
    },
  )

  it('is not made of images that keep their size or lose a border', () => {
    for (const prepare of [
      { border: 0, resize: false },
      { border: 2, resize: true },
    ])
      expect(stepsFor(recipe, 'native-draft', prepare)).toEqual(stepsFor(recipe, 'native', prepare))
  })

  it('is no part of the steps that a model trained from drafts remembers', () => {
    expect(modelSteps(recipe, 'paper-draft')).toEqual(modelSteps(recipe, 'paper'))
    expect(stepsFor(recipe, 'paper-draft', undefined)).toEqual([
      draft(2),
      ...modelSteps(recipe, 'paper'),
    ])
  })

  it('has its crop where the whole image’s is, to a tenth of a pixel of that', () => {
    const centers = (mode: 'paper' | 'paper-draft', height: number, width: number): number[] => {
      const { across, down, reduction } = cropGeometryOf(
        stepsFor(recipe, mode, undefined),
        height,
        width,
      )
      return [across, down].flatMap(({ bounds, weights, maxTaps: room, first }) =>
        [0, 100, 223].map(i => {
          const taps = Array.from(
            { length: bounds[2 * i + 1]! },
            (_, k) => weights[i * room + k]! / 2 ** 22,
          )
          const at = taps.reduce(
            (sum, weight, k) => sum + weight * (first + bounds[2 * i]! + k + 0.5),
            0,
          )
          return at * reduction
        }),
      )
    }
    for (const [height, width] of [
      [3000, 4001],
      [2049, 2999],
      [4219, 4097],
    ] as const)
      // prettier-ignore
      for (const [i, center] of centers('paper-draft', height, width).entries())
        expect(Math.abs(center - centers('paper', height, width)[i]!)).toBeLessThan(0.1)
  })
})
