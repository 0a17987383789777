import { concatFloat32 } from '../lib/tensors/tensors.ts'
import { type Dataset } from '../datasets/dataset.ts'
import { inputError } from '../lib/errors.ts'
import { promptNames, promptTexts } from '../models/zeroShot/prompts.ts'
import { foreignTextEncoder } from '../models/zeroShot/textEncoder.ts'
import {
  builtTextEncoder,
  featureScorer,
  foreignFeatureScorer,
  hashPrompts,
  zeroShotHead,
} from '../models/zeroShot/zeroShotHead.ts'
import { type LocalModel, type ModelSpec } from '../models/spec.ts'
import { type DualEncoder } from '../models/families/family.ts'
import { loadModelWithWeights } from '../models/loadModelSpec.ts'
import { plainModelName, promptsOfName } from '../models/promptedName.ts'
import { type PreparedModel, prepareModel } from '../models/runtime/prepareModel.ts'
import {
  dualEncoderOf,
  promptedEncoder,
  toZeroShotModel,
} from '../models/zeroShot/zeroShotModel.ts'
import { type KeptOutput, type ResultKey } from '../results/schema.ts'

/** A zero-shot head over kept features. */
export interface RescoringHead {
  /** The `prompts` of the results' key. */
  hash: string
  logits(rows: readonly Float32Array[]): Promise<Float32Array[]>
}

/** A stored evaluation, and the kept output that is scored. */
interface KeptEvaluation {
  identity: ResultKey
  output: KeptOutput
}

/** A data set to be scored anew, and the classes that it had when it was evaluated. */
interface RescoredDataset {
  dataset: Dataset
  evaluatedClasses: readonly string[]
}

interface HeadOptions {
  prompts?: string
  weights?: string
}

/**
 * Creates the head that kept features need; null for kept logits, whose classes cannot change. The texts of a zero-shot model go
 * through its text tower once. Errors: other-classes, no-logits, keep-features, unknown-prompts.
 */
export async function createRescoringHead(
  { identity, output }: KeptEvaluation,
  { dataset, evaluatedClasses }: RescoredDataset,
  { prompts, weights }: HeadOptions,
): Promise<RescoringHead | null> {
  const { model: name } = identity
  if (output === 'logits') {
    if (prompts !== undefined)
      throw inputError(
        'keep-features',
        `logits of ${name} were kept, other prompts need --keep features`,
      )
    if (dataset.classes.join('\n') === evaluatedClasses.join('\n')) return null
    const classes = `${dataset.classes.length} ${dataset.labelSpace === 'own' ? 'classes of its own' : 'ImageNet classes'}`
    throw inputError(
      'other-classes',
      `the kept logits of ${name} are over the ${evaluatedClasses.length} classes of its evaluation, not the ${classes} asked for`,
    )
  }
  if (identity.prompts === '')
    throw inputError(
      'no-logits',
      `features of ${name} were kept, which need its own head: evaluate with --keep logits`,
    )
  const prepared = await prepareEvaluatedModel(identity, weights)
  const texts =
    prompts ?? (await findPrompts(promptedEncoder(prepared.spec), identity, evaluatedClasses))
  return createTextHead(prepared, dataset.classes, texts)
}

/** Brings the weights of an evaluation's model to this machine. @throws GeogapError `other-weights` */
export async function prepareEvaluatedModel(
  { model: name, weights: hashes }: Pick<ResultKey, 'model' | 'weights'>,
  weights: string | undefined,
): Promise<PreparedModel> {
  const spec = await loadModelWithWeights(plainModelName(name), weights)
  const prepared = await prepareModel(spec)
  if (prepared.hashes.join() !== hashes.join())
    throw inputError(
      'other-weights',
      `the weights of ${name} are not those of the evaluation; give them with --weights`,
    )
  return prepared
}

/** Creates the head of class names in prompts. */
export async function createTextHead(
  prepared: PreparedModel,
  classNames: readonly string[],
  prompts: string,
): Promise<RescoringHead> {
  const model = await toZeroShotModel(prepared, { classNames, prompts })
  const score = await createTextScorer(prepared.spec, model)
  return {
    hash: hashPrompts(model.zeroShot!),
    logits: async rows => splitRows(await score(concatFloat32(rows)), rows.length),
  }
}

/** Finds the prompts that an evaluation used among its own and the named ones, by their hash. Errors: unknown-prompts. */
export async function findPrompts(
  encoder: Pick<DualEncoder, 'prompt'>,
  { prompts: hash, model }: Pick<ResultKey, 'prompts' | 'model'>,
  classNames: readonly string[],
): Promise<string> {
  for (const name of new Set([promptsOfName(model), ...promptNames])) {
    const texts = await promptTexts(name, encoder, classNames).catch(() => undefined)
    if (texts && hashPrompts({ tokenizer: '', ...texts }) === hash) return name
  }
  throw inputError(
    'unknown-prompts',
    `${model} was evaluated with prompts that are not here: give their file with --prompts`,
  )
}

/** Returns a function from features to logits for the class names and prompts of a model. */
async function createTextScorer(
  spec: ModelSpec,
  { text, zeroShot: task, files, classes, resizePositions }: LocalModel,
): Promise<(features: Float32Array) => Promise<Float32Array>> {
  if (text) {
    const head = await zeroShotHead(foreignTextEncoder(text), task!)
    const session = await foreignFeatureScorer(text, { head, classes })
    return features => session.run(features)
  }
  const encoder = dualEncoderOf(spec)
  const local = { encoder, files, imageSize: spec.recipe.size, resizePositions }
  return featureScorer(local, await zeroShotHead(builtTextEncoder(local), task!))
}

function splitRows(values: Float32Array, rows: number): Float32Array[] {
  const width = values.length / rows
  return Array.from({ length: rows }, (_, i) => values.subarray(i * width, (i + 1) * width))
}
