import { type Dataset, type Sample } from '../../datasets/dataset.ts'
import { type DatasetSpec, openDataset } from '../../datasets/open.ts'
import { availableCores } from '../../lib/cores.ts'
import { inputError } from '../../lib/errors.ts'
import { checkClasses } from '../../evaluate/targets.ts'
import { type Predictions } from '../../results/predictions.ts'
import { runShards } from '../../evaluate/workers/pool.ts'
import { loadModelWithWeights } from '../../models/loadModelSpec.ts'
import { prepareModel } from '../../models/runtime/prepareModel.ts'
import { type LocalModel } from '../../models/spec.ts'
import { toZeroShotModel } from '../../models/zeroShot/zeroShotModel.ts'
import { stepsFor } from '../../evaluate/jobs.ts'
import { type PreprocessingConfig } from '../../lib/pixels/steps.ts'
import {
  colourSettings,
  geometrySettings,
  judgeSettings,
  type ProbedSetting,
  type ProbeScores,
  type ProbeSetting,
} from './probe.ts'

export interface ProbeOptions {
  weights?: string
  prompts?: string
  /** Called before each setting with the numbers of settings done and in total. */
  onSetting?: (done: number, total: number) => void
}

export interface ProbeResult {
  model: string
  dataset: string
  /** Images that every setting could score. */
  images: number
  /** Images that some setting could not read or crop, or that no class is accepted for. */
  leftOut: number
  settings: ProbedSetting[]
}

/** With fewer images no difference between some twenty settings can be significant. */
const minImages = 20

/** A model with the images that it is probed on. */
export interface ProbeTarget {
  model: string
  dataset: string
  /** The declared preprocessing. */
  declared: PreprocessingConfig
  /** Whether it takes pixels as they are. */
  takesRawPixels: boolean
  /** Number of images, scored or not. */
  images: number
  score: (recipe: PreprocessingConfig) => Promise<ScoredSetting['scores']>
}

/** Probes a model's declared preprocessing. Errors: too-few-images, and errors of opening a model and a data set. */
export const probeModel = async (
  name: string,
  spec: DatasetSpec,
  options: ProbeOptions = {},
): Promise<ProbeResult> =>
  probeSettings(await openProbeTarget(name, spec, options), options.onSetting)

/** Opens a model and a data set for a probe. */
export async function openProbeTarget(
  name: string,
  spec: DatasetSpec,
  { weights, prompts = 'paper' }: ProbeOptions = {},
): Promise<ProbeTarget> {
  const model = await loadModelWithWeights(name, weights)
  const isZeroShot = model.classes === 'zero-shot'
  const dataset = await openDataset(isZeroShot ? { labels: 'original', ...spec } : spec)
  checkClasses(model, dataset)
  const prepared = await prepareModel(model)
  const ready = isZeroShot
    ? await toZeroShotModel(prepared, { classNames: dataset.classes, prompts })
    : prepared.model
  return {
    model: model.name,
    dataset: dataset.name,
    declared: model.recipe,
    takesRawPixels: model.graph?.dtype === 'uint8',
    images: dataset.samples.length,
    score: recipe => scoresOf(ready, recipe, dataset),
  }
}

/**
 * Scores the same images with the declared and with other settings: colours first, then resize and crop with the best
 * colours. Errors: too-few-images.
 */
export async function probeSettings(
  { model, dataset, declared, takesRawPixels: raw, images, score }: ProbeTarget,
  onSetting: ProbeOptions['onSetting'] = () => undefined,
): Promise<ProbeResult> {
  const colours = colourSettings(declared, raw)
  const own: ProbeSetting = { changes: [], recipe: declared }
  const total = 1 + colours.length + geometrySettings(own).length
  const tried: ScoredSetting[] = []
  const attempt = async (settings: readonly ProbeSetting[]): Promise<void> => {
    for (const setting of settings) {
      onSetting(tried.length, total)
      tried.push({ ...setting, scores: await score(setting.recipe) })
    }
  }
  await attempt([own, ...colours])
  const [best] = judgeScored(tried).toSorted((a, b) => a.loss - b.loss)
  await attempt(geometrySettings(best!))
  onSetting(tried.length, tried.length)
  const scored = scoredByAll(tried).length
  return { model, dataset, images: scored, leftOut: images - scored, settings: judgeScored(tried) }
}

type ScoredSetting = ProbeSetting & {
  scores: readonly (readonly [right: boolean, loss: number] | null)[]
}

const scoredByAll = (tried: readonly ScoredSetting[]): number[] =>
  tried[0]!.scores.flatMap((_, i) => (tried.every(({ scores }) => scores[i]) ? [i] : []))

function judgeScored(tried: readonly ScoredSetting[]): ProbedSetting[] {
  const images = scoredByAll(tried)
  if (images.length < minImages)
    throw inputError(
      'too-few-images',
      `${images.length} images that can be scored, at least ${minImages} are needed`,
    )
  const [declared, ...others] = tried.map(
    ({ changes, recipe, scores }): ProbeSetting & ProbeScores => ({
      changes,
      recipe,
      right: images.map(i => scores[i]![0]),
      loss: images.map(i => scores[i]![1]),
    }),
  )
  return judgeSettings(declared!, others)
}

/** Scores every sample with a class; null if it has no prediction. */
async function scoresOf(
  model: LocalModel,
  recipe: PreprocessingConfig,
  dataset: Dataset,
): Promise<ScoredSetting['scores']> {
  const items = dataset.samples.filter(({ labels }) => labels.length > 0)
  let scores: ScoredSetting['scores'] = items.map(() => null)
  const task = {
    models: [model],
    steps: stepsFor(recipe, 'native', dataset.imageFixes),
    choices: dataset.choices,
    batch: 16,
    threads: availableCores(),
    keep: 'logits' as const,
  }
  await runShards(task, [{ items }], {
    processes: 1,
    onResult: (_, { outcomes }) => {
      scores = scoreSamples(items, outcomes[0]!, dataset)
      return Promise.resolve()
    },
  })
  return scores
}

function scoreSamples(
  items: readonly Sample[],
  { status, rank, kept }: Predictions,
  { choices, classes }: Dataset,
): ScoredSetting['scores'] {
  if (!kept) return items.map(() => null)
  const width = kept.length / status.length
  const allowed = choices === 'all' ? [...classes.keys()] : choices
  return items.map(({ labels }, i) => {
    if (status[i] !== 'ok') return null
    const row = kept.subarray(i * width, (i + 1) * width)
    const top = allowed.reduce((most, c) => Math.max(most, row[c]!), -Infinity)
    const weight = (among: readonly number[]): number =>
      among.reduce((sum, c) => sum + Math.exp(row[c]! - top), 0)
    const share = weight(labels.filter(c => allowed.includes(c))) / weight(allowed)
    return [rank[i] === 1, -Math.log(Math.max(share, minShare))] as const
  })
}

/** Keeps the logarithm finite. */
const minShare = 1e-30
