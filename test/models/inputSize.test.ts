import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { nativeSteps, describeSteps } from '../../src/lib/pixels/steps.ts'
import { resizeGrid } from '../../src/lib/tensors/resizeGrid.ts'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import { findModel, resolveModel } from '../../src/models/catalog.ts'
import { initialWeights } from '../../src/models/initialWeights.ts'
import { findModelRow, matchingRows } from '../../src/models/listing.ts'
import { loadModel } from '../../src/models/runtime/loadModel.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { selectModels } from '../../src/models/select.ts'

const folder = await mkdtemp(join(tmpdir(), 'geogap-size-'))
afterAll(() => rm(folder, { recursive: true }))

const stepsOf = (name: string): string =>
  describeSteps(nativeSteps(resolveModel(name).recipe)).split(' normalize')[0]!

it('runs a model at the size and crop of timm’s validation', () => {
  expect(stepsOf('resnet50.a3_in1k')).toBe('resize(168, bicubic) centerCrop(160)')
  expect(stepsOf('resnet50.a3_in1k:test')).toBe('resize(235, bicubic) centerCrop(224)')
  expect(resolveModel('resnet50.a3_in1k:test').name).toBe('resnet50.a3_in1k:test')
  expect(findModelRow('resnet50.a3_in1k')!.testInput).toBe(224)
  expect(findModelRow('resnet50.a3_in1k:test')!.input).toBe(224)
  expect(matchingRows('resnet50.a3_in1k:test')).toEqual([findModelRow('resnet50.a3_in1k:test')])
  expect(matchingRows('resnet50:test').map(({ model }) => model)).toEqual(['resnet50.a1_in1k:test'])
})

it('runs a model at any size that its architecture takes', () => {
  expect(stepsOf('resnet50.a1_in1k:320')).toBe('resize(336, bicubic) centerCrop(320)')
  expect(resolveModel('resnet50.a1_in1k:224').name).toBe('resnet50.a1_in1k')
  expect(resolveModel('resnet50:320@runs/best.pth')).toMatchObject({
    name: 'resnet50@best:320',
    weights: { files: ['runs/best.pth'] },
  })
  expect(resolveModel('clip:ViT-B-32-quickgelu/openai:256').recipe.size).toBe(256)
})

it.each([
  ['vit_base_patch16_224.augreg_in1k:test', /has no test size.*at its own 224 pixels/],
  ['beit_base_patch16_224.in22k_ft_in22k_in1k:256', /takes images of 224 pixels a side only/],
  ['swin_tiny_patch4_window7_224.ms_in1k:256', /takes images of 224 pixels a side only/],
  ['resnet50.a1_in1k:9', /16 to 2,048 pixels/],
  ['resnet5000:test', /unknown model/],
])('refuses %s', (name, message) => {
  expect(() => resolveModel(name)).toThrow(message)
  expect(findModel(name)).toBeUndefined()
})

it('means with a size behind a pattern the models that have it', async () => {
  const names = await selectModels(['seresnet50.*:test'])
  expect(names).toContain('seresnet50.a3_in1k:test')
  expect(names.every(name => resolveModel(name).testRecipe)).toBe(true)
  const family = await selectModels(['family:resnet'])
  expect(await selectModels(['family:resnet:256'])).toEqual(family.map(name => `${name}:256`))
})

it.each([
  {
    from: [0, 1, 2, 3, 5, 8, 13, 21, 34],
    target: 4,
    expected: [
      [-0.20623, 0.37447, 1.19179, 1.73335],
      [1.11568, 1.82553, 3.04832, 4.01746],
      [6.71781, 9.16183, 14.12017, 18.48438],
      [13.0881, 17.78415, 27.46626, 36.0646],
    ],
  },
  {
    from: Array.from({ length: 25 }, (_, i) => i ** 2 % 17),
    target: 3,
    expected: [
      [2.32047, 7.63864, 13.66414],
      [6.81868, 7.22055, 10.30297],
      [8.28284, 4.52021, 6.1787],
    ],
  },
])('resizes a grid to $target as Pillow does', ({ from, target, expected }) => {
  const side = Math.sqrt(from.length)
  const vectors = Float32Array.from(from.flatMap(value => [value, -value]))
  const resized = resizeGrid(vectors, { side, target, width: 2 })
  expect(resized).toHaveLength(2 * target ** 2)
  for (const [i, value] of expected.flat().entries()) {
    expect(resized[2 * i]).toBeCloseTo(value, 4)
    expect(resized[2 * i + 1]).toBeCloseTo(-value, 4)
  }
})

it('resizes the positions of a vision transformer, and only where the size is named', async () => {
  const file = join(folder, 'tiny.safetensors')
  await writeSafetensors(file, initialWeights('vit_tiny_patch16_224', 1000, 1))
  const { model, spec } = await prepareModel(resolveModel(`vit_tiny_patch16_224:256@${file}`))
  const options = { outputs: ['logits'] as const, threads: 1 }
  const session = await loadModel(model, nativeSteps(spec.recipe), options)
  const { logits } = await session.run(new Uint8Array(3 * 256 * 256).fill(90), 1)
  expect(logits).toHaveLength(1000)
  await session.release()
  const unsized = { ...model, resizePositions: false }
  await expect(loadModel(unsized, nativeSteps(spec.recipe), options)).rejects.toThrow(
    /pos_embed is \[1,197,192\], not \[1,257,192\]/,
  )
})
