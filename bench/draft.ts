/*
 * What drafts of large images save and change. `cost`: CPU time of a crop with and without, in turn. `answers`: crops and a real model's
 * logits from whole images and from drafts that are at least 1, 2 and 3 times as large as the resize target.
 *
 *   npx tsx bench/draft.ts cost
 *   npx tsx bench/draft.ts answers [photographs|enlarged|noisy] [every nth photograph] [MODEL@FILE, default the shared one]
 *
 * There are no large photographs to go by: `enlarged` are the photographs at 12 megapixels, `noisy` has each pixel moved by Gaussian
 * noise of 8 levels before it is encoded, and `photographs` stay as they are, their detail real, but the model sees them at 80 × 80.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { indexOfWnid } from '../src/datasets/labels/imagenet.ts'
import { encodeModel } from '../src/lib/onnx/encode.ts'
import { createSession } from '../src/models/runtime/session.ts'
import { standardDeviation, spread } from '../src/metrics/numbers.ts'
import { fillNormal } from '../src/metrics/samplers.ts'
import { bindWeights } from '../src/lib/tensors/bind.ts'
import { classifierGraph } from '../src/models/runtime/load.ts'
import { loadModelSpec } from '../src/models/loadModelSpec.ts'
import { readWeights } from '../src/lib/tensors/readWeights.ts'
import { prepareModel } from '../src/models/runtime/prepareModel.ts'
import { createCropper } from '../src/lib/pixels/cropper.ts'
import {
  centerCrop,
  draft,
  paperSteps,
  resize,
  type PreprocessingStep,
} from '../src/lib/pixels/steps.ts'
import { randomFrom } from '../src/lib/random.ts'
import { inChild, inTemporaryFolder, inTurn, photographs, printTable } from './common.ts'

const self = fileURLToPath(import.meta.url)
const gaps = [1, 2, 3] as const

async function enlarged(
  file: string,
  { noisy = false, progressive = false } = {},
): Promise<Buffer> {
  const { width, height } = await sharp(file).metadata()
  const by = Math.sqrt(12e6 / (width * height))
  const { data, info } = await sharp(file)
    .toColourspace('srgb')
    .resize(Math.round(width * by), Math.round(height * by), { fit: 'fill' })
    .raw()
    .toBuffer({ resolveWithObject: true })
  if (noisy) addNoise(data)
  const { channels } = info
  return sharp(data, { raw: { width: info.width, height: info.height, channels } })
    .jpeg({ quality: 90, progressive })
    .toBuffer()
}

const noise = Int8Array.from(fillNormal(new Float64Array(1_000_003), randomFrom(1)), value =>
  Math.round(8 * value),
)

function addNoise(data: Buffer): void {
  for (let i = 0; i < data.length; i++)
    data[i] = Math.max(0, Math.min(255, data[i]! + noise[i % noise.length]!))
}

const ways: Readonly<Record<string, readonly PreprocessingStep[]>> = {
  whole: paperSteps,
  ...Object.fromEntries(gaps.map(gap => [`draft${gap}`, [draft(gap), ...paperSteps]])),
}

async function measure(way: string, files: readonly string[]): Promise<void> {
  const crop = await createCropper(ways[way]!)
  const images = await Promise.all(files.map(file => readFile(file)))
  const run = async (): Promise<void> => {
    for (const image of images) await crop(image)
  }
  await run()
  const before = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(`${(user + system) / 1e3 / images.length}\n`)
}

async function cost(folder: string): Promise<void> {
  const chosen = (await photographs()).filter((_, i) => i % 28 === 0)
  const write = (name: string, settings: Parameters<typeof enlarged>[1]): Promise<string[]> =>
    Promise.all(
      chosen.map(async file => {
        const to = join(folder, `${name}-${basename(file)}`)
        await writeFile(to, await enlarged(file, settings))
        return to
      }),
    )
  const kinds = {
    'as they are': (await photographs()).filter((_, i) => i % 2 === 0),
    'at 12 megapixels': await write('large', {}),
    'at 12 megapixels, noisy': await write('noisy', { noisy: true }),
    'at 12 megapixels, progressive': await write('progressive', { progressive: true }),
  }
  const rows: string[][] = []
  for (const [kind, files] of Object.entries(kinds)) {
    const works = Object.fromEntries(
      Object.keys(ways).map(way => [way, () => inChild(self, [way, ...files])]),
    )
    const times = await inTurn(3, works)
    const ratio = (gap: number): string => (times[`draft${gap}`]! / times.whole!).toFixed(2)
    rows.push([kind, String(files.length), times.whole!.toFixed(1), ...gaps.map(ratio)])
  }
  const head = [
    'CPU time of preparing photographs',
    'images',
    'whole, ms',
    ...gaps.map(gap => `draft(${gap}), ratio`),
  ]
  await printTable(head, rows)
}

type Logits = (crop: Uint8Array) => Promise<Float32Array>

async function realModel(
  name: string,
  steps: readonly PreprocessingStep[],
  size: number,
): Promise<Logits> {
  const { model } = await prepareModel(await loadModelSpec(name))
  const graph = classifierGraph(model, steps)
  const { folder, bind } = await bindWeights(graph, await Promise.all(model.files.map(readWeights)))
  const session = await createSession(encodeModel(graph, { outputs: ['logits'], bind }), { folder })
  const { Tensor } = await import('onnxruntime-node')
  return async crop => {
    const crops = new Tensor('uint8', crop, [1, 3, size, size])
    return (await session.run({ crops })).logits!.data as Float32Array
  }
}

const best = (values: Float32Array): number => values.indexOf(Math.max(...values))

/** Made-up regions, a fifth of the photographs each: where a photograph was taken is not known. */
const regions = 5

