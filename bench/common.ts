/* What the benchmarks share: photographs, models with made-up weights, runs in turn, and the matrix-multiply rate as yardstick. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { createGraph, addInput, addOutput } from '../src/lib/onnx/graph.ts'
import { encodeModel } from '../src/lib/onnx/encode.ts'
import { matmul } from '../src/lib/onnx/ops.ts'
import { evaluate } from '../src/evaluate/evaluate.ts'
import { createSession } from '../src/models/runtime/session.ts'
import { initialWeights } from '../src/models/initialWeights.ts'
import { loadModelSpec } from '../src/models/loadModelSpec.ts'
import { loadModel } from '../src/models/runtime/loadModel.ts'
import { prepareModel } from '../src/models/runtime/prepareModel.ts'
import { nativeSteps, splitSteps } from '../src/lib/pixels/steps.ts'
import { writeSafetensors } from '../src/lib/tensors/safetensors.ts'
import { type ModelSpec } from '../src/models/spec.ts'

export const cores = availableParallelism()

/** Photographs of ImageNet's layout, `<wnid>_<name>.JPEG`. */
export async function photographs(folder = '../shared/data/imagenet-samples'): Promise<string[]> {
  return (await readdir(folder)).sort().map(name => resolve(folder, name))
}

/** A manifest of `count` photographs, in turns where there are fewer. */
export async function writeManifest(
  file: string,
  photos: readonly string[],
  count: number,
): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => {
    const photo = photos[i % photos.length]!
    return `${i},${photo},${photo.slice(photo.lastIndexOf('/') + 1).split('_')[0]!}`
  })
  await writeFile(file, ['id,image,label', ...rows, ''].join('\n'))
}

/** The model with fresh weights in `folder`, where they are made once. */
export async function freshModel(name: string, folder: string): Promise<ModelSpec> {
  const spec = await loadModelSpec(name)
  const file = join(folder, `${name.replaceAll(/[:/]/g, '_')}.safetensors`)
  if (!existsSync(file)) await writeSafetensors(file, initialWeights(spec.architecture, 1000, 1))
  return { ...spec, weights: { from: 'files', files: [file] } }
}

export async function inTemporaryFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-bench-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!

/** `rounds` results of every work, which take turns, so that a busy machine slows all of them. */
export async function inTurn<K extends string>(
  rounds: number,
  works: Readonly<Record<K, () => Promise<number>>>,
): Promise<Record<K, number>> {
  const names = Object.keys(works) as K[]
  const results = new Map(names.map(name => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++)
    for (const name of names) results.get(name)!.push(await works[name]())
  return Object.fromEntries(names.map(name => [name, median(results.get(name)!)])) as Record<
    K,
    number
  >
}

/** The numbers on the last line that a program prints. */
export async function numbersBy(program: string, args: readonly string[]): Promise<number[]> {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 1 << 26 })
  const values = stdout.trim().split('\n').at(-1)!.split(/\s+/).map(Number).filter(Number.isFinite) // prettier-ignore
  if (values.length === 0)
    throw new Error(`${program} ${args.join(' ')} printed no number: ${stdout}`)
  return values
}

/** The last number that a program prints. */
export const printedBy = async (program: string, args: readonly string[]): Promise<number> =>
  (await numbersBy(program, args)).at(-1)!

/** The same benchmark in a process of its own. */
export const inChild = (module: string, args: readonly string[]): Promise<number> =>
  printedBy(...childOf(module, args))

/** Program and arguments that run a benchmark as `child`. */
export const childOf = (module: string, args: readonly string[]): [string, string[]] => [
  process.execPath,
  ['--import', 'tsx', module, 'child', ...args],
]

/** Prints images a second of models together on the manifest in `folder`, from files to predictions on disk, after the first batch. */
export async function endToEnd(
  folder: string,
  names: readonly string[],
  images: number,
): Promise<void> {
  let [from, before] = [0, 0]
  await evaluate({
    models: await Promise.all(names.map(name => freshModel(name, folder))),
    datasets: [{ name: join(folder, 'photographs.csv'), labels: 'imagenet' }],
    preprocessing: 'paper',
    out: join(folder, `out-${process.pid}`),
    onProgress: ({ done }) => {
      if (from === 0 && done > 0) [from, before] = [performance.now(), done]
    },
  })
  process.stdout.write(`${((images - before) / (performance.now() - from)) * 1e3}\n`)
}

/** Prints images a second of a model's graph alone on crops of its own size, for about three seconds after the first batch. */
export async function graphAlone(
  folder: string,
  name: string,
  { batch, threads }: { batch: number; threads: number },
): Promise<void> {
  const spec = await freshModel(name, folder)
  const { model } = await prepareModel(spec)
  const steps = nativeSteps(spec.recipe)
  const loaded = await loadModel(model, steps, {
    outputs: [spec.classes === 'imagenet-1k' ? 'logits' : 'features'],
    threads,
    spinning: threads > 1,
  })
  const crops = new Uint8Array(batch * 3 * splitSteps(steps).size ** 2).map(
    (_, i) => (i * 31) % 251,
  )
  await loaded.run(crops, batch)
  const times: number[] = []
  const end = performance.now() + 3000
  while (performance.now() < end || times.length < 3) {
    const start = performance.now()
    await loaded.run(crops, batch)
    times.push(performance.now() - start)
  }
  process.stdout.write(`${(batch / median(times)) * 1e3}\n`)
}

/** GFLOP/s of float32 matrix products of 1,024 rows and columns on all cores. */
export async function multiplyRate(): Promise<number> {
  const side = 1024
  const graph = createGraph()
  const [a, b] = ['a', 'b'].map(name => addInput(graph, name, { shape: [side, side] }))
  addOutput('product', matmul(a!, b!))
  const { Tensor } = await import('onnxruntime-node')
  const session = await createSession(encodeModel(graph), { threads: cores })
  const tensor = new Tensor('float32', new Float32Array(side * side).fill(0.5), [side, side])
  const times: number[] = []
  for (let run = 0; run < 15; run++) {
    const start = performance.now()
    await session.run({ a: tensor, b: tensor })
    times.push(performance.now() - start)
  }
  await session.release()
  return (2 * side ** 3) / median(times) / 1e6
}

/** Prints a Markdown table with the machine's yardstick below. */
export async function printTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  const lines = [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`)
  process.stdout.write(
    `${lines.join('\n')}\n\n${cores} cores, ${(await multiplyRate()).toFixed(0)} GFLOP/s\n`,
  )
}
