import { inputError } from '../errors.ts'

/** Pillow's filters by their names. */
export const interpolations = [
  'nearest',
  'box',
  'bilinear',
  'hamming',
  'bicubic',
  'lanczos',
] as const
export type Interpolation = (typeof interpolations)[number]
export type Triple = readonly [number, number, number]

/** One step from decoded pixels to a model's input. */
export type PreprocessingStep =
  /** Cuts `pixels` off every side, as ObjectNet's red border needs. */
  | { step: 'trim'; pixels: number }
  /** Resizes the shorter side to `size`, antialiased as Pillow does it; `squash` forces both sides to `size`. */
  | { step: 'resize'; size: number; interpolation: Interpolation; squash?: boolean | undefined }
  /** Cuts a square out of the center; an odd rest is split by rounding half to even, as torchvision does, or by `floor`. */
  | { step: 'centerCrop'; size: number; offset?: 'floor' | undefined }
  | Normalization

/** (x / 255 - mean) / std by channel; `BGR` reverses the channels first, and mean and std are in that order. */
export interface Normalization {
  step: 'normalize'
  mean: Triple
  std: Triple
  channels?: 'BGR' | undefined
}

/** The preprocessing modes. */
export const preprocessingModes = ['native', 'paper'] as const
/** `native` is each model's own preprocessing, `paper` is one preprocessing for all models. */
export type PreprocessingMode = (typeof preprocessingModes)[number]

/** Returns the step that cuts `pixels` off every side. */
export const trim = (pixels: number): PreprocessingStep => ({ step: 'trim', pixels })

/**
 * Returns the step that resizes the shorter side to `size` pixels, or both sides with `squash`.
 *
 * @example
 * resize(256, 'bicubic')
 */
export const resize = (
  size: number,
  interpolation: Interpolation,
  squash?: boolean,
): PreprocessingStep => ({ step: 'resize', size, interpolation, squash })

/**
 * Returns the step that crops a square of `size` pixels from the center.
 *
 * @example
 * centerCrop(224)
 */
export const centerCrop = (size: number, offset?: 'floor'): PreprocessingStep => ({
  step: 'centerCrop',
  size,
  offset,
})

/**
 * Returns the step that subtracts `mean` and divides by `std`, by channel.
 *
 * @example
 * normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
 */
export const normalize = (mean: Triple, std: Triple, channels?: 'BGR'): Normalization => ({
  step: 'normalize',
  mean,
  std,
  channels,
})

export const imagenetMean: Triple = [0.485, 0.456, 0.406]
export const imagenetStd: Triple = [0.229, 0.224, 0.225]

/** The paper's steps for every model (appendix A). */
export const paperSteps: readonly PreprocessingStep[] = [
  resize(256, 'bilinear'),
  centerCrop(224),
  normalize(imagenetMean, imagenetStd),
]

/** Returns the paper's steps for a model with this order of channels. */
export const paperStepsFor = ({
  channels,
}: Pick<PreprocessingConfig, 'channels'>): readonly PreprocessingStep[] =>
  channels
    ? [
        ...paperSteps.slice(0, -1),
        normalize(reverseChannels(imagenetMean), reverseChannels(imagenetStd), channels),
      ]
    : paperSteps

/** Returns the values of RGB in the order BGR, and the reverse. */
export const reverseChannels = ([a, b, c]: Triple): Triple => [c, b, a]

/** A model's preprocessing in timm's terms: input size, crop, interpolation, mean and std. */
export interface PreprocessingConfig {
  mean: Triple
  std: Triple
  /** The order of the channels, mean and std included; RGB by default. */
  channels?: 'BGR'
  interpolation: Interpolation
  /** Share of the resized image's shorter side that the crop keeps. */
  cropPct: number
  size: number
  /** How an odd rest around the crop is split: by rounding half to even by default, as torchvision does. */
  cropOffset?: 'floor'
  /** The resize target, floor(size / cropPct) by default. */
  resize?: number
  /** Whether both sides are forced to the resize target. */
  squash?: boolean
}

/** Returns the model's own steps, as timm computes them. */
export const nativeSteps = (config: PreprocessingConfig): readonly PreprocessingStep[] => [
  resize(
    config.resize ?? Math.floor(config.size / config.cropPct),
    config.interpolation,
    config.squash,
  ),
  centerCrop(config.size, config.cropOffset),
  normalize(config.mean, config.std, config.channels),
]

/** Splits steps into those on pixels, which depend on the image's size, and the normalization. Errors: bad-preprocessing. */
export function splitSteps(steps: readonly PreprocessingStep[]): {
  geometry: readonly PreprocessingStep[]
  normalization: Normalization
  size: number
} {
  const last = steps.at(-1)
  const crop = steps.at(-2)
  const order = steps.map(({ step }) => step).join(' ')
  if (
    last?.step !== 'normalize' ||
    crop?.step !== 'centerCrop' ||
    !/^(trim )*(resize )?centerCrop normalize$/.test(order)
  )
    throw inputError(
      'bad-preprocessing',
      `preprocessing is trim or none, resize or none, centerCrop, normalize, in this order: ${describeSteps(steps)}`,
    )
  const resized = steps.findLast(step => step.step === 'resize')
  if (resized && resized.size < crop.size) {
    throw inputError(
      'bad-preprocessing',
      `the crop is larger than the resized image: ${describeSteps(steps)}`,
    )
  }
  return { geometry: steps.slice(0, -1), normalization: last, size: crop.size }
}

/** Returns the steps as one line, `resize(256, bilinear) centerCrop(224) normalize(…)`, which is part of a result's key. */
export function describeSteps(steps: readonly PreprocessingStep[]): string {
  return steps.map(describeStep).join(' ')
}

function describeStep(step: PreprocessingStep): string {
  switch (step.step) {
    case 'trim':
      return `trim(${step.pixels})`
    case 'resize':
      return `resize(${step.size}, ${step.interpolation}${step.squash ? ', squash' : ''})`
    case 'centerCrop':
      return `centerCrop(${step.size}${step.offset ? ', floor' : ''})`
    case 'normalize':
      return `normalize(mean ${step.mean.join(' ')}, std ${step.std.join(' ')}${step.channels ? `, ${step.channels}` : ''})`
  }
}

/** Returns the steps that `describeSteps` wrote. Errors: bad-preprocessing. */
export function parseSteps(text: string): PreprocessingStep[] {
  return [...text.matchAll(/(\w+)\(([^)]*)\)/g)].map(([, name, inner]): PreprocessingStep => {
    const [first, second, third] = inner!.split(', ') as [string, string?, string?]
    if (name === 'trim') return trim(Number(first))
    if (name === 'centerCrop') return centerCrop(Number(first), second ? 'floor' : undefined)
    if (name === 'resize')
      return resize(Number(first), second as Interpolation, third ? true : undefined)
    if (name !== 'normalize')
      throw inputError('bad-preprocessing', `${name} is no preprocessing step: ${text}`)
    const triple = (words = ''): Triple => words.split(' ').slice(1).map(Number) as never
    return normalize(triple(first), triple(second), third ? 'BGR' : undefined)
  })
}
