/*
 * Linear probes for places, as newer evaluations of cultural diversity have them: how well a linear classifier on a model's features
 * predicts where a photograph was taken, trained on a few photographs of each place or on all of them.
 */
import { splitByHousehold } from '../datasets/benchmarks/splits.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { mean } from '../metrics/numbers.ts'
import { nesterov } from '../lib/onnx/optimizers.ts'
import { inputError } from '../lib/errors.ts'
import { memoize } from '../lib/memoize.ts'
import { ownValue } from '../lib/ownValue.ts'
import { randomFor, randomPermutation } from '../lib/random.ts'
import { groupByKey, tally } from '../lib/tally.ts'
import { applyHead, type FeatureMatrix, selectRows } from '../models/runtime/head.ts'
import { openRunByColumns, type Run } from '../results/run.ts'
import { type FeatureSet, openFeaturesIn } from './features.ts'
import { retrainHead } from './lastLayer.ts'

/** Accuracy of a linear classifier that predicts places from the features of one model. */
export interface LinearProbeRow {
  model: string
  dataset: string
  /** The column whose values are predicted: `region` or `country`. */
  target: string
  /** Training photographs of each place; null for all of them. */
  shots: number | null
  /** Number of places. */
  places: number
  /** Photographs of each test part, on average. */
  n: number
  /** Mean share of right answers over the splits, and the least and largest of a split. */
  accuracy: number | null
  lowest: number | null
  highest: number | null
  /** Mean over the places of the accuracy on their photographs. */
  balanced: number | null
  /** Share of the place with the most test photographs: the accuracy of always predicting it. */
  chance: number | null
  /** Disparity between the same places of the model's own predictions; null if it has none here. */
  disparity: number | null
  /** Why the accuracy is null. */
  reason: string | null
}

export interface LinearProbeOptions {
  /** Default region and country. */
  targets?: readonly string[]
  /** Photographs of each place, besides all of them. Default 1, 4 and 16. */
  shots?: readonly number[]
  /** Splits into training and test households. Default 5. */
  seeds?: number
  /** Places with fewer photographs are left out. Default 30. */
  minN?: number
}

/** Half of the photographs, in whole households, are test photographs. */
const testShare = 0.5

/**
 * Returns the accuracy of linear probes on all features that are kept in `dir`, beside the disparity of the same model. No household
 * has photographs in both parts of a split.
 * @throws GeogapError `no-features`
 * @example
 * console.table(await linearProbes('results', { targets: ['region'] }))
 */
export async function linearProbes(
  dir: string,
  options: LinearProbeOptions = {},
): Promise<LinearProbeRow[]> {
  const { targets = ['region', 'country'] } = options
  const stored = await openFeaturesIn(dir)
  if (stored.length === 0)
    throw inputError(
      'no-features',
      `no kept features in ${dir}: evaluate with --keep features first`,
    )
  const runOf = memoize((target: string) =>
    openRunByColumns(dir, { columns: [target], exclude: undefined }),
  )
  const rows: LinearProbeRow[] = []
  for (const { read } of stored) {
    const set = await read()
    for (const target of targets)
      rows.push(...(await probeTarget(await runOf(target), set, { ...options, target })))
  }
  return rows
}

interface TargetOptions extends LinearProbeOptions {
  target: string
}

