/*
 * An evaluation without any download: draws a made-up world, fits the last layer of untrained architectures of the catalogue
 * to growing numbers of its pictures, and evaluates the models with the code that real models take.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Dataset } from '../../datasets/dataset.ts'
import { mapLimited } from '../../lib/concurrency.ts'
import { openDataset } from '../../datasets/open.ts'
import { evaluate } from '../../evaluate/evaluate.ts'
import { writeError } from '../../lib/files.ts'
import { extractFeatures } from '../../evaluate/workers/extractFeatures.ts'
import { initialWeights } from '../../models/initialWeights.ts'
import { writeSafetensors } from '../../lib/tensors/safetensors.ts'
import { type ModelSpec } from '../../models/spec.ts'
import {
  imagenetMean,
  imagenetStd,
  nativeSteps,
  type PreprocessingConfig,
} from '../../lib/pixels/steps.ts'
import { writeJson } from '../../results/records.ts'
import { openRun, type Run } from '../../results/run.ts'
import { type EvaluationProgress } from '../../evaluate/progress.ts'
import { fitHead } from './fitHead.ts'
import { objectNames } from './objects.ts'
import {
  householdPictures,
  type Picture,
  pictureSidePx,
  sketches,
  standardPictures,
} from './world.ts'

const syntheticNote =
  'drawings of eight objects in the homes of imagined households. Nothing here measures a real model or a real place.'

const seed = 2023
const recipe: PreprocessingConfig = {
  mean: imagenetMean,
  std: imagenetStd,
  interpolation: 'bicubic',
  cropPct: 224 / pictureSidePx,
  size: 224,
}

/** Architectures of growing size, each fitted to growing numbers of training pictures. */
const architectures = [
  'mobilenetv3_small_050',
  'lcnet_050',
  'mobilenetv3_small_100',
  'tinynet_e',
  'lcnet_100',
]
const trainingSizes = [40, 400]

export interface DemoOptions {
  out: string
  onStage?: (stage: string) => void
  onProgress?: (progress: EvaluationProgress) => void
}

export interface DemoResult {
  run: Run
  /** The result of the small training experiments, as text. */
  studies: string
}

export async function runDemo({
  out,
  onStage = () => undefined,
  onProgress,
}: DemoOptions): Promise<DemoResult> {
  const world = join(out, 'world')
  const results = join(out, 'results')
  onStage('drawing the pictures of a made-up world')
  const training = await createDataset(
    world,
    'training',
    standardPictures(Math.max(...trainingSizes), seed, 'training'),
  )
  const households = await createDataset(
    world,
    'households',
    householdPictures({ households: 18, each: 8, seed }),
  )
  const others = await createDataset(
    world,
    'other-households',
    householdPictures({ households: 12, each: 8, seed, kind: 'other-' }),
  )
  const datasets = [
    await createDataset(world, 'standard', standardPictures(240, seed, 'standard')),
    await createDataset(world, 'sketch', sketches(240, seed)),
    households,
  ]
  onStage('fitting the last layer of untrained architectures')
  const models = await fitModels(join(out, 'models'), training)
  onStage('evaluating')
  await evaluate({ models, datasets, out: results, onProgress })
  onStage(
    'retraining a last layer on pictures by other households, and on more and more western ones',
  )
  const model = join(out, 'models', `${models.at(-1)!.name}.json`)
  const { demoStudies } = await import('./studies.ts')
  const studies = await demoStudies({ model, training: others, households, out: results })
  return { run: await openRun(results), studies }
}

/** Renders the pictures, writes their manifest and opens it. */
async function createDataset(
  world: string,
  name: string,
  pictures: readonly Picture[],
): Promise<Dataset> {
  const { default: sharp } = await import('sharp')
  const folder = join(world, name)
  await mkdir(folder, { recursive: true })
  await mapLimited(pictures, 4, async ({ id, svg }) => {
    await sharp(Buffer.from(svg))
      .jpeg({ quality: 90 })
      .toFile(join(folder, `${id}.jpg`))
  }).catch((error: unknown) => {
    throw writeError(folder, error)
  })
  const columns = Object.keys(pictures[0]!.groups)
  const rows = pictures.map(({ id, label, groups }) =>
    [id, join(name, `${id}.jpg`), label, ...columns.map(column => groups[column])].join(','),
  )
  const manifest = join(world, `${name}.csv`)
  await writeFile(
    manifest,
    [['id', 'image', 'label', ...columns].join(','), ...rows, ''].join('\n'),
  )
  const classes = join(world, 'classes.txt')
  await writeFile(classes, `${objectNames.join('\n')}\n`)
  return { ...(await openDataset({ name: manifest, classes })), name, synthetic: syntheticNote }
}

async function fitModels(folder: string, training: Dataset): Promise<ModelSpec[]> {
  await mkdir(folder, { recursive: true })
  const steps = nativeSteps(recipe)
  const bare = await Promise.all(
    architectures.map(async architecture => {
      const file = join(folder, `${architecture}.untrained.safetensors`)
      const tensors = initialWeights(architecture, objectNames.length, seed)
      await writeSafetensors(file, tensors)
      return {
        tensors,
        model: { name: architecture, architecture, classes: objectNames.length, files: [file] },
      }
    }),
  )
  const features = await extractFeatures(
    bare.map(({ model }) => model),
    steps,
    training.samples,
  )
  const specs: ModelSpec[] = []
  for (const [m, { tensors, model }] of bare.entries()) {
    for (const count of trainingSizes) {
      const labels = training.samples.slice(0, count).map(sample => sample.labels[0]!)
      const { weight, bias } = fitHead(features[m]!, labels, objectNames.length)
      const fitted = new Map([
        ['classifier.weight', weight],
        ['classifier.bias', bias],
      ])
      const file = join(folder, `${model.architecture}.fitted_${count}.safetensors`)
      await writeSafetensors(
        file,
        tensors.map(tensor => ({
          ...tensor,
          data: fitted.get(tensor.name) ?? tensor.data,
        })),
      )
      const name = `${model.architecture}.fitted_${count}`
      const described = { name, architecture: model.architecture, classes: objectNames }
      specs.push({ ...described, recipe, weights: { from: 'files', files: [file] } })
      const description = { ...described, weights: basename(file), preprocessing: recipe }
      await writeJson(join(folder, `${name}.json`), description)
    }
  }
  return specs
}
