/*
 * Converts preprocessor_config.json, as Transformers and Transformers.js read it, to a recipe. Steps other than resize, crop
 * and normalization, and settings that libraries read differently, are refused, since a wrong guess makes a wrong accuracy. Keys
 * that a file lacks have the defaults of Transformers' processor.
 */
import { z } from 'zod'
import { readTsv } from '../lib/archive/tsv.ts'
import { type GeogapError, inputError, quoteForMessage, escapeForMessage } from '../lib/errors.ts'
import { deviationsSchema, sideSchema, tripleSchema } from './preprocessingSchemas.ts'
import {
  imagenetMean,
  imagenetStd,
  type Interpolation,
  interpolations,
  type PreprocessingConfig,
  type Triple,
} from '../lib/pixels/steps.ts'
import { normalizations } from './tagPreprocessing.ts'

/** The defaults of one of Transformers' image processors. */
interface ProcessorDefaults {
  resample: Interpolation
  values: keyof typeof normalizations
  /** Whether a size that is a plain number is the shortest side; it is both sides otherwise. */
  isShortSide: boolean
  /** The crop of a processor that crops by default. */
  crop?: number | undefined
}

let cachedProcessors: ReadonlyMap<string, ProcessorDefaults> | undefined

/** Returns the defaults of a processor; undefined for one that the table lacks. */
function defaultsOf(config: PreprocessorConfig): ProcessorDefaults | undefined {
  type Column = 'processor' | 'resample' | 'values' | 'side' | 'crop'
  cachedProcessors ??= new Map(
    readTsv<Column>(new URL('./processors.tsv', import.meta.url)).map(row => [
      row.processor,
      {
        resample: row.resample as Interpolation,
        values: row.values as ProcessorDefaults['values'],
        isShortSide: row.side === 'shortest',
        crop: row.crop === '' ? undefined : Number(row.crop),
      },
    ]),
  )
  return cachedProcessors.get(processorKind(config))
}

const sidesSchema = z.union([
  sideSchema,
  z
    .tuple([sideSchema, sideSchema])
    .transform(([height, width]) => ({ shortest_edge: undefined, height, width })),
  z.strictObject({
    shortest_edge: sideSchema.optional(),
    height: sideSchema.optional(),
    width: sideSchema.optional(),
  }),
])
const numberForAll = <T>(schema: z.ZodType<T>) =>
  z.preprocess(value => (typeof value === 'number' ? [value, value, value] : value), schema)
const preprocessorSchema = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: sidesSchema.optional(),
  resample: z.union([z.int(), z.enum(interpolations)]).optional(),
  crop_pct: z.number().positive().max(1).optional(),
  do_center_crop: z.boolean().optional(),
  crop_size: sidesSchema.optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().optional(),
  do_flip_channel_order: z.boolean().optional(),
  include_top: z.boolean().optional(),
  image_mean: numberForAll(tripleSchema).optional(),
  image_std: numberForAll(deviationsSchema).optional(),
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
  interpolation: z.enum(interpolations).default('bicubic'),
  crop_pct: z.number().positive().max(1).default(0.875),
  crop_mode: z.enum(['center', 'squash']).default('center'),
  mean: tripleSchema.default(imagenetMean),
  std: deviationsSchema.default(imagenetStd),
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
    throw preprocessingError(
      path.length === 0
        ? 'it is not a JSON object'
        : escapeForMessage(`${path.join('.')}: ${message}`, 200),
    )
  }
  const config = result.data
  refuseOtherSteps(content as object, config)
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

/** Keys that one processor knows; where Transformers passes over them, nobody can say what the file means. */
const keysOfOne: readonly (readonly [key: keyof PreprocessorConfig, kind: string])[] = [
  ['rescale_offset', 'EfficientNet'],
  ['include_top', 'EfficientNet'],
  ['do_flip_channel_order', 'MobileViT'],
]

/** Keys by which some processors resize in other ways, and that those of the table pass over or are known to read. */
const resizingKeys: readonly string[] = [
  'crop_pct',
  'ensure_multiple_of',
  'keep_aspect_ratio',
  'max_num_patches',
  'pad_size',
  'resize_mode',
  'size_divisor',
]

