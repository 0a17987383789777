/*
 * Retrains last layers, from names to results (section 6.3, tables 4 and 9): computes features once, trains heads on growing
 * shares of the training part with several seeds, and scores them on the other parts.
 */
import { defaultMinN } from '../metrics/disparity.ts'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Dataset } from '../datasets/dataset.ts'
import { imagenetNames } from '../datasets/labels/imagenet.ts'
import { openDataset } from '../datasets/open.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { type PreparedModel } from '../models/runtime/prepareModel.ts'
import { type LinearHead, loadHead, selectRows, saveHead } from '../models/runtime/head.ts'
import { saveHeadModel } from '../models/runtime/headModel.ts'
import { type ModelSpec } from '../models/spec.ts'
import { recordStudy } from '../results/studies.ts'
import { slug } from '../results/storedEvaluations.ts'
import {
  type FeatureSet,
  type FeatureSetOptions,
  loadOrComputeFeatures,
  openFeaturesIn,
} from './features.ts'
import { type RetrainedHead, retrainHead, type RetrainOptions } from './lastLayer.ts'
import { scorePart } from './scorePart.ts'
import { openParts, type DatasetPart, type DatasetParts, type TrainingOptions } from './parts.ts'
import { prepareNamedModel, pretrainedHead, untrainedHead } from './pretrained.ts'
import { requireClassesEvaluated, type SplitProtocol } from './splits.ts'
import { runStudy, type StudySummaryRow } from './study.ts'

export interface RetrainingOptions
  extends FeatureSetOptions, TrainingOptions, Pick<RetrainOptions, 'epochs' | 'batch' | 'rate'> {
  /** A model name as for `evaluate`, or a described model; with `features`, the model whose head training starts from. */
  model?: string | ModelSpec
  /** Folders of kept features or of results of `evaluate --keep features`, used instead of images. */
  features?: readonly string[]
  /** Shares of the training images. Default 5 to 100 %; each with 3 seeds by default. */
  fractions?: readonly number[]
  /** Called after every head. */
  onHead?: (fraction: number, seed: number, trained: RetrainedHead) => void
}

export interface RetrainingResult {
  model: string
  /** Figures by share of the training images; share 0 is the head before training. */
  rows: StudySummaryRow[]
  notes: string[]
  /** Folders of the heads trained on the largest share, one for each seed; each can be used as a model. */
  heads: string[]
}

const paperFractions: readonly number[] = [0.05, 0.1, 0.25, 0.5, 0.75, 1]

/**
 * Retrains and scores heads, saves them in `out/heads` and records the study `last-layer` of `out`.
 * @throws GeogapError `class-not-evaluated`, `bad-loss` (heads of earlier runs stay), and errors of opening and splitting.
 */
export async function runRetraining(options: RetrainingOptions): Promise<RetrainingResult> {
  const {
    out,
    split = 'household',
    fractions = paperFractions,
    seeds = 3,
    minN = defaultMinN,
  } = options
  const { epochs, batch, rate } = options
  const source = options.features
    ? await storedFeatureSource(options.features, options)
    : await computedFeatureSource(options)
  const parts = await openParts({ train: options.train, evals: options.evals, split }, source.open)
  const training = trainingRowsOf(parts)
  const first = await startingHead(source.model, training)
  const figuresOf = (head: LinearHead) => scoreParts(parts.evals, head, minN)
  const largest = Math.max(...fractions)
  const heads: string[] = []
  const run = async (fraction: number, seed: number) => {
    const trained = await retrainHead({
      ...training,
      head: first.head,
      seed,
      fraction,
      epochs,
      batch,
      rate,
    })
    options.onHead?.(fraction, seed, trained)
    const figures = await figuresOf(trained.head)
    const base = source.base ?? training.featureSet.description.model
    if (fraction === largest)
      heads.push(await saveTrainedHead(out, { ...trained, seed, fraction, split, base }, training))
    return figures
  }
  const before = await runStudy({ settings: [0], seeds: 1, run: () => figuresOf(first.head) })
  const rows = [...before, ...(await runStudy({ settings: fractions, seeds, run }))]
  const { model } = training.featureSet.description
  await recordStudy(out, { study: 'last-layer', model }, rows)
  return {
    model,
    rows,
    notes: [...parts.notes, ...first.notes],
    heads,
  }
}

interface FeatureSource {
  open: (from: string | Dataset) => Promise<FeatureSet>
  model?: PreparedModel
  /** The name of the model as given. */
  base?: string
}

async function loadModelToTrain({
  model,
  onDownload,
}: RetrainingOptions): Promise<Required<Omit<FeatureSource, 'open'>> | undefined> {
  if (model === undefined) return undefined
  const prepared = await prepareNamedModel(model, onDownload, spec => {
    if (spec.head)
      throw inputError(
        'retrained-head',
        `${spec.name} is a retrained head; give the model that it is on`,
      )
  })
  return { model: prepared, base: typeof model === 'string' ? model : prepared.spec.name }
}

