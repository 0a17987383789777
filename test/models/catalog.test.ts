import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { architectures } from '../../src/models/architectures.ts'
import { modelNames, resolveModel } from '../../src/models/catalog.ts'
import { loadModelWithWeights } from '../../src/models/loadModelSpec.ts'
import { modelCost } from '../../src/models/modelCost.ts'
import { findPretraining } from '../../src/models/pretraining.ts'
import { testbed } from '../../src/models/testbed.ts'
import { nativeSteps } from '../../src/lib/pixels/steps.ts'
import { shared, sharedPath } from '../helpers/shared.ts'

describe('the testbed', () => {
  it('has the 98 rows of the paper: 80 with 1,000 classes, 18 zero-shot, 16 groups', () => {
    const count = (evaluation: string): number =>
      testbed().filter(row => row.evaluation === evaluation).length
    expect([testbed().length, count('1K'), count('zero-shot')]).toEqual([98, 80, 18])
    expect(new Set(testbed().map(({ group }) => group)).size).toBe(16)
    expect(new Set(testbed().map(({ model }) => model)).size).toBe(98)
  })

  it.each(testbed())('$name is an alias of $model', ({ name, model, evaluation }) => {
    const spec = resolveModel(name)
    expect(spec.name).toBe(model)
    expect(resolveModel(model)).toEqual(spec)
    expect(Object.keys(architectures)).toContain(spec.architecture)
    expect(spec.classes).toBe(evaluation === '1K' ? 'imagenet-1k' : 'zero-shot')
    expect(findPretraining(model)!.images).toBeGreaterThan(1e6)
    expect(spec.licence).not.toBe('')
  })

  it('says of every licence who states it, and of no other', () => {
    const specs = modelNames().map(resolveModel)
    const wrong = specs.filter(
      ({ licence, licenceSource }) => (licence === 'unknown') !== (licenceSource === undefined),
    )
    expect(wrong.map(({ name }) => name)).toEqual([])
    const unstated = specs.filter(
      ({ source, licence }) => source === 'OpenCLIP' && licence === 'unknown',
    )
    expect(
      new Set(unstated.map(({ weights }) => (weights.from === 'hub' ? weights.repo : ''))),
    ).toEqual(
      new Set(
        [
          'resnet50_clip.yfcc15m',
          'resnet50_clip.cc12m',
          'resnet101_clip.yfcc15m',
          'vit_base_patch32_clip_224.laion2b_e16',
        ].map(name => `timm/${name}`),
      ),
    )
  })

  it('gives a reason for every tag that is not the default of timm', () => {
    const withDefault = (architecture: string): string | undefined =>
      modelNames().find(name => name.startsWith(`${architecture}.`))
    const unexplained = testbed().filter(({ model, reason }) => {
      const { architecture, source } = resolveModel(model)
      return source === 'timm' && withDefault(architecture) !== model && !reason
    })
    expect(unexplained).toEqual([])
  })
})

