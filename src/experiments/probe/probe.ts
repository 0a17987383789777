/** Lists preprocessing settings to try on a model, and finds those that are far better than the declared one. */
import { binomialCdf } from '../../metrics/distributions.ts'
import { mean } from '../../metrics/numbers.ts'
import { normalizations } from '../../models/tagPreprocessing.ts'
import {
  describeSteps,
  nativeSteps,
  type PreprocessingConfig,
  reverseChannels,
} from '../../lib/pixels/steps.ts'

/** A preprocessing setting and its differences from the declared one. */
export interface ProbeSetting {
  changes: readonly string[]
  recipe: PreprocessingConfig
}

/** Scores of the images with one setting. */
export interface ProbeScores {
  /** Whether the first class is accepted. */
  right: readonly boolean[]
  /** Minus the natural logarithm of the probability of the accepted classes. */
  loss: readonly number[]
}

export interface ProbedSetting extends ProbeSetting {
  accuracy: number
  /** Mean loss. */
  loss: number
  /** Number of images with a smaller and a larger loss than with the declared setting. */
  better: number
  worse: number
  /** P-value of the exact two-sided sign test of better against worse, times the number of settings; null for the declared one. */
  adjusted: number | null
  farBetter: boolean
}

type ChannelNormalization = Pick<PreprocessingConfig, 'mean' | 'std'>

const pixelLevelStd = [1 / 255, 1 / 255, 1 / 255] as const

/** Common normalizations, in the order R, G, B. */
const commonNormalizations: Readonly<Record<string, ChannelNormalization>> = {
  "ImageNet's mean and std": normalizations.imagenet,
  'mean and std 0.5 (-1 to 1)': normalizations.half,
  "CLIP's mean and std": normalizations.clip,
  'no normalization (0 to 1)': normalizations.unit,
  'no normalization (0 to 255)': { ...normalizations.unit, std: pixelLevelStd },
  "ImageNet's mean off (0 to 255)": { ...normalizations.imagenet, std: pixelLevelStd },
}

/**
 * Returns both channel orders with the declared and the common normalizations; resize and crop stay as declared. A model that
 * takes raw pixels (`raw`) is tried in both orders only.
 */
export function colourSettings(declared: PreprocessingConfig, raw = false): ProbeSetting[] {
  const { channels = 'RGB', mean, std } = declared
  const inOrder = ({ mean, std }: ChannelNormalization): ChannelNormalization => ({
    mean: reverseChannels(mean),
    std: reverseChannels(std),
  })
  const own = channels === 'BGR' ? inOrder({ mean, std }) : { mean, std }
  const common = raw ? [] : Object.entries(commonNormalizations)
  const colours = [['', own] as const, ...common]
  const tried = [channels, channels === 'RGB' ? 'BGR' : 'RGB'].flatMap(order =>
    colours.map(([name, values]): ProbeSetting => {
      const recipe = { ...declared, ...values }
      delete recipe.channels
      return {
        changes: [order === channels ? '' : `${order} channels`, name].filter(text => text !== ''),
        recipe: order === 'BGR' ? { ...recipe, ...inOrder(values), channels: order } : recipe,
      }
    }),
  )
  return distinctSettings(tried, declared)
}

/** Returns other resizes and crops to the setting's size, with its colours. */
export function geometrySettings({ changes, recipe }: ProbeSetting): ProbeSetting[] {
  const { size } = recipe
  const plain = { ...recipe }
  delete plain.resize
  delete plain.squash
  const other = recipe.interpolation === 'bicubic' ? 'bilinear' : 'bicubic'
  const variants: [string, PreprocessingConfig][] = [
    [`${other} resize`, { ...recipe, interpolation: other }],
    [`short side to ${size}, none of it cropped`, { ...plain, cropPct: 1 }],
    ...[0.95, 0.875].map((cropPct): [string, PreprocessingConfig] => [
      `short side to ${Math.floor(size / cropPct)}, crop of ${size}`,
      { ...plain, cropPct },
    ]),
    [`both sides forced to ${size}`, { ...plain, cropPct: 1, squash: true }],
  ]
  const named = variants.map(([name, recipe]) => ({ changes: [...changes, name], recipe }))
  return distinctSettings(named, recipe)
}

const stepsTextOf = (recipe: PreprocessingConfig): string => describeSteps(nativeSteps(recipe))

/** Drops settings with the steps of an earlier setting or of `declared`. */
function distinctSettings(
  settings: readonly ProbeSetting[],
  declared: PreprocessingConfig,
): ProbeSetting[] {
  const seen = new Set([stepsTextOf(declared)])
  return settings.filter(({ recipe }) => {
    const steps = stepsTextOf(recipe)
    return !seen.has(steps) && seen.add(steps)
  })
}

/** A setting is far better when it lowers the mean loss by this share, and not by chance. */
const minGain = 0.15
const farBetterLevel = 0.05

/** Compares settings with the declared one. Returns the declared one first, then the others by ascending loss. */
export function judgeSettings(
  declared: ProbeSetting & ProbeScores,
  others: readonly (ProbeSetting & ProbeScores)[],
): ProbedSetting[] {
  const own = mean(declared.loss)
  const probed = others.map(({ changes, recipe, right, loss }): ProbedSetting => {
    const better = loss.filter((value, i) => value < declared.loss[i]!).length
    const worse = loss.filter((value, i) => value > declared.loss[i]!).length
    const p = Math.min(1, 2 * binomialCdf(Math.min(better, worse), better + worse, 0.5))
    const adjusted = Math.min(1, p * others.length)
    const farBetter =
      adjusted < farBetterLevel && better > worse && mean(loss) <= (1 - minGain) * own
    const accuracy = shareOf(right)
    return { changes, recipe, accuracy, loss: mean(loss), better, worse, adjusted, farBetter }
  })
  const first: ProbedSetting = {
    changes: declared.changes,
    recipe: declared.recipe,
    accuracy: shareOf(declared.right),
    loss: own,
    better: 0,
    worse: 0,
    adjusted: null,
    farBetter: false,
  }
  return [first, ...probed.sort((a, b) => a.loss - b.loss)]
}

const shareOf = (right: readonly boolean[]): number => mean(right.map(Number))

/** Returns the far better setting with the fewest changes whose loss is close to the least; undefined if none is far better. */
export function bestSetting(probed: readonly ProbedSetting[]): ProbedSetting | undefined {
  const good = probed.filter(({ farBetter }) => farBetter)
  const least = Math.min(...good.map(({ loss }) => loss))
  const close = good.filter(({ loss }) => loss * (1 - minGain) <= least)
  return close.toSorted((a, b) => a.changes.length - b.changes.length || a.loss - b.loss)[0]
}
