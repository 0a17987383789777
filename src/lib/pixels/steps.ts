import { inputError } from '../errors.ts'

export type Interpolation = 'bilinear' | 'bicubic'
export type Triple = readonly [number, number, number]

/** One visible step from decoded pixels to the backbone's input. */
export type PreprocessingStep =
  /** Cuts `pixels` off every side, as ObjectNet's red border needs. */
  | { step: 'trim'; pixels: number }
  /** The shorter side to `size`, antialiased as Pillow does it; `squash` forces both sides to `size`. */
  | { step: 'resize'; size: number; interpolation: Interpolation; squash?: boolean }
  | { step: 'centerCrop'; size: number }
  /** (x / 255 - mean) / std per channel; `BGR` turns the channels round first, mean and std being in that order. */
  | { step: 'normalize'; mean: Triple; std: Triple; channels?: 'BGR' }

export type Normalization = Extract<PreprocessingStep, { step: 'normalize' }>

/** How images become model inputs: by the steps of the model or those of the paper. */
export const preprocessingModes = ['native', 'paper'] as const
/** How images are prepared: `native` is each model's own preprocessing, `paper` is one for all models. */
export type PreprocessingMode = (typeof preprocessingModes)[number]

export const trim = (pixels: number): PreprocessingStep => ({ step: 'trim', pixels })
/**
 * Returns the step that resizes the shorter side to `size` pixels.
 *
 * @example
 * resize(256, 'bicubic')
 */
export const resize = (size: number, interpolation: Interpolation): PreprocessingStep => ({
  step: 'resize',
  size,
  interpolation,
})
/**
 * Returns the step that crops a square of `size` pixels from the center.
 *
 * @example
 * centerCrop(224)
 */
export const centerCrop = (size: number): PreprocessingStep => ({ step: 'centerCrop', size })
/**
 * Returns the step that subtracts `mean` and divides by `std`, by channel.
 *
 * @example
 * normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
 */
export const normalize = (mean: Triple, std: Triple): Normalization => ({
  step: 'normalize',
  mean,
  std,
})

export const imagenetMean: Triple = [0.485, 0.456, 0.406]
export const imagenetStd: Triple = [0.229, 0.224, 0.225]

/** The paper's steps for every model (appendix A). */
export const paperSteps: readonly PreprocessingStep[] = [
  resize(256, 'bilinear'),
  centerCrop(224),
  normalize(imagenetMean, imagenetStd),
]

/** The paper's steps in the order of the model's channels. */
export const paperStepsFor = ({
  channels,
}: Pick<PreprocessingConfig, 'channels'>): readonly PreprocessingStep[] =>
  channels
    ? [
        ...paperSteps.slice(0, -1),
        { ...normalize(reverseChannels(imagenetMean), reverseChannels(imagenetStd)), channels },
      ]
    : paperSteps

/** A triple in the other order of channels. */
export const reverseChannels = ([a, b, c]: Triple): Triple => [c, b, a]

/** A model's preprocessing in timm's terms: input size, crop, interpolation, mean and std. */
export interface PreprocessingConfig {
  mean: Triple
  std: Triple
  /** The order of the channels, mean and std included, where it is not RGB. */
  channels?: 'BGR'
  interpolation: Interpolation
  /** Share of the resized image's shorter side that the crop keeps. */
  cropPct: number
  size: number
  /** The resize target, where it is stated itself and not as floor(size / cropPct). */
  resize?: number
  /** Both sides are forced to the resize target, whatever the image's shape. */
  squash?: boolean
}

/** The model's own steps; the resize target is floor(size / cropPct) as timm computes it. */
export const nativeSteps = (recipe: PreprocessingConfig): readonly PreprocessingStep[] => {
  const { mean, std, channels, interpolation, cropPct, size, squash } = recipe
  const target = recipe.resize ?? Math.floor(size / cropPct)
  return [
    { ...resize(target, interpolation), ...(squash && { squash }) },
    centerCrop(size),
    { ...normalize(mean, std), ...(channels && { channels }) },
  ]
}

/** Steps on pixels, which depend on the image's size, and the normalization that follows them. */
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

/** `resize(256, bilinear) centerCrop(224) normalize(…)`: one line, also the steps' part of a result's key. */
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
      return `centerCrop(${step.size})`
    case 'normalize':
      return `normalize(mean ${step.mean.join(' ')}, std ${step.std.join(' ')}${step.channels ? `, ${step.channels}` : ''})`
  }
}

/** Returns the steps that `describeSteps` wrote. Errors: bad-preprocessing. */
export function parseSteps(text: string): PreprocessingStep[] {
  return [...text.matchAll(/(\w+)\(([^)]*)\)/g)].map(([, name, inner]): PreprocessingStep => {
    const [first, second, third] = inner!.split(', ') as [string, string?, string?]
    if (name === 'trim') return trim(Number(first))
    if (name === 'centerCrop') return centerCrop(Number(first))
    if (name === 'resize')
      return { ...resize(Number(first), second as Interpolation), ...(third && { squash: true }) }
    if (name !== 'normalize')
      throw inputError('bad-preprocessing', `${name} is no preprocessing step: ${text}`)
    const triple = (words = ''): Triple => words.split(' ').slice(1).map(Number) as never
    return { ...normalize(triple(first), triple(second)), ...(third && { channels: 'BGR' }) }
  })
}