async function computedFeatureSource(options: RetrainingOptions): Promise<FeatureSource> {
  const found = await loadModelToTrain(options)
  if (!found) throw inputError('no-model', 'no model given, and no kept features')
  const open = async (from: string | Dataset): Promise<FeatureSet> =>
    loadOrComputeFeatures(
      found.model,
      typeof from === 'string' ? await openDataset({ ...options.open, name: from }) : from,
      options,
    )
  return { ...found, open }
}

async function storedFeatureSource(
  folders: readonly string[],
  options: RetrainingOptions,
): Promise<FeatureSource> {
  const all = (await Promise.all(folders.map(openFeaturesIn))).flat()
  if (all.length === 0) throw inputError('no-features', `no kept features in ${folders.join(', ')}`)
  const found = await loadModelToTrain(options)
  const weights = String(found?.model.hashes ?? all[0]!.description.weights)
  const ofModel = all.filter(({ description: about }) => String(about.weights) === weights)
  const models = [...new Set(all.map(({ description: about }) => about.model))].join(' and of ')
  if (ofModel.length === 0)
    throw inputError(
      'different-encoder',
      `features of ${models}, none of ${found!.model.spec.name}`,
    )
  if (!found && ofModel.length < all.length)
    throw inputError('different-encoder', `features of ${models}: --model NAME says which`)
  const names = ofModel.map(({ description: about }) => about.dataset)
  return {
    ...found,
    open: from => {
      const [kept, other] = ofModel.filter(({ description: about }) => about.dataset === from)
      if (!kept)
        throw unknownNameError('kept data set', typeof from === 'string' ? from : from.name, names)
      if (other)
        throw inputError(
          'bad-features',
          `features of ${kept.description.dataset} are there twice: give the folder of one`,
        )
      return kept.read()
    },
  }
}

interface TrainingRows extends Pick<RetrainOptions, 'features' | 'labels'> {
  featureSet: FeatureSet
  dataset: string
}

/** Returns the training images that have a class, which is the first accepted one. */
function trainingRowsOf({ train, evals }: DatasetParts): TrainingRows {
  const { samples: items, features, featureSet: kept, dataset } = train
  const rows = items.flatMap(({ labels }, row) => (labels.length > 0 ? row : []))
  if (rows.length === 0)
    throw inputError('bad-training-data', `no image of ${dataset} has a class to train`)
  const some = rows.map(row => items[row]!)
  const tested = evals.flatMap(part => part.samples)
  requireClassesEvaluated(some, tested)
  return {
    features: selectRows(features, rows),
    labels: some.map(({ labels }) => labels[0]!),
    featureSet: kept,
    dataset,
  }
}

/** Returns the pretrained head if its classes are the data's, and keeps it beside the features; otherwise a head of zeros. */
async function startingHead(
  model: PreparedModel | undefined,
  { featureSet: kept, features }: TrainingRows,
): Promise<{ head: LinearHead; notes: string[] }> {
  const { description: about, headFile: file } = kept
  const own = model && String(model.spec.classes) === String(about.classes)
  const found = own && (await pretrainedHead(model.model, about.steps))
  if (found && file !== undefined) await saveHead(file, found)
  const head = found ?? (file !== undefined && existsSync(file) ? await loadHead(file) : undefined)
  if (head) return { head, notes: [] }
  const classes = about.classes === 'imagenet-1k' ? imagenetNames.length : about.classes.length
  const note = model
    ? `${about.model} has no linear head for these classes: training starts from zeros`
    : `no head of ${about.model} is kept with the features: training starts from zeros; --model NAME takes its own`
  return { head: untrainedHead(classes, features.width), notes: [note] }
}

async function scoreParts(
  evals: readonly DatasetPart[],
  head: LinearHead,
  minN: number,
): Promise<Record<string, number | null>> {
  const figures: Record<string, number | null> = {}
  for (const part of evals) Object.assign(figures, await scorePart(part, head, minN))
  return figures
}

/** A head that was trained on a share of the training rows with one seed. */
interface TrainedHead extends RetrainedHead {
  seed: number
  fraction: number
  split: SplitProtocol
  /** The model that the head is for, as it was given. */
  base: string
}

/** Saves a head as a model and returns its folder. */
function saveTrainedHead(
  out: string,
  { head, images, losses, seed, fraction, split, base }: TrainedHead,
  { featureSet: { description }, dataset }: TrainingRows,
): Promise<string> {
  const { model, weights, recipe: steps, classes, content } = description
  const name = `${model}.retrained_${seed}`
  const trained = { dataset, content, split, images, fraction, seed, loss: losses.at(-1)! }
  const folder = join(out, 'heads', slug(name))
  return saveHeadModel(folder, head, { name, base, weights, steps, classes, trained })
}
