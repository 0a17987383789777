import {
  imagenetMean,
  imagenetStd,
  type PreprocessingConfig,
  type Triple,
} from '../lib/pixels/steps.ts'

const dpnStd = 1 / (0.0167 * 255)

/** Means and standard deviations by their names in the tag tables. */
export const normalizations = {
  imagenet: { mean: imagenetMean, std: imagenetStd },
  half: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  clip: { mean: [0.48145466, 0.4578275, 0.40821073], std: [0.26862954, 0.26130258, 0.27577711] },
  satellite: { mean: [0.43, 0.411, 0.296], std: [0.213, 0.156, 0.143] },
  unit: { mean: [0, 0, 0], std: [1, 1, 1] },
  dpn: { mean: [124 / 255, 117 / 255, 104 / 255], std: [dpnStd, dpnStd, dpnStd] },
} as const satisfies Readonly<Record<string, { mean: Triple; std: Triple }>>

/** Returns the recipe of a row of a tag table; `resize` is `short side` or `squash`. */
export function tagRecipe(row: {
  normalization: string
  interpolation: string
  cropPct: number
  size: number
  resize?: string
}): PreprocessingConfig {
  const { mean, std } = normalizations[row.normalization as keyof typeof normalizations]
  const interpolation = row.interpolation === 'bilinear' ? 'bilinear' : 'bicubic'
  const recipe = { mean, std, interpolation, cropPct: row.cropPct, size: row.size } as const
  return row.resize === 'squash' ? { ...recipe, squash: true } : recipe
}
