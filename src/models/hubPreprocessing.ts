/*
 * Converts preprocessor_config.json, as Transformers and Transformers.js read it, to a recipe. Steps other than resize, crop
 * and normalization, and settings that libraries read differently, are refused, since a wrong guess makes a wrong accuracy.
 */
import { z } from 'zod'
import { type GeogapError, inputError, quoteForMessage, escapeForMessage } from '../lib/errors.ts'
import { deviationsSchema, sideSchema, tripleSchema } from './preprocessingSchemas.ts'
import {
  type Interpolation,
  interpolations,
  type PreprocessingConfig,
  type Triple,
} from '../lib/pixels/steps.ts'

const sidesSchema = z.strictObject({
  shortest_edge: sideSchema.optional(),
  height: sideSchema.optional(),
  width: sideSchema.optional(),
})
const preprocessorSchema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: z.union([sideSchema, sidesSchema]).optional(),
  resample: z.int().optional(),
  crop_pct: z.number().positive().max(1).optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: z.union([sideSchema, sidesSchema]).optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().optional(),
  do_flip_channel_order: z.boolean().default(false),
  include_top: z.boolean().default(false),
  image_mean: tripleSchema.optional(),
  image_std: deviationsSchema.optional(),
  /** Without effect: all images are RGB. */
  do_convert_rgb: z.boolean().optional(),
})
type PreprocessorConfig = z.infer<typeof preprocessorSchema>

const preprocessingError = (what: string): GeogapError =>
  inputError('bad-preprocessing', `preprocessor_config.json: ${what}`)

/** Drops keys whose value is null, which Transformers takes for its default. */
const withoutNulls = (content: unknown): unknown =>
  JSON.parse(JSON.stringify(content ?? null), (_, value: unknown) => value ?? undefined)

const timmConfigSchema = z.object({
  input_size: z.tuple([z.literal(3), sideSchema, sideSchema]),
  interpolation: z.enum(interpolations),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.enum(['center', 'squash']).default('center'),
  mean: tripleSchema,
  std: deviationsSchema,
})

/** Returns the recipe of timm's `pretrained_cfg`. @throws GeogapError `bad-preprocessing` */
export function timmRecipe(content: unknown): PreprocessingConfig {
  const result = timmConfigSchema.safeParse(withoutNulls(content))
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw configError(escapeForMessage(`${path.join('.')}: ${message}`, 200))
  }
  const {
    input_size: size,
    interpolation,
    crop_pct: cropPct,
    crop_mode: mode,
    mean,
    std,
  } = result.data
  if (size[1] !== size[2])
    throw configError(`images of ${size[1]} × ${size[2]}; only squares are known`)
  const recipe: PreprocessingConfig = { mean, std, interpolation, cropPct, size: size[1] }
  return mode === 'squash' ? { ...recipe, squash: true } : recipe
}

const configError = (what: string): GeogapError =>
  inputError('bad-preprocessing', `pretrained_cfg of config.json: ${what}`)

/** Returns the recipe. @throws GeogapError `bad-preprocessing` for other steps than resize, center crop and normalization */
export function hubRecipe(content: unknown): PreprocessingConfig {
  const result = preprocessorSchema.safeParse(withoutNulls(content))
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw preprocessingError(escapeForMessage(`${path.join('.')}: ${message}`, 200))
  }
  const config = result.data
  const other = Object.entries(content as object).find(
    ([key, value]) => key.startsWith('do_') && value === true && !(key in preprocessorSchema.shape),
  )
  if (other) throw preprocessingError(`${quoteForMessage(other[0])} is not known`)
  const geometry = geometryOf(config)
  if ((geometry.resize ?? 0) < geometry.size)
    throw preprocessingError(`a crop of ${geometry.size} from ${geometry.resize} pixels`)
  return {
    ...normalizationOf(config),
    ...channelsOf(config),
    interpolation: interpolationOf(config),
    ...geometry,
  }
}

type HubCropGeometry = Pick<PreprocessingConfig, 'size' | 'resize' | 'cropPct' | 'squash'>

function geometryOf(config: PreprocessorConfig): HubCropGeometry {
  if (!config.do_resize) throw preprocessingError('do_resize is false')
  const { shortest, square } = resizeTarget(config)
  const crop = config.do_center_crop ?? config.crop_size !== undefined
  const kind = processorType(config)
  if (kind.startsWith('Perceiver'))
    throw preprocessingError('Perceiver crops before it resizes, which is not known')
  if (kind.startsWith('ConvNext') && shortest !== undefined) {
    if (shortest >= 384) return squashGeometry(shortest)
    return cropGeometry(Math.floor(shortest / (config.crop_pct ?? 224 / 256)), shortest)
  }
  const scaled = scaledTarget(config, shortest, square)
  if (crop && scaled !== undefined) return cropGeometry(scaled, cropSize(config))
  if (square !== undefined)
    return crop
      ? { ...cropGeometry(square, cropSize(config)), squash: true }
      : squashGeometry(square)
  if (!crop)
    throw preprocessingError(
      'the shortest side is resized and nothing cropped, so images would not be squares',
    )
  return cropGeometry(shortest!, cropSize(config))
}

