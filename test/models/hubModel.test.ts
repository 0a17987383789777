import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { imagenetClasses } from '../../src/datasets/labels/imagenet.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { areImagenetLabels } from '../../src/datasets/labels/classNames.ts'
import { parseHubName } from '../../src/models/hubModel.ts'
import { hubRecipe, timmRecipe } from '../../src/models/hubPreprocessing.ts'
import { loadModelSpec } from '../../src/models/loadModelSpec.ts'
import { prepareModel } from '../../src/models/runtime/prepareModel.ts'
import { describeSteps, nativeSteps } from '../../src/lib/pixels/steps.ts'
import { writeWorld } from '../helpers/world.ts'
import { bytesContent, type Content, repo, startHub, textContent } from '../lib/hub/fakeHub.ts'
import { colourGraph, type Form, headBytes } from './onnx/foreignGraph.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'geogap-hf-'))
  vi.stubEnv('HF_HOME', join(home, 'hf'))
  vi.stubEnv('GEOGAP_CACHE', join(home, 'own'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(home, { recursive: true, force: true })
})

const half = [0.5, 0.5, 0.5]
const vit = { image_processor_type: 'ViTImageProcessor', image_mean: half, image_std: half }
const preprocessing = { ...vit, resample: 2, size: { height: 32, width: 32 } }

const id2label = { 0: 'red', 1: 'green', 2: 'blue' }
const classifier = { architectures: ['ViTForImageClassification'], id2label }

async function withHub(form: Form, config: object, work: () => Promise<void>): Promise<void> {
  const files: Record<string, Content> = {
    'config.json': textContent(JSON.stringify(config)),
    'preprocessor_config.json': textContent(JSON.stringify(preprocessing)),
    'onnx/model.onnx': bytesContent(colourGraph({ input: 'pixel_values', ...form })),
    'onnx/model.onnx_data': bytesContent(headBytes()),
  }
  const hub = await startHub(files, ['onnx/model.onnx', 'onnx/model.onnx_data'])
  vi.stubEnv('HF_ENDPOINT', hub.endpoint)
  await work().finally(() => hub.close())
}

describe('hf:owner/repo', () => {
  for (const [kind, form] of Object.entries({
    'weights inside': { size: 'side' },
    'weights in external data, half precision': {
      external: 'model.onnx_data',
      dtype: 'float16' as const,
    },
  })) {
    it(`is evaluated as a catalogue model is: ${kind}`, () =>
      withHub(form, classifier, async () => {
        const manifest = await writeWorld(home, 6)
        const dataset = { name: manifest, classes: join(home, 'classes.txt') }
        const out = join(home, 'results')
        const run = await evaluate({ models: [`hf:${repo}`], datasets: [dataset], out })
        expect(run.failures).toEqual([])
        expect(run.accuracy()[0]).toMatchObject({ model: `hf:${repo}`, n: 6, top1: 1 })
      }))
  }

  it('puts external data together once, and hashes it too', () =>
    withHub({ external: 'model.onnx_data' }, classifier, async () => {
      const spec = await loadModelSpec(`hf:${repo}@main`)
      const { hashes, model } = await prepareModel(spec)
      expect(hashes).toHaveLength(3)
      expect(model.files.map(file => file.split('/').at(-1))).toEqual([
        'model.onnx',
        'model.onnx_data',
      ])
      expect((await prepareModel(spec)).model).toEqual(model)
      expect(await readdir(join(home, 'own/graphs'))).toHaveLength(1)
    }))

  it('refuses external data that is not beside the graph in the repository', () =>
    withHub({ external: '../config.json' }, classifier, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      await expect(prepareModel(spec)).rejects.toThrow(
        /refused ONNX file: external data "\.\.\/config\.json"/,
      )
    }))

  it('knows a classifier that was trained with a teacher, and timm’s export without a preprocessor’s file', async () => {
    await withHub(
      {},
      { architectures: ['DeiTForImageClassificationWithTeacher'], id2label },
      async () => {
        expect(await loadModelSpec(`hf:${repo}`)).toMatchObject({
          classes: ['red', 'green', 'blue'],
        })
      },
    )
    const timm = {
      architectures: ['TimmWrapperForImageClassification'],
      num_classes: 1000,
      pretrained_cfg: { input_size: [3, 32, 32], interpolation: 'bilinear', mean: half, std: half },
    }
    const hub = await startHub({ 'config.json': textContent(JSON.stringify(timm)) }, [])
    vi.stubEnv('HF_ENDPOINT', hub.endpoint)
    vi.stubEnv('HF_HOME', join(home, 'timm'))
    const spec = loadModelSpec(`hf:${repo}`)
    expect(await spec.finally(() => hub.close())).toMatchObject({
      classes: 'imagenet-1k',
      recipe: { size: 32, cropPct: 0.875, interpolation: 'bilinear' },
    })
  })

  it('picks ImageNet’s classes of a head with a background class', () => {
    const names = ['background', ...imagenetClasses.map(({ synonyms }) => synonyms.join(', '))]
    const config = { ...classifier, id2label: Object.fromEntries(names.entries()) }
    return withHub({ classes: 1001 }, config, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      expect(spec).toMatchObject({ classes: 'imagenet-1k', headClasses: 1001 })
      expect((await prepareModel(spec)).model).toMatchObject({ classes: 1001, picksImagenet: true })
    })
  })

  it('says which outputs there are where the expected one is not', () =>
    withHub({}, { architectures: ['Dinov2Model'] }, async () => {
      const spec = await loadModelSpec(`hf:${repo}`)
      expect(spec).toMatchObject({ classes: [], graph: { kind: 'embedding' } })
      await expect(prepareModel(spec)).rejects.toThrow(
        /no output "pooler_output"; there are "logits"/,
      )
    }))

  it('reads repository, revision and file from the name', () => {
    expect(parseHubName('hf:a/b')).toEqual({
      repo: 'a/b',
      revision: 'main',
      file: 'onnx/model.onnx',
    })
    expect(parseHubName('hf:a/b@refs/pr/1:onnx/vision_model.onnx')).toEqual({
      repo: 'a/b',
      revision: 'refs/pr/1',
      file: 'onnx/vision_model.onnx',
    })
    expect(() => parseHubName('hf:a/b:weights.bin')).toThrow(/not hf:OWNER\/REPO/)
  })

  it('knows labels that are ImageNet in order, and only those', () => {
    const full = imagenetClasses.map(({ synonyms }) => synonyms.join(', '))
    const short = imagenetClasses.map(({ name }) => name.toUpperCase().replaceAll(' ', '_'))
    for (const labels of [full, short]) {
      expect(areImagenetLabels(labels)).toBe(true)
      expect(areImagenetLabels(labels.with(5, 'something else'))).toBe(true)
      expect(areImagenetLabels(labels.with(5, labels[6]!).with(6, labels[5]!))).toBe(false)
      expect(areImagenetLabels(labels.slice(1))).toBe(false)
    }
    expect(areImagenetLabels(full.map((_, i) => `LABEL_${i}`))).toBe(false)
  })
})

