/*
 * What models took on this machine. An evaluation of some length leaves a figure for each of its models in the cache; the next one's
 * forecast, shards and units go by it. It is a hint: where it is missing, damaged or cannot be written, the rule of thumb holds.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../lib/files.ts'
import { type Engine } from '../lib/onnx/engine.ts'
import { machine } from '../lib/machine.ts'
import { geogapCache } from '../lib/hub/hubCache.ts'
import { type Profile } from './measurement.ts'
import { runtimeVersion } from '../lib/onnx/engine.ts'

/** Seconds of one core for an image: inference, and reading and cropping it, which models that go together share. */
export interface Cost {
  infer: number
  prepare: number
  /** On this machine, not reckoned from the multiply-adds. */
  measured: boolean
}

/** Multiply-adds per second and core, and what an image costs besides: within a fifth of what docs/performance.md measured of six models. */
const rate = 50e9
const besides = 0.0035

/** Without a measurement: within a factor of about two on other machines. */
export const estimated = (multiplyAdds: number): Cost => ({
  ...{ infer: multiplyAdds / rate, prepare: besides, measured: false },
})

/** Of models that go through the images together. */
export const together = (costs: readonly Cost[]): Cost => ({
  infer: costs.reduce((sum, { infer }) => sum + infer, 0),
  prepare: Math.max(...costs.map(({ prepare }) => prepare)),
  measured: costs.every(({ measured }) => measured),
})

export const secondsOf = ({ infer, prepare }: Cost): number => infer + prepare

const figure = z.object({
  /** Processor, cores, runtime, device and precision, model, multiply-adds, threads and batch. */
  key: z.string(),
  infer: z.number().positive(),
  prepare: z.number().nonnegative(),
})

/** Newest last. */
const stored = z.array(figure)
type Figure = z.infer<typeof figure>

interface Counted {
  name: string
  multiplyAdds: number
}

/** Gives models their keys, or their beginning where it does not matter how they were run. */
function keysOn(engine: Engine) {
  const place = [machine().machine, availableParallelism(), runtimeVersion(engine)]
  return ({ name, multiplyAdds }: Counted, way = ''): string => [...place, name, multiplyAdds, way].join('|')
}

const fileOf = (): string => join(geogapCache(), 'costs.json')

async function readFigures(): Promise<Figure[]> {
  try {
    return stored.parse(JSON.parse(await readFile(fileOf(), 'utf8')))
  } catch {
    return []
  }
}

/** What a model costs by its latest measurement on this machine, else by its multiply-adds. */
export async function knownCosts(engine: Engine): Promise<(model: Counted) => Cost> {
  const [figures, keyOf] = [await readFigures(), keysOn(engine)]
  return model => {
    const start = keyOf(model)
    const found = figures.findLast(({ key }) => key.startsWith(start))
    return found ? { infer: found.infer, prepare: found.prepare, measured: true } : estimated(model.multiplyAdds)
  }
}

/** Seconds of a process below which a figure would tell of the first batches. */
const enough = 10
const most = 1000

/** Keeps what the models of finished jobs took: the mean of it and what was known. */
export async function keepCosts(
  profiles: readonly Profile[],
  models: readonly Counted[],
  engine: Engine,
): Promise<void> {
  const keyOf = keysOn(engine)
  const found = profiles.flatMap(profile => figuresOf(profile, models, keyOf))
  if (found.length === 0) return
  const before = await readFigures()
  const known = new Map(before.map(one => [one.key, one]))
  const mean = (name: 'infer' | 'prepare', one: Figure): number => (one[name] + (known.get(one.key) ?? one)[name]) / 2
  const now = found.map(one => ({ ...one, infer: mean('infer', one), prepare: mean('prepare', one) }))
  const kept = before.filter(({ key }) => !now.some(one => one.key === key))
  try {
    await mkdir(geogapCache(), { recursive: true })
    const text = JSON.stringify([...kept, ...now].slice(-most))
    await writeAtomically(fileOf(), handle => handle.writeFile(text))
  } catch {
    // The cache may lie where nothing can be written.
  }
}

function figuresOf(profile: Profile, models: readonly Counted[], keyOf: ReturnType<typeof keysOn>): Figure[] {
  const { images, threads, batch, decode, prepare } = profile
  const perImage = (seconds: number): number => (seconds * threads) / images
  return profile.models.flatMap((name, m) => {
    const model = models.find(one => one.name === name)
    const infer = profile.infer[m]!
    if (!model || infer < enough) return []
    const key = keyOf(model, `${threads} threads, batch ${batch}`)
    return [{ key, infer: perImage(infer), prepare: perImage(decode + prepare) }]
  })
}
