import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { nativeSteps, describeSteps } from '../../src/lib/pixels/steps.ts'
import { tableResize } from '../../src/lib/tensors/positionTables.ts'
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
  ['levit_128s.fb_dist_in1k:256', /levit_128s takes images of 224 pixels a side only/],
  ['crossvit_9_240.in1k:224', /takes images of 240 pixels a side only/],
  ['swinv2_tiny_window8_256.ms_in1k:300', /no images of 300 pixels a side; it takes 256 and 512/],
  ['maxvit_nano_rw_256.sw_in1k:200', /it takes 192 and 224/],
  ['coatnet_nano_rw_224.sw_in1k:200', /it takes 192 and 224/],
  ['xcit_nano_12_p16_224.fb_in1k:200', /it takes 192 and 208/],
  ['twins_svt_small.in1k:208', /it takes 192 and 224/],
  ['coat_tiny.in1k:240', /it takes 224 and 256/],
  ['mvitv2_tiny.fb_in1k:200', /it takes 192 and 224/],
  ['efficientvit_m0.r224_in1k:200', /it takes 208$/],
  ['swin_tiny_patch4_window7_224.ms_in1k:236', /it takes 224 and 240/],
  ['resnet50.a1_in1k:9', /16 to 2,048 pixels/],
  ['resnet5000:test', /unknown model/],
])('refuses %s', (name, message) => {
  expect(() => resolveModel(name)).toThrow(message)
  expect(findModel(name)).toBeUndefined()
})

it.each([
  'swin_tiny_patch4_window7_224.ms_in1k:200',
  'swinv2_tiny_window8_256.ms_in1k:128',
  'swinv2_cr_tiny_ns_224.sw_in1k:288',
  'maxvit_tiny_tf_224.in1k:256',
  'coatnet_nano_rw_224.sw_in1k:160',
  'eva02_tiny_patch14_336.mim_in22k_ft_in1k:250',
  'vit_small_patch16_rope_mixed_224.naver_in1k:200',
  'vit_tiny_r_s16_p8_224.augreg_in21k_ft_in1k:288',
  'beit_base_patch16_224.in22k_ft_in22k_in1k:200',
  'xcit_nano_12_p16_224.fb_in1k:160',
  'twins_svt_small.in1k:160',
  'sequencer2d_s.in1k:200',
  'swiftformer_xs.dist_in1k:200',
  'coat_lite_tiny.in1k:200',
  'tnt_s_legacy_patch16_224.in1k:200',
  'mvitv2_tiny.fb_in1k:256',
  'vit_relpos_base_patch16_224.sw_in1k:200',
  'efficientvit_m0.r224_in1k:256',
  'clip:EVA02-B-16/merged2b_s8b_b131k:240',
  'clip:ViT-B-16-SigLIP/webli:256',
])('takes %s, as timm and OpenCLIP do', name => {
  expect(resolveModel(name).name).toBe(name)
})

it('means with a size behind a pattern the models that have it', async () => {
  const names = await selectModels(['seresnet50.*:test'])
  expect(names).toContain('seresnet50.a3_in1k:test')
  expect(names.every(name => resolveModel(name).testRecipe)).toBe(true)
  const family = await selectModels(['family:resnet'])
  expect(await selectModels(['family:resnet:256'])).toEqual(family.map(name => `${name}:256`))
})

const tables = [
  [/pos_embed$/, 'grid'],
  [/bias_table$/, 'offsets'],
  [/rel_pos_h$/, 'axis offsets'],
  [/flexible$/, 'linear grid'],
] as const

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
  const vectors = Float32Array.from(from.flatMap(value => [value, -value]))
  const shape = [1, target ** 2, 2]
  const resize = tableResize({ name: 'pos_embed', shape }, [1, from.length, 2], tables)!
  const resized = resize(vectors)
  expect(resized).toHaveLength(2 * target ** 2)
  for (const [i, value] of expected.flat().entries()) {
    expect(resized[2 * i]).toBeCloseTo(value, 4)
    expect(resized[2 * i + 1]).toBeCloseTo(-value, 4)
  }
})

const made = (count: number, modulus: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => (7 * i * i + 3 * i) % modulus)

/** From timm 1.0.22: resize_rel_pos_bias_table, and mvitv2.py's interpolation of rel_pos. */
it.each([
  {
    name: 'blocks.0.bias_table',
    from: [84, 1],
    shape: [28, 1],
    values: made(84, 29),
    expected: [
      17.82275, 17.92078, 3.0198, 2.11882, 14.80382, 0.09902, 10, 5, 14, 8.05941, 13.91088, 5, 10,
      0, 3.96039, 2.0099, 3, 18, 18, 3.14853, 21.62559, 3.9901, 0.17823, 10.07922, 5.03069, 2, 15,
      13,
    ],
  },
  {
    name: 'blocks.0.bias_table',
    from: [84, 1],
    shape: [172, 1],
    values: made(84, 29),
    expected: [0, 4.78894, 9.5779, 7.20921, 6.95864, 14, 8, 16, 10.52339, 12.0929],
  },
  {
    name: 'blocks.0.bias_table',
    from: [2, 5, 5],
    shape: [2, 3, 3],
    values: made(50, 23),
    expected: [17, 19, 12, 6, 9, 3, 0, 4, 22, 12, 19, 17, 3, 11, 10, 22, 8, 8],
  },
  {
    name: 'flexible',
    from: [1, 9, 1],
    shape: [1, 4, 1],
    values: made(9, 23),
    expected: [3.0, 9.75, 14.25, 12.0],
  },
  {
    name: 'rel_pos_h',
    from: [7, 2],
    shape: [11, 2],
    values: made(14, 19),
    expected: [
      0, 10, 6.81818, 12.27273, 14.54545, 13.63636, 11.36364, 4.09091, 7.81818, 1.09091, 4, 3,
    ],
  },
])('resizes $name from $from to $shape as timm does', ({ name, from, shape, values, expected }) => {
  const resized = tableResize({ name, shape }, from, tables)!(values)
  expect(resized).toHaveLength(shape.reduce((product, size) => product * size, 1))
  for (const [i, value] of expected.entries()) expect(resized[i]).toBeCloseTo(value, 4)
})

it('leaves other parameters and grids that are no squares', () => {
  expect(tableResize({ name: 'head', shape: [1, 9, 2] }, [1, 4, 2], tables)).toBeUndefined()
  expect(tableResize({ name: 'pos_embed', shape: [1, 9, 3] }, [1, 4, 2], tables)).toBeUndefined()
  expect(tableResize({ name: 'bias_table', shape: [9, 3] }, [25, 2], tables)).toBeUndefined()
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
