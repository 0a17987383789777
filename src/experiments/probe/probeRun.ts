import { availableParallelism } from 'node:os'
import { type Dataset, type Item } from '../../datasets/dataset.ts'
import { type DatasetSpec, openDataset } from '../../datasets/open.ts'
import { inputError } from '../../lib/errors.ts'
import { checkClasses } from '../../evaluate/targets.ts'
import { type Outcomes } from '../../results/predictions.ts'
import { runShards } from '../../evaluate/workers/pool.ts'
import { namedModel } from '../../models/named.ts'
import { readyModel } from '../../models/runtime/ready.ts'
import { type ReadyModel, withWeights } from '../../models/spec.ts'
import { zeroShotModel } from '../../models/runtime/zeroShotModel.ts'
import { stepsFor } from '../../evaluate/plan.ts'
import { type Recipe } from '../../lib/pixels/steps.ts'
import { inScratch } from '../../lib/scratch.ts'
import { colourSettings, geometrySettings, judge, type Probed, type Scores, type Setting } from './probe.ts'

export interface ProbeOptions {
  weights?: string
  prompts?: string
  /** Called before each setting with those done and those to do. */
  onSetting?: (done: number, total: number) => void
}

export interface Probe {
  model: string
  dataset: string
  /** Images that every setting could score. */
  images: number
  /** Images that some setting could not read or crop, or that no class is accepted for. */
  leftOut: number
  settings: Probed[]
}

/** Fewer images than this cannot show anything among some twenty settings. */
const leastImages = 20

/** A model and images that it can be shown in any way. */
export interface Probing {
  model: string
  dataset: string
  /** The declared preprocessing. */
  declared: Recipe
  /** Whether it takes pixels as they are. */
  raw: boolean
  /** Images that are there, scored or not. */
  images: number
  score: (recipe: Recipe) => Promise<Tried['scores']>
}

/** Probes a model's declared preprocessing. Errors: too-few-images, and those of opening a model and a data set. */
export const probe = (name: string, spec: DatasetSpec, options: ProbeOptions = {}): Promise<Probe> =>
  withProbing(name, spec, options, probing => probeSettings(probing, options.onSetting))

/** Opens a model and a data set for `work`, and puts away what that left on the disk. */
export async function withProbing<T>(
  name: string,
  spec: DatasetSpec,
  { weights, prompts = 'paper' }: ProbeOptions,
  work: (probing: Probing) => Promise<T>,
): Promise<T> {
  const model = withWeights(await namedModel(name), weights)
  const zeroShot = model.classes === 'zero-shot'
  const dataset = await openDataset({ ...spec, ...(zeroShot && spec.labels === undefined && { labels: 'original' }) })
  checkClasses(model, dataset)
  const readied = await readyModel(model)
  return inScratch(async heads => {
    const ready = zeroShot ? await zeroShotModel(model, readied, dataset.classes, prompts, heads) : readied.model
    const items = dataset.items.filter(({ labels }) => labels.length > 0)
    return work({
      ...{ model: model.name, dataset: dataset.name, declared: model.recipe, raw: model.graph?.dtype === 'uint8' },
      images: dataset.items.length,
      score: recipe => scoresOf(ready, recipe, dataset, items),
    })
  })
}

/**
 * Shows the same images to a model in the declared and in other ways. Colours first; then resize and crop with the best
 * colours. Errors: too-few-images.
 */
export async function probeSettings(
  { model, dataset, declared, raw, images, score }: Probing,
  onSetting: ProbeOptions['onSetting'] = () => undefined,
): Promise<Probe> {
  const colours = colourSettings(declared, raw)
  const own: Setting = { changes: [], recipe: declared }
  const total = 1 + colours.length + geometrySettings(own).length
  const tried: Tried[] = []
  const attempt = async (settings: readonly Setting[]): Promise<void> => {
    for (const setting of settings) {
      onSetting(tried.length, total)
      tried.push({ ...setting, scores: await score(setting.recipe) })
    }
  }
  await attempt([own, ...colours])
  const [best] = judged(tried).toSorted((a, b) => a.loss - b.loss)
  await attempt(geometrySettings(best!))
  onSetting(tried.length, tried.length)
  const scored = readable(tried).length
  return { model, dataset, images: scored, leftOut: images - scored, settings: judged(tried) }
}

type Tried = Setting & { scores: readonly (readonly [right: boolean, loss: number] | null)[] }

const readable = (tried: readonly Tried[]): number[] =>
  tried[0]!.scores.flatMap((_, i) => (tried.every(({ scores }) => scores[i]) ? [i] : []))

function judged(tried: readonly Tried[]): Probed[] {
  const images = readable(tried)
  if (images.length < leastImages)
    throw inputError('too-few-images', `${images.length} images that can be scored, at least ${leastImages} are needed`)
  const [declared, ...others] = tried.map(({ changes, recipe, scores }): Setting & Scores => ({
    ...{ changes, recipe },
    right: images.map(i => scores[i]![0]),
    loss: images.map(i => scores[i]![1]),
  }))
  return judge(declared!, others)
}

/** Per item whether the first class is accepted and minus the log-probability of the accepted ones; null without a prediction. */
async function scoresOf(
  model: ReadyModel,
  recipe: Recipe,
  dataset: Dataset,
  items: readonly Item[],
): Promise<Tried['scores']> {
  const found: Tried['scores'][number][] = items.map(() => null)
  const steps = stepsFor(recipe, 'native', dataset.prepare)
  await runShards(
    { models: [model], steps, choices: dataset.choices, batch: 16, threads: availableParallelism(), keep: 'logits' },
    [{ items }],
    (_, { outcomes }) => {
      for (const [i, { labels }] of items.entries()) found[i] = scoreOf(outcomes[0]!, i, labels, dataset)
      return Promise.resolve()
    },
    { processes: 1 },
  )
  return found
}

function scoreOf(
  { status, rank, kept }: Outcomes,
  i: number,
  labels: readonly number[],
  { choices, classes }: Dataset,
) {
  if (status[i] !== 'ok' || !kept) return null
  const width = kept.length / status.length
  const row = kept.subarray(i * width, (i + 1) * width)
  const allowed = choices === 'all' ? [...classes.keys()] : choices
  const top = allowed.reduce((most, c) => Math.max(most, row[c]!), -Infinity)
  const weight = (among: readonly number[]): number => among.reduce((sum, c) => sum + Math.exp(row[c]! - top), 0)
  const share = weight(labels.filter(c => allowed.includes(c))) / weight(allowed)
  return [rank[i] === 1, -Math.log(Math.max(share, leastShare))] as const
}

/** Keeps the logarithm finite. */
const leastShare = 1e-30