describe('preprocessor_config.json', () => {
  const steps = (config: object) => describeSteps(nativeSteps(hubRecipe({ ...vit, ...config })))
  const unit = 'normalize(mean 0.5 0.5 0.5, std 0.5 0.5 0.5)'

  it('refuses content that is no object', () => {
    for (const content of [undefined, null, 'text', 5])
      expect(() => hubRecipe(content)).toThrow(/preprocessor_config\.json: /)
  })

  it('gives the steps that Transformers computes', () => {
    expect(steps({ size: { height: 224, width: 224 }, resample: 2 })).toBe(
      `resize(224, bilinear, squash) centerCrop(224) ${unit}`,
    )
    const clip = {
      image_processor_type: 'CLIPImageProcessor',
      crop_size: { height: 224, width: 224 },
    }
    expect(steps({ ...clip, size: { shortest_edge: 248 } })).toBe(
      `resize(248, bicubic) centerCrop(224) ${unit}`,
    )
    expect(steps({ ...clip, size: 224, crop_size: 224, do_center_crop: true })).toBe(
      `resize(224, bicubic) centerCrop(224) ${unit}`,
    )
    const convnext = {
      image_processor_type: 'ConvNextFeatureExtractor',
      resample: 3,
      crop_pct: 0.875,
    }
    expect(steps({ ...convnext, size: 224 })).toBe(`resize(256, bicubic) centerCrop(224) ${unit}`)
    expect(steps({ ...convnext, size: { shortest_edge: 384 } })).toBe(
      `resize(384, bicubic, squash) centerCrop(384) ${unit}`,
    )
  })

  it('resizes to more than the size for LeViT and PoolFormer', () => {
    const crop = { crop_size: { height: 224, width: 224 }, do_center_crop: true }
    const poolformer = { image_processor_type: 'PoolFormerImageProcessor', ...crop }
    const levit = { image_processor_type: 'LevitImageProcessor', ...crop }
    const shortest = { size: { shortest_edge: 224 } }
    const from = (side: number) => `resize(${side}, bicubic) centerCrop(224) ${unit}`
    expect(steps({ ...poolformer, ...shortest, crop_pct: 0.95 })).toBe(from(235))
    expect(steps({ ...poolformer, ...shortest })).toBe(from(248))
    expect(steps({ ...poolformer, size: { height: 224, width: 224 } })).toBe(from(248))
    expect(steps({ ...levit, ...shortest })).toBe(from(256))
    expect(steps({ ...levit, size: 256 })).toBe(from(292))
    expect(() => steps({ ...shortest, image_processor_type: 'PerceiverImageProcessor' })).toThrow(
      /crops before it resizes/,
    )
  })

  it('knows every filter of Pillow by its number', () => {
    const filters = [0, 1, 2, 3, 4, 5].map(
      resample => hubRecipe({ ...vit, size: 224, resample }).interpolation,
    )
    expect(filters).toEqual(['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'])
  })

  it('turns channels as MobileViT does, which normalizes nothing', () => {
    const mobilevit = {
      image_processor_type: 'MobileViTImageProcessor',
      do_flip_channel_order: true,
      do_center_crop: true,
      crop_size: { height: 256, width: 256 },
      size: { shortest_edge: 288 },
    }
    expect(describeSteps(nativeSteps(hubRecipe(mobilevit)))).toBe(
      'resize(288, bilinear) centerCrop(256) normalize(mean 0 0 0, std 1 1 1, BGR)',
    )
  })

  it('takes timm’s configuration of a wrapped model', () => {
    const timm = {
      input_size: [3, 224, 224],
      interpolation: 'bicubic',
      crop_pct: 0.95,
      crop_mode: 'center',
      mean: half,
      std: half,
      num_classes: 1000,
    }
    expect(describeSteps(nativeSteps(timmRecipe(timm)))).toBe(
      `resize(235, bicubic) centerCrop(224) ${unit}`,
    )
    expect(describeSteps(nativeSteps(timmRecipe({ ...timm, crop_mode: 'squash' })))).toContain(
      'squash',
    )
    expect(() => timmRecipe({ ...timm, crop_mode: 'border' })).toThrow(/pretrained_cfg .*crop_mode/)
    expect(() => timmRecipe({ ...timm, input_size: [3, 224, 192] })).toThrow(/only squares/)
  })

  it('takes null for a default', () => {
    const nulls = { crop_size: null, do_center_crop: null, do_convert_rgb: null, do_pad: null }
    const size = { height: 224, width: 224, shortest_edge: null }
    expect(steps({ ...nulls, size, resample: null, do_rescale: null, crop_pct: null })).toBe(
      `resize(224, bilinear, squash) centerCrop(224) ${unit}`,
    )
  })

  it('turns other scales into means and deviations', () => {
    const size = { height: 32, width: 32 }
    const scaled = hubRecipe({
      ...vit,
      size,
      rescale_factor: 1 / 127.5,
      rescale_offset: true,
      do_normalize: false,
    })
    expect(scaled).toMatchObject({ mean: half, std: half })
    expect(hubRecipe({ ...vit, size, do_rescale: false, do_normalize: false }).std[0]).toBeCloseTo(
      1 / 255,
      12,
    )
  })

  it('is refused where it asks for something else', () => {
    expect(() => steps({ size: { height: 224, width: 192 } })).toThrow(
      /known are shortest_edge, or height and width/,
    )
    expect(() => steps({ size: { shortest_edge: 224 } })).toThrow(/images would not be squares/)
    expect(() => steps({ size: 224, resample: 6 })).toThrow(
      /resample 6; known are 0, nearest; 1, lanczos; 2, bilinear; 3, bicubic; 4, box; 5, hamming/,
    )
    expect(() => steps({ size: { shortest_edge: 200 }, crop_size: 224 })).toThrow(
      /a crop of 224 from 200 pixels/,
    )
    expect(() => steps({ size: 224, do_resize: false })).toThrow(/do_resize is false/)
    expect(() => steps({ size: 224, do_flip_channel_order: true })).toThrow(
      /do_flip_channel_order beside do_normalize/,
    )
    expect(() => steps({ size: 224, do_thumbnail: true })).toThrow(/"do_thumbnail" is not known/)
    expect(() =>
      steps({ size: { shortest_edge: 800, longest_edge: 1333 }, crop_size: 224 }),
    ).toThrow(/longest_edge/)
    expect(() => steps({ size: 224, image_std: [0, 1, 1] })).toThrow(/image_std/)
    expect(steps({ size: 224, do_convert_rgb: true, do_pad: false })).toContain('resize(224')
    expect(() => steps({ size: 224, image_mean: undefined })).toThrow(
      /do_normalize without image_mean/,
    )
    expect(() => steps({ size: 'large' })).toThrow(/size: /)
  })
})