interface Tally {
  reduced: number
  off: number
  most: number
  right: boolean[]
  same: number
  logit: number
}

const disparity = (right: readonly boolean[]): number => {
  const rates = Array.from({ length: regions }, (_, region) => {
    const mine = right.filter((_, i) => i % regions === region)
    return (100 * mine.filter(Boolean).length) / mine.length
  })
  return spread(rates)
}

async function answers(kind = 'enlarged', every = '1', name = defaultModel): Promise<void> {
  const size = kind === 'photographs' ? 80 : 224
  const steps =
    kind === 'photographs'
      ? [resize(92, 'bilinear'), centerCrop(80), paperSteps.at(-1)!]
      : paperSteps
  const all = await photographs()
  const logitsOf = await realModel(name, steps, size)
  const croppers = await Promise.all(
    [steps, ...gaps.map(gap => [draft(gap), ...steps])].map(one => createCropper(one)),
  )
  const tallies = croppers.map((): Tally => ({
    reduced: 0,
    off: 0,
    most: 0,
    right: [],
    same: 0,
    logit: 0,
  }))
  for (const file of all.filter((_, i) => i % Number(every) === 0)) {
    const bytes =
      kind === 'photographs'
        ? await readFile(file)
        : await enlarged(file, { noisy: kind === 'noisy' })
    const label = indexOfWnid(basename(file).split('_')[0]!)
    const crops = await Promise.all(croppers.map(crop => crop(bytes)))
    const whole = await logitsOf(crops[0]!)
    const unit = standardDeviation([...whole])
    for (const [i, crop] of crops.entries()) {
      const tally = tallies[i]!
      const logits = await logitsOf(crop)
      const differences = crop.map((value, k) => Math.abs(value - crops[0]![k]!))
      const largest = differences.reduce((most, one) => Math.max(most, one), 0)
      tally.reduced += Number(largest > 0)
      tally.off += differences.reduce((sum, one) => sum + one, 0) / crop.length
      tally.most = Math.max(tally.most, largest)
      tally.right.push(best(logits) === label)
      tally.same += Number(best(logits) === best(whole))
      tally.logit = Math.max(
        tally.logit,
        ...logits.map((value, k) => Math.abs(value - whole[k]!) / unit),
      )
    }
  }
  const [exact] = tallies
  const count = (hits: readonly boolean[]): string => String(hits.filter(Boolean).length)
  const row = ({ reduced, off, most, right, same, logit }: Tally, i: number): string[] => [
    ...[i === 0 ? 'whole' : `draft(${gaps[i - 1]!})`, String(right.length), String(reduced)],
    ...[(off / right.length).toFixed(2), String(most), count(right)],
    ...[
      count(right.map((hit, k) => hit && !exact!.right[k])),
      count(right.map((hit, k) => !hit && exact!.right[k]!)),
    ],
    ...[String(same), logit.toPrecision(2), disparity(right).toFixed(1)],
  ]
  await printTable(
    [
      ...[
        kind,
        'photographs',
        'crops changed',
        'mean change, levels',
        'largest',
        'right',
        'gained',
        'lost',
      ],
      ...[
        'same first class',
        'largest logit change, of the logits’ deviation',
        'disparity of made-up regions',
      ],
    ],
    tallies.map(row),
  )
}

const defaultModel =
  'tf_efficientnet_lite0@../shared/weights/tf_efficientnet_lite0/model.safetensors'

const [what, ...rest] = process.argv.slice(2)
if (what === 'child') await measure(rest[0]!, rest.slice(1))
else if (what === 'answers') await answers(...rest)
else await inTemporaryFolder(cost)