function refuseOtherSteps(content: object, config: PreprocessorConfig): void {
  const unknown = Object.entries(content).find(
    ([key, value]) => key.startsWith('do_') && value === true && !(key in preprocessorSchema.shape),
  )
  if (unknown) throw preprocessingError(`${quoteForMessage(unknown[0])} is not known`)
  const resizing = Object.entries(content).find(
    ([key, value]) => Boolean(value) && resizingKeys.includes(key),
  )
  if (resizing && !defaultsOf(config))
    throw preprocessingError(`${resizing[0]} of ${namedKind(config)} is not known`)
  const [foreign] =
    keysOfOne.find(([key, kind]) => config[key] === true && processorKind(config) !== kind) ?? []
  if (foreign)
    throw preprocessingError(`${foreign} is true, which ${namedKind(config)} does not know`)
}

type HubCropGeometry = Pick<
  PreprocessingConfig,
  'size' | 'resize' | 'cropPct' | 'cropOffset' | 'squash'
>

function geometryOf(config: PreprocessorConfig): HubCropGeometry {
  if (!config.do_resize) throw preprocessingError('do_resize is false')
  const kind = processorKind(config)
  if (kind === 'Perceiver')
    throw preprocessingError('Perceiver crops before it resizes, which is not known')
  const crop = isCropping(config)
  const { shortest, square } = resizeTarget(config, crop)
  if (kind === 'ConvNext' && shortest !== undefined) {
    const isFast = /Fast$/.test(namedType(config))
    if (isFast && crop && cropSize(config) !== shortest)
      throw versionsError(config, cropSize(config), shortest)
    if (shortest >= 384) return squashGeometry(shortest)
    const resize = Math.floor(shortest / (config.crop_pct ?? 224 / 256))
    // Its fast version crops as torchvision does.
    return isFast
      ? { resize, size: shortest, cropPct: shortest / resize }
      : cropGeometry(resize, shortest)
  }
  const scaled = scaledTarget(config, shortest, square)
  if (crop && scaled !== undefined) return cropGeometry(scaled, cropSize(config))
  if (scaled === undefined && square !== undefined)
    return crop ? squashedCrop(config, square) : squashGeometry(square)
  if (!crop)
    throw preprocessingError(
      'the shortest side is resized and nothing cropped, so images would not be squares',
    )
  return cropGeometry(shortest!, cropSize(config))
}

/** Processors whose older versions pass over a crop that newer ones make. */
const cropsInSome = /^(Blip|Pvt|Segformer|Siglip|ViT)$/

function squashedCrop(config: PreprocessorConfig, square: number): HubCropGeometry {
  const size = cropSize(config)
  if (size === square) return squashGeometry(size)
  if (cropsInSome.test(processorKind(config))) throw versionsError(config, size, square)
  return { ...cropGeometry(square, size), squash: true }
}

const versionsError = (config: PreprocessorConfig, size: number, from: number): GeogapError =>
  preprocessingError(
    `do_center_crop of ${size} from ${from} pixels, which versions of ${namedKind(config)} read differently`,
  )

function isCropping(config: PreprocessorConfig): boolean {
  const { do_center_crop: stated, crop_size: size } = config
  if (stated !== undefined) return stated
  const kind = processorKind(config)
  const known = defaultsOf(config)
  const usual = size === undefined ? known?.crop : undefined
  // Transformers makes the usual crop, Transformers.js none.
  if (kind === 'Beit' || (usual !== undefined && squareSide(config) !== usual))
    throw preprocessingError('no do_center_crop, which libraries read differently')
  return known ? known.crop !== undefined : size !== undefined
}

/** Returns the side of the square to which both sides are forced; the usual crop's where the shortest side is resized. */
function squareSide(config: PreprocessorConfig): number | undefined {
  const { shortest, square } = resizeTarget(config, false)
  return shortest === undefined ? square : defaultsOf(config)?.crop
}

/** Returns the shortest side of the processors that resize to more than `size`: by `crop_pct`, or by 256 / 224. */
function scaledTarget(
  config: PreprocessorConfig,
  shortest: number | undefined,
  square: number | undefined,
): number | undefined {
  const kind = processorKind(config)
  const side = shortest ?? square
  if (kind === 'PoolFormer' && side !== undefined)
    return Math.floor(side / (config.crop_pct ?? 0.9))
  return kind === 'Levit' && shortest !== undefined ? Math.floor((256 / 224) * shortest) : undefined
}

