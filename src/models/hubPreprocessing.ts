/*
 * preprocessor_config.json, as Transformers and Transformers.js read it, as our recipe. What it says beyond resize, crop and
 * normalization, or leaves open where libraries differ, is refused: a wrong guess would be a wrong accuracy.
 */
import { z } from 'zod'
import { type GeogapError, inputError, shown, unquoted } from '../lib/errors.ts'
import { deviations, side, triple } from './ownModel.ts'
import { type Interpolation, type Recipe, type Triple } from '../lib/pixels/steps.ts'

const sides = z.strictObject({ shortest_edge: side.optional(), height: side.optional(), width: side.optional() })
const preprocessor = z.object({
  image_processor_type: z.string().optional(),
  feature_extractor_type: z.string().optional(),
  do_resize: z.boolean().default(true),
  size: z.union([side, sides]).optional(),
  resample: z.int().optional(),
  crop_pct: z.number().positive().max(1).nullish(),
  do_center_crop: z.boolean().optional(),
  crop_size: z.union([side, sides]).optional(),
  do_rescale: z.boolean().default(true),
  rescale_factor: z
    .number()
    .positive()
    .default(1 / 255),
  rescale_offset: z.boolean().default(false),
  do_normalize: z.boolean().default(true),
  include_top: z.boolean().default(false),
  image_mean: triple.optional(),
  image_std: deviations.optional(),
  /** Changes nothing about images that are RGB already, as all are here. */
  do_convert_rgb: z.boolean().nullish(),
})
type Preprocessor = z.infer<typeof preprocessor>

const refused = (what: string): GeogapError => inputError('bad-preprocessing', `preprocessor_config.json: ${what}`)

/** @throws GeogapError `bad-preprocessing` for what is not resize, center crop and normalization to a square */
export function hubRecipe(content: unknown): Recipe {
  const result = preprocessor.safeParse(content)
  if (!result.success) {
    const { path, message } = result.error.issues[0]!
    throw refused(unquoted(`${path.join('.')}: ${message}`, 200))
  }
  const config = result.data
  const other = Object.entries(content as object).find(
    ([key, value]) => key.startsWith('do_') && value === true && !(key in preprocessor.shape),
  )
  if (other) throw refused(`${shown(other[0])} is not known`)
  const geometry = geometryOf(config)
  if ((geometry.resize ?? 0) < geometry.size) throw refused(`a crop of ${geometry.size} from ${geometry.resize} pixels`)
  return { ...normalization(config), interpolation: interpolationOf(config), ...geometry }
}

type Geometry = Pick<Recipe, 'size' | 'resize' | 'cropPct' | 'squash'>

function geometryOf(config: Preprocessor): Geometry {
  if (!config.do_resize) throw refused('do_resize is false')
  const { shortest, square } = target(config)
  const crop = config.do_center_crop ?? config.crop_size !== undefined
  if (typeOf(config).startsWith('ConvNext') && shortest !== undefined) {
    if (shortest >= 384) return squashed(shortest)
    return cropped(Math.floor(shortest / (config.crop_pct ?? 224 / 256)), shortest)
  }
  if (square !== undefined) return crop ? { ...cropped(square, cropSize(config)), squash: true } : squashed(square)
  if (!crop) throw refused('the shortest side is resized and nothing cropped, so images would not be squares')
  return cropped(shortest!, cropSize(config))
}

const typeOf = (config: Preprocessor): string => config.image_processor_type ?? config.feature_extractor_type ?? ''
const cropped = (resize: number, size: number): Geometry => ({ resize, size, cropPct: size / resize })
const squashed = (size: number): Geometry => ({ ...cropped(size, size), squash: true })

/** Older processors of these kinds take a plain number for the shortest side, all others for both sides. */
const shortSideKinds = /^(CLIP|ConvNext|Levit|PoolFormer|MobileNet)/

function target(config: Preprocessor): { shortest?: number; square?: number } {
  const { size } = config
  if (size === undefined) throw refused('no size')
  if (typeof size === 'number') return shortSideKinds.test(typeOf(config)) ? { shortest: size } : { square: size }
  if (size.shortest_edge !== undefined) return { shortest: size.shortest_edge }
  if (size.height === undefined || size.height !== size.width)
    throw refused(`size ${JSON.stringify(size)}; known are shortest_edge, or height and width of a square`)
  return { square: size.height }
}

function cropSize({ crop_size: crop }: Preprocessor): number {
  if (typeof crop === 'number') return crop
  if (crop?.height === undefined || crop.height !== crop.width)
    throw refused(`crop_size ${crop === undefined ? 'missing' : JSON.stringify(crop)}; only squares are known`)
  return crop.height
}

/** Pillow's numbers; where none is given, what the processors of that kind have as default. */
function interpolationOf(config: Preprocessor): Interpolation {
  const { resample = /^(CLIP|Bit|Deit|DeiT|Beit|Siglip)/.test(typeOf(config)) ? 3 : 2 } = config
  if (resample === 2) return 'bilinear'
  if (resample === 3) return 'bicubic'
  throw refused(`resample ${resample}; known are 2, bilinear, and 3, bicubic`)
}

/** (x f - o - mean) / std as our (x / 255 - mean') / std'. */
function normalization(config: Preprocessor): { mean: Triple; std: Triple } {
  const { do_normalize: normalizes, image_mean: given, image_std: deviations, include_top: twice } = config
  if (normalizes && (!given || !deviations)) throw refused('do_normalize without image_mean and image_std')
  const factor = 255 * (config.do_rescale ? config.rescale_factor : 1)
  const offset = config.do_rescale && config.rescale_offset ? 1 : 0
  const scale = Math.abs(factor - 1) < 1e-6 ? 1 : factor
  const mean = (normalizes ? given! : [0, 0, 0]).map(m => (m + offset) / scale)
  const std = (normalizes ? deviations! : [1, 1, 1]).map(s => (twice ? s * s : s) / scale)
  return { mean: mean as unknown as Triple, std: std as unknown as Triple }
}