describe('names', () => {
  it.each([
    ['resnet50', 'resnet50.a1_in1k'],
    ['resnet50.tv_in1k', 'resnet50.tv_in1k'],
    ['resnet50augmix', 'resnet50.augmix'],
    ['regnet', 'regnety_004.pycls_in1k'],
    ['clip-vit32-laion400m', 'clip:ViT-B-32-quickgelu/laion400m_e31'],
    ['dinov2', 'dinov2_vitb14_lc.lvd142m'],
    ['vit_tiny_patch16_224', 'vit_tiny_patch16_224.augreg_in21k_ft_in1k'],
    ['convnext_tiny', 'convnext_tiny.in12k_ft_in1k'],
    ['vit_base_patch14_reg4_dinov2', 'vit_base_patch14_reg4_dinov2.lvd142m'],
  ])('%s is %s', (name, full) => {
    expect(resolveModel(name).name).toBe(full)
  })

  it('finds weights on the hub under their tag', () => {
    expect(resolveModel('resnet50.a1_in1k').weights).toMatchObject({
      from: 'hub',
      repo: 'timm/resnet50.a1_in1k',
      file: 'model.safetensors',
    })
    expect(resolveModel('clip:ViT-B-16/laion2b_s34b_b88k').weights).toMatchObject({
      repo: 'laion/CLIP-ViT-B-16-laion2B-s34B-b88K',
      file: 'open_clip_model.safetensors',
    })
  })

  it('finds weights that no hub repository has at their web address, with the first digits of their hash', () => {
    const address = 'https://github.com/rwightman/pytorch-image-models/releases/download/'
    expect(resolveModel('gcvit_xxtiny.in1k').weights).toMatchObject({
      from: 'url',
      files: [
        {
          url: `${address}v0.1-weights-morevit/gcvit_xxtiny_224_nvidia-d1d86009.pth`,
          sha256: 'd1d86009',
        },
      ],
    })
  })

  it('takes a file of this machine for any architecture or model', () => {
    const spec = resolveModel('resnet50.tv_in1k@runs/best.pth')
    expect(spec).toMatchObject({ name: 'resnet50@best', architecture: 'resnet50' })
    expect(spec.recipe).toEqual(resolveModel('resnet50.tv_in1k').recipe)
    expect(spec.weights).toEqual({ from: 'files', files: ['runs/best.pth'] })
    expect(resolveModel('clip:ViT-B-32@a.safetensors')).toMatchObject({
      architecture: 'clip:ViT-B-32',
    })
  })

  it('takes a file of this machine for an architecture without a tag', async () => {
    const name = 'clip:ViT-B-32-quickgelu'
    expect(await loadModelWithWeights(name, 'runs/best.pt')).toMatchObject({
      name: 'clip:ViT-B-32-quickgelu@best',
      architecture: name,
      weights: { from: 'files', files: ['runs/best.pt'] },
    })
    expect(await loadModelWithWeights('resnet50.tv_in1k', 'best.pt')).toMatchObject({
      name: 'resnet50.tv_in1k',
      weights: { files: ['best.pt'] },
    })
    await expect(loadModelWithWeights(name, undefined)).rejects.toThrow(/unknown model/)
  })

  it('suggests what exists', () => {
    expect(() => resolveModel('resnet51')).toThrow('unknown model: resnet51; nearest: resnet50')
    expect(() => resolveModel('resnet50.a9_in1k')).toThrow(/nearest: resnet50\.a\d_in1k/)
    expect(() => resolveModel('clip:ViT-B-32/laion400m')).toThrow(/nearest: clip:ViT-B-32\//)
    expect(() => resolveModel('nothing@file.pth')).toThrow('unknown model: nothing')
  })

  it('tells when an activation is not the one the weights were trained with', () => {
    expect(resolveModel('clip:ViT-B-32/openai').note).toMatch(/QuickGELU/)
    expect(resolveModel('clip:ViT-B-32-quickgelu/openai').note).toBeUndefined()
  })
})

describe('preprocessing', () => {
  it('is the tag’s own', () => {
    expect(nativeSteps(resolveModel('tinynet_e').recipe)[0]).toMatchObject({
      size: 121,
      interpolation: 'bicubic',
    })
    expect(nativeSteps(resolveModel('convnext_base.fb_in22k_ft_in1k_384').recipe)[0]).toMatchObject(
      { squash: true },
    )
    expect(resolveModel('clip-vit14-laion2b').recipe.mean).toEqual([0.5, 0.5, 0.5])
  })

  it('has an input size that every architecture can be built at', () => {
    for (const name of modelNames())
      expect(modelCost(resolveModel(name)).multiplyAdds, name).toBeGreaterThan(1e7)
  })
})

describe.skipIf(!shared)('facts of the reference libraries', () => {
  const golden = (name: string) =>
    JSON.parse(readFileSync(sharedPath(`golden/models/${name}.json`), 'utf8')) as {
      timm: Record<string, unknown>
    }

  it.each([
    'resnet50',
    'eva_giant_patch14_224',
    'edgenext_small',
    'tinynet_b',
    'mixer_l16_224',
    'vgg11',
    'hrnet_w18',
  ])('%s: default tag and preprocessing', architecture => {
    const { timm } = golden(architecture)
    const spec = resolveModel(`${architecture}.${String(timm.tag)}`)
    const { mean, std, interpolation, cropPct, size } = spec.recipe
    expect({ mean, std, interpolation, crop_pct: cropPct, input_size: [3, size, size] }).toEqual({
      mean: timm.mean,
      std: timm.std,
      interpolation: timm.interpolation,
      crop_pct: timm.crop_pct,
      input_size: timm.input_size,
    })
    expect(spec.weights).toMatchObject({ repo: timm.hf_hub_id })
  })

  it('agrees with OpenCLIP about the testbed’s CLIP models', () => {
    const rows = JSON.parse(
      readFileSync(sharedPath('data/published/open_clip_testbed.json'), 'utf8'),
    ) as {
      paper_name: string
      architecture: string
      pretrained: string
      hf_hub: string
      quick_gelu: boolean
      mean: number[]
    }[]
    for (const row of rows) {
      const spec = resolveModel(row.paper_name)
      expect(spec.name).toBe(
        `clip:${row.architecture}${row.quick_gelu ? '-quickgelu' : ''}/${row.pretrained}`,
      )
      expect(spec.weights).toMatchObject({ repo: row.hf_hub.replace(/\/$/, '') })
      expect(spec.recipe.mean).toEqual(row.mean)
    }
  })

  it('counts the parameters that timm publishes, for every tag', () => {
    const [head, ...lines] = readFileSync(
      sharedPath('data/published/timm-results-imagenet.csv'),
      'utf8',
    ).split('\n')
    const at = head!.split(',').indexOf('param_count')
    const published = new Map(lines.map(line => [line.split(',')[0], Number(line.split(',')[at])]))
    const compared = modelNames().filter(name => Number.isFinite(published.get(name)))
    expect(compared.length).toBeGreaterThan(100)
    for (const name of compared) {
      const { parameters } = modelCost(resolveModel(name))
      expect(Math.abs(parameters / 1e6 - published.get(name)!), name).toBeLessThan(0.0051)
    }
  })
})
