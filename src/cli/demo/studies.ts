/*
 * The paper's two training experiments in the made-up world, small: the last layer of one fitted model is retrained on
 * pictures by other households, and on samples of one size with more and more western ones. What comes out is said as it is.
 */
import { type Dataset } from '../../datasets/dataset.ts'
import { partFigures } from '../../experiments/partFigures.ts'
import { openParts, type Part } from '../../experiments/parts.ts'
import { type Kept, keepFeatures } from '../../experiments/features.ts'
import { retrainHead } from '../../experiments/lastLayer.ts'
import { retraining } from '../../experiments/retraining.ts'
import { study, type StudyRow } from '../../experiments/study.ts'
import { largestSize, westernSample } from '../../experiments/westernShare.ts'
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { loadHead, picked } from '../../models/runtime/head.ts'
import { namedModel } from '../../models/named.ts'
import { recordStudy } from '../../results/studies.ts'
import { percent } from '../../lib/table/text.ts'
import { prepared } from '../../evaluate/targets.ts'

export interface StudyWorld {
  /** Path of the model's description. */
  model: string
  /** Pictures by other households than the evaluated ones. */
  training: Dataset
  households: Dataset
  /** Where results go. */
  out: string
}

const protocol = { epochs: 30, rate: 0.1 }
const seeds = 3
const fractions = [0.1, 0.5, 1]
const shares = [0.5, 0.75, 1]
const minN = 30

/** Runs both, records their studies, and says in a few lines what came out. */
export async function demoStudies(world: StudyWorld): Promise<string> {
  const { model, training, households, out } = world
  const done = await retraining({
    ...protocol,
    model,
    train: training,
    evals: [households],
    fractions,
    seeds,
    minN,
    out,
  })
  const western = await westernLayers(world)
  await recordStudy(out, 'western-share', western.rows, done.model)
  return `${retrainingText(done.model, training.items.length, households.name, done.rows)}\n\n${westernText(western.size, western.rows)}\n`
}

/** The last layer trained on samples of one size; the kept features and the first head are the retraining's. */
async function westernLayers({
  model,
  training,
  households,
  out,
}: StudyWorld): Promise<{ rows: StudyRow[]; size: number }> {
  const ready = await prepared(await namedModel(model))
  const open = (from: string | Dataset): Promise<Kept> => keepFeatures(ready, from as Dataset, { out })
  const { train, evals } = await openParts({ train: training, evals: [households], split: 'household' }, open)
  const head = await loadHead(train.kept.head!)
  const regions = train.items.map(({ groups }) => String(groups['region']))
  const size = largestSize(regions, shares)
  const run = async (share: number, seed: number) => {
    const rows = westernSample(regions, { size, share, seed })
    const labels = rows.map(row => train.items[row]!.labels[0]!)
    const trained = await retrainHead({ ...protocol, features: picked(train.features, rows), labels, head, seed })
    const figures = await partFigures(evals[0]!, trained.head, minN)
    return { 'europe minus africa': figures[`${(evals[0] as Part).label} europe minus africa`] ?? null }
  }
  return { rows: await study({ settings: shares, seeds, run }), size }
}

const valuesOf = (rows: readonly StudyRow[], setting: number, metric: string): number[] =>
  rows.find(row => row.setting === setting && row.metric === metric)?.values.filter(value => value !== null) ?? []

/** Whether values differ from 0 by more than their 95 % t-interval. */
function direction(values: readonly number[]): 'rises' | 'falls' | 'does not change clearly' {
  const [low, high] = meanInterval(values) ?? [0, 0]
  return low > 0 ? 'rises' : high < 0 ? 'falls' : 'does not change clearly'
}

const spread = (values: readonly number[]): string => {
  const shown = percent(mean(values))
  return values.length < 2 ? shown : `${shown} (${percent(Math.min(...values))} to ${percent(Math.max(...values))})`
}

/** What retraining did, beside what the paper sees. */
function retrainingText(model: string, images: number, dataset: string, rows: readonly StudyRow[]): string {
  const change = (what: string): { text: string; way: string } => {
    const [before = 0] = valuesOf(rows, 0, `${dataset} ${what}`)
    const after = valuesOf(rows, 1, `${dataset} ${what}`)
    const way = direction(after.map(value => value - before))
    return { text: `${what} ${percent(before)} before, ${spread(after)} after`, way: `${what} ${way}` }
  }
  const [accuracy, gap] = [change('accuracy'), change('disparity')]
  const same = accuracy.way === 'accuracy rises' && gap.way === 'disparity falls'
  return `The last layer of ${model} retrained on ${images} pictures by other households, ${seeds} seeds:
  ${accuracy.text} (%)
  ${gap.text} (points)
The paper sees accuracy rise and disparity fall (table 4). Here ${accuracy.way} and ${gap.way}: ${same ? 'the same' : 'not the same'}.`
}

/** What the western share did, beside what the paper sees. */
function westernText(size: number, rows: readonly StudyRow[]): string {
  const metric = 'europe minus africa'
  const [first, last] = [shares[0]!, shares.at(-1)!].map(share => valuesOf(rows, share, metric)) as [number[], number[]]
  const way = direction(last.map((value, i) => value - first[i]!))
  const lines = shares.map(
    share => `  ${percent(share, 0).padStart(3)} % western: ${spread(valuesOf(rows, share, metric))}`,
  )
  return `Its last layer retrained on samples of ${size} pictures, Europe minus Africa in points:
${lines.join('\n')}
The paper sees it grow with the western share (figure 11, whole network). Here it ${way}: ${way === 'rises' ? 'the same' : 'not the same'}.`
}