async function probeTarget(
  run: Run,
  set: FeatureSet,
  { target, shots = [1, 4, 16], seeds = 5, minN = defaultMinN }: TargetOptions,
): Promise<LinearProbeRow[]> {
  const { model, dataset } = set.description
  const images = placedImages(set, target, minN)
  const places = [...new Set(images.map(({ place }) => place))].sort()
  const known = { model, dataset, target, places: places.length }
  if (places.length < 2)
    return [
      {
        ...known,
        ...noAccuracy,
        shots: null,
        disparity: null,
        reason: `fewer than two values of ${target} have ${minN} photographs`,
      },
    ]
  const disparity = ownDisparity(run, { model, dataset, target, minN })
  const features = unitRows(set.features)
  const rows: LinearProbeRow[] = []
  for (const count of [...shots, null]) {
    const splits: SplitResult[] = []
    let reason: string | null = null
    for (let seed = 1; seed <= seeds && reason === null; seed++) {
      const found = await probeSplit({ features, images, places, shots: count, seed })
      if (typeof found === 'string') reason = found
      else splits.push(found)
    }
    const values = reason === null ? meanOf(splits) : noAccuracy
    rows.push({ ...known, shots: count, ...values, disparity, reason })
  }
  return rows
}

const noAccuracy = {
  n: 0,
  accuracy: null,
  lowest: null,
  highest: null,
  balanced: null,
  chance: null,
} as const

interface PlacedImage {
  /** Row of the features. */
  row: number
  place: string
  household: string
  region: string
}

/** Returns the images with features and a place of at least `minN` of them. */
function placedImages(
  { samples, status }: FeatureSet,
  target: string,
  minN: number,
): PlacedImage[] {
  const images = samples.flatMap(({ id, groups }, row): PlacedImage[] => {
    const place = ownValue(groups, target) ?? null
    if (status[row] !== 'ok' || place === null) return []
    const household = String(ownValue(groups, 'household') ?? `image ${id}`)
    return [{ row, place: String(place), household, region: '' }]
  })
  const sizes = tally(images.map(({ place }) => place))
  return images.filter(({ place }) => sizes.get(place)! >= minN)
}

/** Returns the rows scaled to unit length, times the root of their width so that weights have the size of one. */
function unitRows({ width, data }: FeatureMatrix): FeatureMatrix {
  const scaled = new Float32Array(data.length)
  for (let start = 0; start < data.length; start += width) {
    let square = 0
    for (let i = start; i < start + width; i++) square += data[i]! ** 2
    const length = Math.sqrt(square) || 1
    for (let i = start; i < start + width; i++) scaled[i] = (data[i]! * Math.sqrt(width)) / length
  }
  return { width, data: scaled }
}

interface SplitResult {
  n: number
  accuracy: number
  balanced: number
  chance: number
}

interface SplitTask {
  features: FeatureMatrix
  images: readonly PlacedImage[]
  places: readonly string[]
  shots: number | null
  seed: number
}

/** Rows of a training step. */
const batch = 2048
const steps = 500

/** Trains on one split and scores its test part; a text says why it cannot. */
async function probeSplit(task: SplitTask): Promise<SplitResult | string> {
  const { features, images, places, seed } = task
  const { train, test } = splitByHousehold(images, testShare, seed)
  const chosen = drawShots(train, task)
  if (typeof chosen === 'string') return chosen
  if (test.length === 0) return 'no photograph is left to test: all are of one household'
  const rowsOf = (some: readonly PlacedImage[]): FeatureMatrix =>
    selectRows(
      features,
      some.map(({ row }) => row),
    )
  const training = rowsOf(chosen)
  const means = meanRow(training)
  const shown = minus(training, means)
  // The penalty of scikit-learn's LogisticRegression with C = 1; the cross-entropy's slope changes by at most half of the variance.
  const decay = 1 / chosen.length
  const optimizer = nesterov({ rate: 1 / (largestVariance(shown) / 2 + decay), decay })
  const indexOf = new Map(places.map((place, i) => [place, i]))
  const { width } = features
  const classes = places.length
  const { head } = await retrainHead({
    features: shown,
    labels: chosen.map(({ place }) => indexOf.get(place)!),
    head: {
      classes,
      width,
      weight: new Float32Array(classes * width),
      bias: new Float32Array(classes),
    },
    seed,
    batch,
    optimizer,
    epochs: Math.ceil(steps / Math.ceil(chosen.length / batch)),
  })
  const told: string[] = []
  for await (const { rows, logits } of applyHead(minus(rowsOf(test), means), head))
    for (let i = 0; i < rows; i++) {
      const own = logits.subarray(i * classes, (i + 1) * classes)
      told.push(places[own.indexOf(Math.max(...own))]!)
    }
  return scoreSplit(test, told)
}