const namedType = (config: PreprocessorConfig): string =>
  config.image_processor_type ?? config.feature_extractor_type ?? ''

const processorKind = (config: PreprocessorConfig): string =>
  namedType(config).replace(/(ImageProcessor(Fast|Pil)?|FeatureExtractor)$/, '')
const cropGeometry = (resize: number, size: number): HubCropGeometry => ({
  resize,
  size,
  cropPct: size / resize,
  // Where torchvision rounds half to even.
  cropOffset: 'floor',
})
const squashGeometry = (size: number): HubCropGeometry => ({
  resize: size,
  size,
  cropPct: 1,
  squash: true,
})

function resizeTarget(
  config: PreprocessorConfig,
  crop: boolean,
): { shortest?: number; square?: number } {
  const { size } = config
  if (size === undefined) throw preprocessingError('no size')
  const known = defaultsOf(config)
  if (typeof size === 'number') {
    if (!known && crop)
      throw preprocessingError(
        `size ${size} of ${namedKind(config)}: the shortest side or both; say shortest_edge, or height and width`,
      )
    return known?.isShortSide ? { shortest: size } : { square: size }
  }
  if (size.shortest_edge !== undefined) return { shortest: size.shortest_edge }
  if (size.height === undefined || size.height !== size.width)
    throw preprocessingError(
      `size ${JSON.stringify(size)}; known are shortest_edge, or height and width of a square`,
    )
  return { square: size.height }
}

function cropSize(config: PreprocessorConfig): number {
  const { crop_size: crop = defaultsOf(config)?.crop } = config
  if (typeof crop === 'number') return crop
  if (crop?.height === undefined || crop.height !== crop.width)
    throw preprocessingError(
      `crop_size ${crop === undefined ? 'missing' : JSON.stringify(crop)}; only squares are known`,
    )
  return crop.height
}

const namedKind = (config: PreprocessorConfig): string =>
  quoteForMessage(namedType(config) || 'no image_processor_type')

/** Returns the interpolation by Pillow's number or its name, or the default of the processor's kind. */
function interpolationOf(config: PreprocessorConfig): Interpolation {
  const { resample = defaultsOf(config)?.resample } = config
  if (resample === undefined)
    throw preprocessingError(`no resample, and the default of ${namedKind(config)} is not known`)
  const found = typeof resample === 'number' ? pillowFilters[resample] : resample
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

/** Returns the order of channels of processors that end with BGR, as MobileViT's do by default. */
function channelsOf(config: PreprocessorConfig): Pick<PreprocessingConfig, 'channels'> {
  if (!(config.do_flip_channel_order ?? processorKind(config) === 'MobileViT')) return {}
  if (isNormalizing(config))
    throw preprocessingError('do_flip_channel_order beside do_normalize, whose order is not known')
  return { channels: 'BGR' }
}

/** Returns whether mean and deviation are applied: by default, but for MobileViT, whose processor knows neither. */
const isNormalizing = (config: PreprocessorConfig): boolean =>
  config.do_normalize ?? processorKind(config) !== 'MobileViT'

/** Returns mean' and std' with (x / 255 - mean') / std' = (x f - o - mean) / std, the file's formula. */
function normalizationOf(config: PreprocessorConfig): { mean: Triple; std: Triple } {
  const kind = processorKind(config)
  const known = defaultsOf(config)
  const usual = known && normalizations[known.values]
  const { image_mean: given = usual?.mean, image_std: deviations = usual?.std } = config
  const normalizes = isNormalizing(config)
  // EfficientNet's processor divides by the deviation once more for its classifier.
  const divisions = Number(normalizes) + Number(config.include_top ?? kind === 'EfficientNet')
  if ((normalizes && !given) || (divisions > 0 && !deviations))
    throw preprocessingError('do_normalize without image_mean and image_std')
  const factor = 255 * (config.do_rescale ? config.rescale_factor : 1)
  const offset = config.do_rescale && config.rescale_offset ? 1 : 0
  const scale = Math.abs(factor - 1) < 1e-6 ? 1 : factor
  const mean = (normalizes ? given! : [0, 0, 0]).map(m => (m + offset) / scale)
  const std = (deviations ?? [1, 1, 1]).map(s => s ** divisions / scale)
  return { mean: mean as unknown as Triple, std: std as unknown as Triple }
}
