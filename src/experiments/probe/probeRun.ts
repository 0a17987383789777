import { availableParallelism } from 'node:os'
import { type Dataset, type Sample } from '../../datasets/dataset.ts'
import { type DatasetSpec, openDataset } from '../../datasets/open.ts'
import { inputError } from '../../lib/errors.ts'
import { checkClasses } from '../../evaluate/targets.ts'
import { type Predictions } from '../../results/predictions.ts'
import { runShards } from '../../evaluate/workers/pool.ts'
import { loadModelSpec } from '../../models/loadModelSpec.ts'
import { prepareModel } from '../../models/runtime/prepareModel.ts'
import { type LocalModel, withWeights } from '../../models/spec.ts'
import { toZeroShotModel } from '../../models/runtime/zeroShotModel.ts'
import { stepsFor } from '../../evaluate/plan.ts'
import { type PreprocessingConfig } from '../../lib/pixels/steps.ts'
import { withTempDir } from '../../lib/tempDir.ts'
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

/** Probes a model's declared preprocessing. Errors: too-few-images, and those of opening a model and a data set. */
export const probeModel = (
  name: string,
  spec: DatasetSpec,
  options: ProbeOptions = {},
): Promise<ProbeResult> =>
  withProbeTarget(name, spec, options, probing => probeSettings(probing, options.onSetting))

/** Opens a model and a data set for `work`; temporary files are removed afterwards. */
export async function withProbeTarget<T>(
  name: string,
  spec: DatasetSpec,
  { weights, prompts = 'paper' }: ProbeOptions,
  work: (probing: ProbeTarget) => Promise<T>,
): Promise<T> {
  const model = withWeights(await loadModelSpec(name), weights)
  const zeroShot = model.classes === 'zero-shot'
  const dataset = await openDataset({
    ...spec,
    ...(zeroShot && spec.labels === undefined && { labels: 'original' }),
  })
  checkClasses(model, dataset)
  const prepared = await prepareModel(model)
  return withTempDir(async heads => {
    const ready = zeroShot
      ? await toZeroShotModel(prepared, { classNames: dataset.classes, prompts, heads })
      : prepared.model
    const items = dataset.samples.filter(({ labels }) => labels.length > 0)
    return work({
      model: model.name,
      dataset: dataset.name,
      declared: model.recipe,
      takesRawPixels: model.graph?.dtype === 'uint8',
      images: dataset.samples.length,
      score: recipe => scoresOf(ready, recipe, dataset, items),
    })
  })
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

/** Scores every sample; null where there is no prediction. */
async function scoresOf(
  model: LocalModel,
  recipe: PreprocessingConfig,
  dataset: Dataset,
  items: readonly Sample[],
): Promise<ScoredSetting['scores']> {
  const found: ScoredSetting['scores'][number][] = items.map(() => null)
  const steps = stepsFor(recipe, 'native', dataset.imageFixes)
  await runShards(
    {
      models: [model],
      steps,
      choices: dataset.choices,
      batch: 16,
      threads: availableParallelism(),
      keep: 'logits',
    },
    [{ items }],
    {
      processes: 1,
      onResult: (_, { outcomes }) => {
        for (const [i, { labels }] of items.entries())
          found[i] = scoreOf(outcomes[0]!, i, labels, dataset)
        return Promise.resolve()
      },
    },
  )
  return found
}

function scoreOf(
  { status, rank, kept }: Predictions,
  i: number,
  labels: readonly number[],
  { choices, classes }: Dataset,
) {
  if (status[i] !== 'ok' || !kept) return null
  const width = kept.length / status.length
  const row = kept.subarray(i * width, (i + 1) * width)
  const allowed = choices === 'all' ? [...classes.keys()] : choices
  const top = allowed.reduce((most, c) => Math.max(most, row[c]!), -Infinity)
  const weight = (among: readonly number[]): number =>
    among.reduce((sum, c) => sum + Math.exp(row[c]! - top), 0)
  const share = weight(labels.filter(c => allowed.includes(c))) / weight(allowed)
  return [rank[i] === 1, -Math.log(Math.max(share, minShare))] as const
}

/** Keeps the logarithm finite. */
const minShare = 1e-30
