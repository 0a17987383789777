import { describe, expect, it } from 'vitest'
import { describeSteps, nativeSteps } from '../../src/lib/pixels/steps.ts'
import { hubRecipe, timmRecipe } from '../../src/models/hubPreprocessing.ts'

const half = [0.5, 0.5, 0.5]
const vit = { image_processor_type: 'ViTImageProcessor', image_mean: half, image_std: half }

describe('preprocessor_config.json', () => {
  const steps = (config: object) => describeSteps(nativeSteps(hubRecipe({ ...vit, ...config })))
  const unit = 'normalize(mean 0.5 0.5 0.5, std 0.5 0.5 0.5)'

  it('refuses content that is no object', () => {
    for (const content of [undefined, null, 'text', 5])
      expect(() => hubRecipe(content)).toThrow(/preprocessor_config\.json: it is not a JSON object/)
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
      `resize(248, bicubic) centerCrop(224, floor) ${unit}`,
    )
    expect(steps({ ...clip, size: 224, crop_size: 224, do_center_crop: true })).toBe(
      `resize(224, bicubic) centerCrop(224, floor) ${unit}`,
    )
    const convnext = {
      image_processor_type: 'ConvNextFeatureExtractor',
      resample: 3,
      crop_pct: 0.875,
    }
    expect(steps({ ...convnext, size: 224 })).toBe(
      `resize(256, bicubic) centerCrop(224, floor) ${unit}`,
    )
    const fast = { ...convnext, image_processor_type: 'ConvNextImageProcessorFast', size: 224 }
    expect(steps(fast)).toBe(`resize(256, bicubic) centerCrop(224) ${unit}`)
    expect(() => steps({ ...fast, crop_size: 192, do_center_crop: true })).toThrow(
      /do_center_crop of 192 from 224 pixels, which versions of "ConvNextImageProcessorFast"/,
    )
    expect(steps({ ...convnext, size: { shortest_edge: 384 } })).toBe(
      `resize(384, bicubic, squash) centerCrop(384) ${unit}`,
    )
  })

  it('resizes to more than the size for LeViT and PoolFormer', () => {
    const crop = { crop_size: { height: 224, width: 224 }, do_center_crop: true }
    const poolformer = { image_processor_type: 'PoolFormerImageProcessor', ...crop }
    const levit = { image_processor_type: 'LevitImageProcessor', ...crop }
    const shortest = { size: { shortest_edge: 224 } }
    const from = (side: number) => `resize(${side}, bicubic) centerCrop(224, floor) ${unit}`
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
      'resize(288, bilinear) centerCrop(256, floor) normalize(mean 0 0 0, std 1 1 1, BGR)',
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

  it('has the defaults of Transformers’ processor for keys that a file lacks', () => {
    const bare = (kind: string, config: object) =>
      describeSteps(nativeSteps(hubRecipe({ image_processor_type: kind, ...config })))
    const clipValues = 'mean 0.48145466 0.4578275 0.40821073, std 0.26862954 0.26130258 0.27577711'
    const cropped = `resize(256, bicubic) centerCrop(224, floor) normalize(${clipValues})`
    for (const kind of ['CLIPImageProcessor', 'ChineseCLIPImageProcessor', 'BitImageProcessorFast'])
      expect(bare(kind, { size: 256, image_mean: null })).toBe(cropped)
    expect(bare('BlipImageProcessor', { size: 384 })).toMatch(/^resize\(384, bicubic, squash\)/)
    expect(bare('EfficientNetImageProcessor', { size: 224, crop_size: 200 })).toMatch(
      /^resize\(224, nearest, squash\) centerCrop\(224\)/,
    )
    expect(bare('EfficientFormerImageProcessor', { size: 224 })).toMatch(
      /^resize\(224, bicubic, squash\) centerCrop\(224\)/,
    )
    expect(bare('MobileViTFeatureExtractor', { size: 288 })).toMatch(/centerCrop\(256.*BGR\)$/)
    expect(bare('ViTImageProcessor', { size: [224, 224], resample: 'bicubic' })).toMatch(
      /^resize\(224, bicubic, squash\)/,
    )
    const refused = (kind: string, config: object) =>
      expect(() => {
        bare(kind, config)
      })
    refused('BeitImageProcessor', { size: 224 }).toThrow(/no do_center_crop/)
    refused('DeiTImageProcessor', { size: 256 }).toThrow(/no do_center_crop/)
    refused('Other', { size: 224, image_mean: 0.5, image_std: 0.5 }).toThrow(/no resample.*"Other"/)
    refused('OtherImageProcessor', { size: 224, crop_size: 224 }).toThrow(/size 224 of "Other/)
    refused('ViTImageProcessor', { size: 248, crop_size: 224, do_center_crop: true }).toThrow(
      /do_center_crop of 224 from 248 .*read differently/,
    )
    const complete = { ...vit, size: { shortest_edge: 640 }, crop_size: 224, resample: 2 }
    for (const key of ['size_divisor', 'keep_aspect_ratio', 'crop_pct'])
      refused('Other', { ...complete, image_processor_type: 'Other', [key]: 1 }).toThrow(
        `${key} of "Other" is not known`,
      )
    refused('PoolFormerImageProcessor', { size: [224, 224], do_center_crop: false }).toThrow(
      /would not be squares/,
    )
    for (const key of ['rescale_offset', 'include_top'])
      refused('ViTImageProcessor', { size: 224, [key]: true }).toThrow(`${key} is true`)
  })

  it('turns other scales into means and deviations', () => {
    const size = { height: 32, width: 32 }
    const efficientnet = { ...vit, image_processor_type: 'EfficientNetImageProcessor' }
    const scaled = hubRecipe({
      ...efficientnet,
      size,
      include_top: false,
      rescale_factor: 1 / 127.5,
      rescale_offset: true,
      do_normalize: false,
    })
    expect(scaled).toMatchObject({ mean: half, std: half })
    // Its processor divides by the deviation once more, normalized or not.
    expect(hubRecipe({ ...efficientnet, size })).toMatchObject({ std: [0.25, 0.25, 0.25] })
    expect(hubRecipe({ ...efficientnet, size, do_normalize: false }).std).toEqual(half)
    expect(hubRecipe({ ...vit, size, image_mean: 0.5, image_std: 0.5 })).toMatchObject({
      mean: half,
      std: half,
    })
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
    expect(() =>
      steps({ size: { shortest_edge: 200 }, crop_size: 224, do_center_crop: true }),
    ).toThrow(/a crop of 224 from 200 pixels/)
    expect(() => steps({ size: 224, do_resize: false })).toThrow(/do_resize is false/)
    expect(() => steps({ size: 224, do_flip_channel_order: true })).toThrow(
      /do_flip_channel_order is true, which "ViTImageProcessor" does not know/,
    )
    expect(() => steps({ size: 224, do_thumbnail: true })).toThrow(/"do_thumbnail" is not known/)
    expect(() =>
      steps({ size: { shortest_edge: 800, longest_edge: 1333 }, crop_size: 224 }),
    ).toThrow(/longest_edge/)
    expect(() => steps({ size: 224, image_std: [0, 1, 1] })).toThrow(/image_std/)
    expect(steps({ size: 224, do_convert_rgb: true, do_pad: false })).toContain('resize(224')
    expect(() =>
      steps({ size: 224, resample: 2, image_processor_type: 'Other', image_mean: undefined }),
    ).toThrow(/do_normalize without image_mean/)
    expect(() => steps({ size: 224, image_mean: [0.5] })).toThrow(/image_mean/)
    expect(() => steps({ size: 'large' })).toThrow(/size: /)
  })
})