/** Returns the shortest side of the processors that resize to more than `size`: by `crop_pct`, or by 256 / 224. */
function scaledTarget(
  config: PreprocessorConfig,
  shortest: number | undefined,
  square: number | undefined,
): number | undefined {
  const kind = processorType(config)
  const side = shortest ?? square
  if (kind.startsWith('PoolFormer') && side !== undefined)
    return Math.floor(side / (config.crop_pct ?? 0.9))
  return kind.startsWith('Levit') && shortest !== undefined
    ? Math.floor((256 / 224) * shortest)
    : undefined
}

const processorType = (config: PreprocessorConfig): string =>
  config.image_processor_type ?? config.feature_extractor_type ?? ''
const cropGeometry = (resize: number, size: number): HubCropGeometry => ({
  resize,
  size,
  cropPct: size / resize,
})
const squashGeometry = (size: number): HubCropGeometry => ({
  ...cropGeometry(size, size),
  squash: true,
})

/** Older processors of these kinds take a plain number as the shortest side, all others as both sides. */
const shortSideKinds = /^(CLIP|ConvNext|Levit|PoolFormer|MobileNet|MobileViT)/

function resizeTarget(config: PreprocessorConfig): { shortest?: number; square?: number } {
  const { size } = config
  if (size === undefined) throw preprocessingError('no size')
  if (typeof size === 'number')
    return shortSideKinds.test(processorType(config)) ? { shortest: size } : { square: size }
  if (size.shortest_edge !== undefined) return { shortest: size.shortest_edge }
  if (size.height === undefined || size.height !== size.width)
    throw preprocessingError(
      `size ${JSON.stringify(size)}; known are shortest_edge, or height and width of a square`,
    )
  return { square: size.height }
}

function cropSize({ crop_size: crop }: PreprocessorConfig): number {
  if (typeof crop === 'number') return crop
  if (crop?.height === undefined || crop.height !== crop.width)
    throw preprocessingError(
      `crop_size ${crop === undefined ? 'missing' : JSON.stringify(crop)}; only squares are known`,
    )
  return crop.height
}

/** Returns the interpolation by Pillow's number, or the default of the processor's kind. */
function interpolationOf(config: PreprocessorConfig): Interpolation {
  const {
    resample = /^(CLIP|Bit|Deit|DeiT|Beit|Siglip|Levit|PoolFormer)/.test(processorType(config))
      ? 3
      : 2,
  } = config
  const found = pillowFilters[resample]
  if (found) return found
  throw preprocessingError(
    `resample ${resample}; known are ${pillowFilters.map((name, i) => `${i}, ${name}`).join('; ')}`,
  )
}

/** Pillow's filters in the order of their numbers. */
const pillowFilters: readonly Interpolation[] = [
  'nearest',
  'lanczos',
  'bilinear',
  'bicubic',
  'box',
  'hamming',
]

/** Returns the order of channels of processors that end with BGR, as MobileViT's. */
function channelsOf(config: PreprocessorConfig): Pick<PreprocessingConfig, 'channels'> {
  if (!config.do_flip_channel_order) return {}
  if (isNormalizing(config))
    throw preprocessingError('do_flip_channel_order beside do_normalize, whose order is not known')
  return { channels: 'BGR' }
}

/** Returns whether mean and deviation are applied: by default, but for MobileViT, whose processor knows neither. */
const isNormalizing = (config: PreprocessorConfig): boolean =>
  config.do_normalize ?? !processorType(config).startsWith('MobileViT')

/** Returns mean' and std' with (x / 255 - mean') / std' = (x f - o - mean) / std, the file's formula. */
function normalizationOf(config: PreprocessorConfig): { mean: Triple; std: Triple } {
  const { image_mean: given, image_std: deviations, include_top: twice } = config
  const normalizes = isNormalizing(config)
  if (normalizes && (!given || !deviations))
    throw preprocessingError('do_normalize without image_mean and image_std')
  const factor = 255 * (config.do_rescale ? config.rescale_factor : 1)
  const offset = config.do_rescale && config.rescale_offset ? 1 : 0
  const scale = Math.abs(factor - 1) < 1e-6 ? 1 : factor
  const mean = (normalizes ? given! : [0, 0, 0]).map(m => (m + offset) / scale)
  const std = (normalizes ? deviations! : [1, 1, 1]).map(s => (twice ? s * s : s) / scale)
  return { mean: mean as unknown as Triple, std: std as unknown as Triple }
}
