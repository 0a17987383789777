import { availableParallelism } from 'node:os'
import { stat } from 'node:fs/promises'
import { type Dataset } from './datasets/dataset.ts'
import { modelCost } from './models/cost.ts'
import { type ModelSpec } from './models/spec.ts'

/** What an evaluation would take: an estimate before anything is downloaded or computed. */
export interface Forecast {
  model: string
  dataset: string
  images: number
  /** Bytes of weights to be had; 0 where they are given as files. */
  download: number
  /** Seconds of inference and preparation on this machine, within a factor of about two. */
  seconds: number
  /** Bytes of predictions. */
  disk: number
}

/** Multiply-adds per second and core that convolutions and matrix products reach here, small models less. */
const rate = 25e9
/** Seconds of one core to read, decode and crop a photograph of half a megapixel. */
const preparation = 0.01
/** Seconds of one core for an image, within a factor of about two. */
export const estimate = (multiplyAdds: number): number => multiplyAdds / rate + preparation

/** Bytes of a stored row. */
const rowBytes = 60

/** One row per model and data set. */
export async function forecast(pairs: readonly { spec: ModelSpec; dataset: Dataset }[]): Promise<Forecast[]> {
  const costs = new Map(pairs.map(({ spec }) => [spec, modelCost(spec)]))
  const cores = availableParallelism()
  return Promise.all(
    pairs.map(async ({ spec, dataset }) => {
      const { parameters, multiplyAdds } = costs.get(spec)!
      const images = dataset.items.length
      return {
        model: spec.name,
        dataset: dataset.name,
        images,
        download: (await isHere(spec)) ? 0 : 4 * parameters,
        seconds: (images * estimate(multiplyAdds)) / cores,
        disk: images * rowBytes,
      }
    }),
  )
}

async function isHere({ weights }: ModelSpec): Promise<boolean> {
  if (weights.from === 'files') return true
  if (weights.from !== 'hub') return false
  const { cachedFile, hubSettings } = await import('./models/hubCache.ts')
  const { repo, file, revision = 'main' } = weights
  const cached = await cachedFile(hubSettings().cache, { repo, file, revision })
  return cached !== undefined && (await stat(cached.path).catch(() => undefined)) !== undefined
}
