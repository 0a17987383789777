import { loadCosts, secondsPerImage } from './imageCost.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { availableCores } from '../lib/cores.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { modelCost } from '../models/modelCost.ts'
import { evaluationNote } from '../models/headClasses.ts'
import { type ModelSpec } from '../models/spec.ts'
import { intersectRanges } from '../lib/ranges.ts'
import { totalLength } from '../lib/ranges.ts'
import { type IndexRange } from '../lib/ranges.ts'
import { type StoredEvaluation, unfinishedRanges } from '../results/storedEvaluations.ts'
import { type KeptOutput } from '../results/schema.ts'

/** Estimates the cost of an evaluation before anything is downloaded or computed. */
export interface Forecast {
  model: string
  dataset: string
  /**
   * Images to do, and those that have a stored row under this model's name, for these images, labels and settings. If the
   * data set has to be downloaded and its card does not state the number of images, the images, time and disk are null.
   */
  images: number | null
  stored: number
  /** Bytes of the data set to download; 0 if it is on this machine. */
  datasetDownload: number
  /** Bytes of weights to download; 0 if they are on this machine, null if they must be obtained by hand. */
  download: number | null
  /** Seconds of inference and preparation on this machine: as measured here, else on its CPU within a factor of about two. */
  seconds: number | null
  measured: boolean
  /** Bytes of predictions and kept outputs. */
  disk: number | null
  /** Reasons to doubt the model's results. */
  note: string | null
}

/** A model on a data set, or on a part of it. */
export interface PlannedEvaluation {
  spec: ModelSpec
  dataset: Dataset
  part?: { spans: readonly IndexRange[] } | undefined
  /** The part that is stored. */
  entry: StoredEvaluation | undefined
}

/** Bytes of a stored row, and of the features of an image of which a model gives about a thousand. */
const bytesPerRow = 60
const bytesPerFeatures = 4096

/** Returns one row for each model and data set. */
export async function forecast(
  planned: readonly PlannedEvaluation[],
  engine: Engine,
  keep: KeptOutput | undefined,
): Promise<Forecast[]> {
  const costOf = await loadCosts(engine)
  const costs = new Map(planned.map(({ spec }) => [spec, modelCost(spec)]))
  const cores = availableCores()
  const rows = new Map<string, OpenedForecast>()
  for (const { spec, dataset, part, entry } of planned) {
    const { parameters, multiplyAdds } = costs.get(spec)!
    const all = part?.spans ?? [{ start: 0, end: dataset.samples.length }]
    const images = totalLength(
      intersectRanges(unfinishedRanges(entry, dataset.samples.length, keep), all),
    )
    const key = JSON.stringify([spec.name, dataset.name])
    const cost = costOf({ name: spec.name, multiplyAdds })
    const before = rows.get(key) ?? { images: 0, stored: 0, seconds: 0, disk: 0 }
    rows.set(key, {
      model: spec.name,
      dataset: dataset.name,
      images: before.images + images,
      stored: before.stored + totalLength(all) - images,
      datasetDownload: 0,
      download: await bytesToDownload(spec, 4 * parameters),
      seconds: before.seconds + (images * secondsPerImage(cost)) / cores,
      measured: cost.measured,
      note: evaluationNote(spec) ?? null,
      disk: before.disk + images * (bytesPerRow + keptBytesPerImage(spec, dataset, keep)),
    })
  }
  return [...rows.values()]
}

/** A forecast for a data set on this machine. */
type OpenedForecast = Forecast & { images: number; seconds: number; disk: number }

/** A data set of the hub that is not on this machine, with the number of its images if its card states it. */
export interface PendingDataset {
  name: string
  bytes: number
  images: number | null
}

/** Returns one row for each model and data set that has to be downloaded first. */
export async function forecastPending(
  pending: readonly PendingDataset[],
  specs: readonly ModelSpec[],
  engine: Engine,
): Promise<Forecast[]> {
  const costOf = await loadCosts(engine)
  const cores = availableCores()
  const rows: Forecast[] = []
  for (const { name: dataset, bytes: datasetDownload, images } of pending)
    for (const spec of specs) {
      const { parameters, multiplyAdds } = modelCost(spec)
      const cost = costOf({ name: spec.name, multiplyAdds })
      rows.push({
        model: spec.name,
        dataset,
        images,
        stored: 0,
        datasetDownload,
        download: await bytesToDownload(spec, 4 * parameters),
        seconds: images === null ? null : (images * secondsPerImage(cost)) / cores,
        measured: cost.measured,
        note: evaluationNote(spec) ?? null,
        disk: images === null ? null : images * bytesPerRow,
      })
    }
  return rows
}

/** Returns the row of a model that cannot be used, with the reason as its note. */
export const unusableForecast = (model: string, reason: string): Forecast => ({
  model,
  dataset: '–',
  images: 0,
  stored: 0,
  datasetDownload: 0,
  download: 0,
  seconds: 0,
  measured: true,
  disk: 0,
  note: `it cannot be used: ${reason}`,
})

function keptBytesPerImage(
  { classes }: ModelSpec,
  dataset: Dataset,
  keep: KeptOutput | undefined,
): number {
  if (keep !== 'logits') return keep === undefined ? 0 : bytesPerFeatures
  return (
    2 *
    (Array.isArray(classes)
      ? classes.length
      : classes === 'zero-shot'
        ? dataset.classes.length
        : 1000)
  )
}

async function bytesToDownload({ weights }: ModelSpec, bytes: number): Promise<number | null> {
  if (weights.from === 'hand') return null
  if (weights.from === 'files') return 0
  const { findCachedFile, hubSettings, isFile } = await import('../lib/hub/hubCache.ts')
  if (weights.from === 'url') {
    const { urlPath } = await import('../lib/hub/urlDownload.ts')
    const here = await Promise.all(weights.files.map(({ url }) => isFile(urlPath(new URL(url)))))
    return here.every(Boolean) ? 0 : bytes
  }
  const { repo, file, otherwise = file, revision = 'main' } = weights
  const { cache } = hubSettings()
  for (const one of [file, otherwise])
    if (await findCachedFile(cache, { repo, file: one, revision })) return 0
  return bytes
}