/** Returns `shots` training photographs of each place, or all; a text if a place has fewer. */
function drawShots(
  train: readonly PlacedImage[],
  { places, shots, seed }: SplitTask,
): PlacedImage[] | string {
  const byPlace = groupByKey(train, ({ place }) => place)
  const chosen: PlacedImage[] = []
  for (const place of places) {
    const own = byPlace.get(place) ?? []
    const needed = shots ?? 1
    if (own.length < needed)
      return `${place} has ${own.length} training photographs in a split, fewer than ${needed}`
    const order = randomPermutation(own.length, randomFor(seed, place))
    chosen.push(...Array.from(order.subarray(0, shots ?? own.length), i => own[i]!))
  }
  return chosen
}

function scoreSplit(test: readonly PlacedImage[], told: readonly string[]): SplitResult {
  const isRight = test.map(({ place }, i) => told[i] === place)
  const positions = groupByKey([...test.keys()], i => test[i]!.place)
  const shares = [...positions.values()].map(own => own.filter(i => isRight[i]).length / own.length)
  return {
    n: test.length,
    accuracy: isRight.filter(Boolean).length / test.length,
    balanced: mean(shares),
    chance: Math.max(...[...positions.values()].map(own => own.length)) / test.length,
  }
}

/** Returns the mean row. */
function meanRow({ width, data }: FeatureMatrix): Float64Array {
  const means = new Float64Array(width)
  const rows = data.length / width
  for (const [at, value] of data.entries()) means[at % width]! += value / rows
  return means
}

const minus = ({ width, data }: FeatureMatrix, means: Float64Array): FeatureMatrix => ({
  width,
  data: data.map((value, at) => value - means[at % width]!),
})

/** Returns the variance of rows without mean along the direction in which it is largest, by power iteration. */
function largestVariance({ width, data }: FeatureMatrix): number {
  const count = data.length / width
  let direction = new Float64Array(width).fill(1 / Math.sqrt(width))
  let variance = 0
  for (let step = 0; step < 20; step++) {
    const next = new Float64Array(width)
    for (let start = 0; start < data.length; start += width) {
      let along = 0
      for (let i = 0; i < width; i++) along += data[start + i]! * direction[i]!
      for (let i = 0; i < width; i++) next[i]! += (data[start + i]! * along) / count
    }
    variance = Math.hypot(...next)
    if (variance === 0) return 0
    direction = next.map(value => value / variance)
  }
  return variance
}

function meanOf(
  splits: readonly SplitResult[],
): Pick<LinearProbeRow, 'n' | 'accuracy' | 'lowest' | 'highest' | 'balanced' | 'chance'> {
  const accuracies = splits.map(({ accuracy }) => accuracy)
  return {
    n: Math.round(mean(splits.map(({ n }) => n))),
    accuracy: mean(accuracies),
    lowest: Math.min(...accuracies),
    highest: Math.max(...accuracies),
    balanced: mean(splits.map(({ balanced }) => balanced)),
    chance: mean(splits.map(({ chance }) => chance)),
  }
}

/** Returns the disparity of the model's predictions; null if only its features are stored. */
function ownDisparity(
  run: Run,
  { target, minN, ...id }: Pick<LinearProbeRow, 'model' | 'dataset' | 'target'> & { minN: number },
): number | null {
  const { model, dataset } = id
  const isStored = run.entries.some(
    ({ identity }) => identity.model === model && identity.dataset === dataset,
  )
  const [row] = isStored ? run.disparity({ by: target, minN, ...id }) : []
  return row?.disparity ?? null
}
