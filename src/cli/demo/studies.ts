/*
 * Small versions of the paper's two training experiments: the last layer of one fitted model is retrained on pictures by other
 * households, and on samples of one size with a growing share of western pictures. Results are reported as they come out.
 */
import { type Dataset } from '../../datasets/dataset.ts'
import { scorePart } from '../../experiments/scorePart.ts'
import { openParts, type DatasetPart } from '../../experiments/parts.ts'
import { type FeatureSet, loadOrComputeFeatures } from '../../experiments/features.ts'
import { retrainHead } from '../../experiments/lastLayer.ts'
import { type RetrainingResult, runRetraining } from '../../experiments/retraining.ts'
import { runStudy, type StudySummaryRow } from '../../experiments/study.ts'
import { largestSize, drawWesternSample } from '../../experiments/westernShare.ts'
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { loadHead, selectRows } from '../../models/runtime/head.ts'
import { loadModelSpec } from '../../models/loadModelSpec.ts'
import { recordStudy } from '../../results/studies.ts'
import { percent } from '../../lib/table/text.ts'
import { prepareModel } from '../../models/runtime/prepareModel.ts'

export interface DemoStudyOptions {
  /** Path of the model's description. */
  model: string
  /** Pictures by households that are not evaluated. */
  training: Dataset
  households: Dataset
  /** Folder for the results. */
  out: string
}

const trainingProtocol = { epochs: 30, rate: 0.1 }
const seeds = 3
const fractions = [0.1, 0.5, 1]
const shares = [0.5, 0.75, 1]
const minN = 30

/** Runs both experiments, stores their studies and returns a summary of a few lines. */
export async function demoStudies(world: DemoStudyOptions): Promise<string> {
  const { model, training, households, out } = world
  const done = await runRetraining({
    ...trainingProtocol,
    model,
    train: training,
    evals: [households],
    fractions,
    seeds,
    minN,
    out,
  })
  const western = await trainWesternLayers(world)
  await recordStudy(out, { study: 'western-share', model: done.model }, western.rows)
  return `${retrainingText(done, training.samples.length, households.name)}\n\n${westernText(western.size, western.rows)}\n`
}

/** Trains the last layer on samples of one size, with the features and the first head of the retraining. */
async function trainWesternLayers({
  model,
  training,
  households,
  out,
}: DemoStudyOptions): Promise<{ rows: StudySummaryRow[]; size: number }> {
  const ready = await prepareModel(await loadModelSpec(model))
  const open = (from: string | Dataset): Promise<FeatureSet> =>
    loadOrComputeFeatures(ready, from as Dataset, { out })
  const { train, evals } = await openParts(
    { train: training, evals: [households], split: 'household' },
    open,
  )
  const head = await loadHead(train.featureSet.headFile!)
  const regions = train.samples.map(({ groups }) => String(groups['region']))
  const size = largestSize(regions, shares)
  const run = async (share: number, seed: number) => {
    const rows = drawWesternSample(regions, { size, share, seed })
    const labels = rows.map(row => train.samples[row]!.labels[0]!)
    const trained = await retrainHead({
      ...trainingProtocol,
      features: selectRows(train.features, rows),
      labels,
      head,
      seed,
    })
    const figures = await scorePart(evals[0]!, trained.head, minN)
    return {
      'europe minus africa':
        figures[`${(evals[0] as DatasetPart).label} europe minus africa`] ?? null,
    }
  }
  return { rows: await runStudy({ settings: shares, seeds, run }), size }
}

const valuesOf = (rows: readonly StudySummaryRow[], setting: number, metric: string): number[] =>
  rows
    .find(row => row.setting === setting && row.metric === metric)
    ?.values.filter(value => value !== null) ?? []

/** Returns whether the 95 % t-interval of the mean leaves out 0. */
function directionOf(values: readonly number[]): 'rises' | 'falls' | 'does not change clearly' {
  const [low, high] = meanInterval(values) ?? [0, 0]
  return low > 0 ? 'rises' : high < 0 ? 'falls' : 'does not change clearly'
}

const meanAndRange = (values: readonly number[]): string => {
  const shown = percent(mean(values))
  return values.length < 2
    ? shown
    : `${shown} (${percent(Math.min(...values))} to ${percent(Math.max(...values))})`
}

/** Returns what retraining changed, beside the paper's result. */
function retrainingText(
  { model, rows }: RetrainingResult,
  images: number,
  dataset: string,
): string {
  const change = (what: string): { text: string; way: string } => {
    const [before = 0] = valuesOf(rows, 0, `${dataset} ${what}`)
    const after = valuesOf(rows, 1, `${dataset} ${what}`)
    const way = directionOf(after.map(value => value - before))
    return {
      text: `${what} ${percent(before)} before, ${meanAndRange(after)} after`,
      way: `${what} ${way}`,
    }
  }
  const accuracy = change('accuracy')
  const gap = change('disparity')
  const same = accuracy.way === 'accuracy rises' && gap.way === 'disparity falls'
  return `The last layer of ${model} retrained on ${images} pictures by other households, ${seeds} seeds:
  ${accuracy.text} (%)
  ${gap.text} (points)
The paper sees accuracy rise and disparity fall (table 4). Here ${accuracy.way} and ${gap.way}: ${same ? 'the same' : 'not the same'}.`
}

/** Returns what the western share changed, beside the paper's result. */
function westernText(size: number, rows: readonly StudySummaryRow[]): string {
  const metric = 'europe minus africa'
  const [first, last] = [shares[0]!, shares.at(-1)!].map(share =>
    valuesOf(rows, share, metric),
  ) as [number[], number[]]
  const way = directionOf(last.map((value, i) => value - first[i]!))
  const lines = shares.map(
    share =>
      `  ${percent(share, 0).padStart(3)} % western: ${meanAndRange(valuesOf(rows, share, metric))}`,
  )
  return `Its last layer retrained on samples of ${size} pictures, Europe minus Africa in points:
${lines.join('\n')}
The paper sees it grow with the western share (figure 11, whole network). Here it ${way}: ${way === 'rises' ? 'the same' : 'not the same'}.`
}
