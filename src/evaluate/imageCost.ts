/*
 * Measured speed of models on this machine. A long enough evaluation stores a figure for each of its models in the cache, for the
 * forecasts, shards and units of later ones. Without a readable figure, an estimate from the multiply-adds is used.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { availableCores } from '../lib/cores.ts'
import { writeAtomically } from '../lib/files.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { currentMachine } from '../lib/machine.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { type InferenceProfile } from './profile.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/** Time for one image in seconds of one core: inference, and reading and cropping, which the models of a group share. */
export interface ImageCost {
  infer: number
  prepare: number
  /** Whether the time was measured on this machine rather than estimated from the multiply-adds. */
  measured: boolean
}

/** Default multiply-adds per second of a core and fixed seconds per image; within 20 % of the six models in docs/developers/measured-speed.md. */
const multiplyAddsPerCoreSecond = 50e9
const fixedSecondsPerImage = 0.0035

/** Estimates the cost of a model that was not measured; other machines differ from it by a factor of up to about two. */
export const estimateCost = (multiplyAdds: number): ImageCost => ({
  infer: multiplyAdds / multiplyAddsPerCoreSecond,
  prepare: fixedSecondsPerImage,
  measured: false,
})

/** Returns the cost of models that share their crops. */
export const combineCosts = (costs: readonly ImageCost[]): ImageCost => ({
  infer: costs.reduce((sum, { infer }) => sum + infer, 0),
  prepare: Math.max(...costs.map(({ prepare }) => prepare)),
  measured: costs.every(({ measured }) => measured),
})

export const secondsPerImage = ({ infer, prepare }: ImageCost): number => infer + prepare

const costRecord = z.object({
  /** Processor, cores, runtime, device and precision, model, multiply-adds, threads and batch. */
  key: z.string(),
  infer: z.number().positive(),
  prepare: z.number().nonnegative(),
})

/** The stored measurements, newest last. */
const costRecords = z.array(costRecord)
type CostRecord = z.infer<typeof costRecord>

interface CountedModel {
  name: string
  multiplyAdds: number
}

/** Returns a function that gives the key of a model's measurement, or its beginning if `run` is not given. */
function costKeys(engine: Engine) {
  const place = [currentMachine().machine, availableCores(), runtimeVersion(engine)]
  return ({ name, multiplyAdds }: CountedModel, way = ''): string =>
    [...place, name, multiplyAdds, way].join('|')
}

const costsFile = (): string => join(geogapCache(), 'costs.json')

async function readCostRecords(): Promise<CostRecord[]> {
  try {
    return costRecords.parse(JSON.parse(await readFile(costsFile(), 'utf8')))
  } catch {
    return []
  }
}

/** Returns the cost of a model by its latest measurement on this machine, or by its multiply-adds. */
export async function loadCosts(engine: Engine): Promise<(model: CountedModel) => ImageCost> {
  const figures = await readCostRecords()
  const keyOf = costKeys(engine)
  return model => {
    const start = keyOf(model)
    const found = figures.findLast(({ key }) => key.startsWith(start))
    return found
      ? { infer: found.infer, prepare: found.prepare, measured: true }
      : estimateCost(model.multiplyAdds)
  }
}

/** Shortest time of a process, in seconds, that counts as a measurement; less is dominated by the first batches. */
const minSecondsToRecord = 10
const maxRecords = 1000

/** Stores the speed of the models of finished jobs: the mean of the new and the known figure. */
export async function recordCosts(
  profiles: readonly InferenceProfile[],
  models: readonly CountedModel[],
  engine: Engine,
): Promise<void> {
  const keyOf = costKeys(engine)
  const found = profiles.flatMap(profile => costRecordsOf(profile, models, keyOf))
  if (found.length === 0) return
  const before = await readCostRecords()
  const known = new Map(before.map(one => [one.key, one]))
  const mean = (name: 'infer' | 'prepare', one: CostRecord): number =>
    (one[name] + (known.get(one.key) ?? one)[name]) / 2
  const now = found.map(one => ({
    ...one,
    infer: mean('infer', one),
    prepare: mean('prepare', one),
  }))
  const kept = before.filter(({ key }) => !now.some(one => one.key === key))
  try {
    await mkdir(geogapCache(), { recursive: true })
    const text = JSON.stringify([...kept, ...now].slice(-maxRecords))
    await writeAtomically(costsFile(), handle => handle.writeFile(text))
  } catch {
    // The cache may be read-only.
  }
}

function costRecordsOf(
  profile: InferenceProfile,
  models: readonly CountedModel[],
  keyOf: ReturnType<typeof costKeys>,
): CostRecord[] {
  const { images, threads, batch, decode, prepare } = profile
  const perImage = (seconds: number): number => (seconds * threads) / images
  return profile.models.flatMap((name, m) => {
    const model = models.find(one => one.name === name)
    const infer = profile.infer[m]!
    if (!model || infer < minSecondsToRecord) return []
    const key = keyOf(model, `${threads} threads, batch ${batch}`)
    return [{ key, infer: perImage(infer), prepare: perImage(decode + prepare) }]
  })
}
