/** Preprocessing settings to try on a model, and the rule that says which are far better than the declared one. */
import { binomialCdf } from '../../metrics/distributions.ts'
import { mean } from '../../metrics/numbers.ts'
import { normalizations } from '../../models/recipes.ts'
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

/** Scores of one setting by image: whether the first class is accepted, and minus the log-probability of the accepted classes. */
export interface ProbeScores {
  right: readonly boolean[]
  loss: readonly number[]
}

export interface ProbedSetting extends ProbeSetting {
  accuracy: number
  /** Mean of minus the natural logarithm of the probability that the accepted classes got. */
  loss: number
  /** Images that it scores better and worse than the declared setting does, by that probability. */
  better: number
  worse: number
  /** Exact two-sided sign test of as many better as worse, times the number of settings tried; null for the declared one. */
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
  const colours = [['', own] as const, ...(raw ? [] : Object.entries(commonNormalizations))]
  const tried = [channels, channels === 'RGB' ? 'BGR' : 'RGB'].flatMap(order =>
    colours.map(([name, values]): ProbeSetting => ({
      changes: [
        ...(order === channels ? [] : [`${order} channels`]),
        ...(name === '' ? [] : [name]),
      ],
      recipe: {
        ...geometryOf(declared),
        ...(order === 'BGR'
          ? { ...inOrder(values), channels: order }
          : { mean: values.mean, std: values.std }),
      },
    })),
  )
  return distinctSettings(tried, declared)
}

const geometryOf = ({ interpolation, cropPct, size, resize, squash }: PreprocessingConfig) => ({
  interpolation,
  cropPct,
  size,
  ...(resize !== undefined && { resize }),
  ...(squash && { squash }),
})

/** Returns other resizes and crops to the setting's size, with its colours. */
export function geometrySettings({ changes, recipe }: ProbeSetting): ProbeSetting[] {
  const { mean, std, channels, size, interpolation } = recipe
  const plain = { mean, std, ...(channels && { channels }), interpolation, size }
  const other = interpolation === 'bicubic' ? ('bilinear' as const) : ('bicubic' as const)
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
    return {
      changes,
      recipe,
      accuracy: shareOf(right),
      loss: mean(loss),
      better,
      worse,
      adjusted,
      farBetter,
    }
  })
  const { changes, recipe } = declared
  const first = {
    changes,
    recipe,
    accuracy: shareOf(declared.right),
    loss: own,
    better: 0,
    worse: 0,
    adjusted: null,
  }
  return [{ ...first, farBetter: false }, ...probed.sort((a, b) => a.loss - b.loss)]
}

const shareOf = (right: readonly boolean[]): number => mean(right.map(Number))

/** Returns the far better setting with the fewest changes whose loss is close to the least; undefined if none is far better. */
export function bestSetting(probed: readonly ProbedSetting[]): ProbedSetting | undefined {
  const good = probed.filter(({ farBetter }) => farBetter)
  const least = Math.min(...good.map(({ loss }) => loss))
  const close = good.filter(({ loss }) => loss * (1 - minGain) <= least)
  return close.toSorted((a, b) => a.changes.length - b.changes.length || a.loss - b.loss)[0]
}
