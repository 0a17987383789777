import { type LocalModel } from '../../models/spec.ts'
import { availableCores } from '../../lib/cores.ts'
import { type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { type ShardSample } from './messages.ts'
import { runShards } from './pool.ts'

export interface ModelFeatures {
  /** float32 [items × width]; rows whose status is not `ok` are zero. */
  values: Float32Array
  width: number
  /** `ok`, or the code of the error that the image met. */
  status: string[]
}

/** Computes what the classifier of each model gets for every item. The models must share their preprocessing. */
export async function extractFeatures(
  models: readonly LocalModel[],
  steps: readonly PreprocessingStep[],
  items: readonly ShardSample[],
): Promise<ModelFeatures[]> {
  const cores = availableCores()
  const size = Math.max(1, Math.min(256, Math.ceil(items.length / (2 * cores))))
  const shards = Array.from({ length: Math.ceil(items.length / size) }, (_, i) => ({
    at: i * size,
    items: items.slice(i * size, (i + 1) * size),
  }))
  const features = models.map((): ModelFeatures => ({
    values: new Float32Array(0),
    width: 0,
    status: new Array<string>(items.length).fill('ok'),
  }))
  const group = { models, steps, choices: 'all', batch: 4, ahead: 16, threads: 1 } as const
  await runShards({ ...group, keep: 'features' }, shards, {
    processes: cores,
    onResult: ({ at }, { outcomes }) => {
      for (const [m, { kept, status }] of outcomes.entries()) {
        const feature = features[m]!
        for (const [i, code] of status.entries()) feature.status[at + i] = code
        if (!kept) continue
        feature.width ||= kept.length / status.length
        if (feature.values.length === 0)
          feature.values = new Float32Array(items.length * feature.width)
        feature.values.set(kept, at * feature.width)
      }
      return Promise.resolve()
    },
  })
  return features
}
