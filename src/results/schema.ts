import { z } from 'zod'
import { type Dataset } from '../datasets/dataset.ts'
import { preprocessingModes } from '../lib/pixels/steps.ts'
import { countText, shortList } from '../lib/table/text.ts'
import { groupByKey } from '../lib/tally.ts'
import { version } from '../lib/version.ts'

/** Version of the layout below; part of every result's key. */
export const schemaVersion = 1

/*
 * A shard is a Parquet file with one row per image:
 *   id VARCHAR            unique within the data set
 *   label VARCHAR         the class as the data set names it
 *   labels INTEGER[]      accepted class indices
 *   top5 INTEGER[]        class indices, most probable first
 *   probabilities FLOAT[] softmax over the choices, as top5; those that are not known are left out
 *   rank INTEGER          position of the first accepted class, from 1; null without prediction or accepted class
 *   target_probability FLOAT   softmax of all accepted classes together; null where rank is or if it is not known
 *   correct1, correct5 BOOLEAN   null without prediction or accepted class
 *   status VARCHAR        'ok', 'no-accepted-class', or an error code
 * and the data set's grouping columns, VARCHAR or DOUBLE.
 */

/** An image that no class of the model can get right is not an error and not part of any accuracy. */
export const noAcceptedClass = 'no-accepted-class'

/** SQL that finds rows of images without a prediction. */
export const failedSql = `status NOT IN ('ok', '${noAcceptedClass}')`

/** Preprocessing modes of earlier versions: what was stored with one is stale and takes no part in any answer. */
export const retiredModes = ['native-draft', 'paper-draft'] as const

/** What makes two predictions comparable: when any of it changes, results go to another key. */
export const resultKey = z.object({
  schema: z.literal(schemaVersion),
  version: z.string(),
  runtime: z.string(),
  model: z.string(),
  weights: z.array(z.string()),
  preprocessing: z.enum([...preprocessingModes, ...retiredModes]),
  steps: z.string(),
  dataset: z.string(),
  content: z.string(),
  images: z.number().int(),
  labelMap: z.string(),
  choices: z.string(),
  /** Hash of prompts and class names; empty for a model with a head of its own. */
  prompts: z.string(),
  /** How images are visited, where that is not the files' order; shards are positions in it. */
  order: z.string().optional(),
  /** Images that an analysis left out: how many, and which list said so. Never in what is stored. */
  excluded: z.string().optional(),
  /** What an analysis lets each image count for in place of its first class. Never in what is stored. */
  metric: z.enum(['top5', 'mrr', 'probability']).optional(),
  /**
   * Present where rows are not this program's predictions: `imported` where another program made them, `answers` where its
   * answers in free text were scored, so that one class at most is known, `counts` where others
   * counted right images by group and no row is a single image, `features` where the features alone were computed and nothing
   * was scored.
   */
  source: z.enum(['imported', 'answers', 'counts', 'features']).optional(),
})
/** Everything that must be equal for two predictions to be comparable. */
export type ResultKey = z.infer<typeof resultKey>

/** Whether the model chose among texts for the classes instead of using a head of its own. */
export const isZeroShot = ({ prompts }: Pick<ResultKey, 'prompts'>): boolean => prompts !== ''

/**
 * Returns whether the factor of a model's logits is not known (its text tower's line among the weights says so): its ranks are
 * right, and it has no probabilities.
 */
export const isUnscaled = ({ weights }: Pick<ResultKey, 'weights'>): boolean =>
  weights.some(line => line.endsWith(', logit scale unknown'))

/** Whether rows stand for counts by group, so that nothing is known of a single image. */
export const isOfCounts = ({ source }: Pick<ResultKey, 'source'>): boolean => source === 'counts'

/** Whether a row tells no more than the first class: a right answer is among the first five, of a wrong one it is not known. */
export const knowsFirstAlone = ({ source }: Pick<ResultKey, 'source'>): boolean =>
  source === 'counts' || source === 'answers'

/** Returns a sentence on results that are counts by group, and on what such counts cannot tell; none without such results. */
export function countsNotes(entries: readonly { identity: ResultKey }[]): string[] {
  const counted = entries.filter(({ identity }) => isOfCounts(identity))
  const names = counted.map(({ identity: { model, dataset } }) => `${model} on ${dataset}`)
  return names.length === 0
    ? []
    : [
        `counts by group from elsewhere, without single images: ${names.join(', ')}; their intervals take images as independent and are too narrow where several are of one household`,
      ]
}

/** Returns a sentence on each data set whose evaluations have different numbers of images, as after a limit or a change of its file. */
export function differentImagesNotes(entries: readonly { identity: ResultKey }[]): string[] {
  const keys = entries.map(({ identity }) => identity).filter(identity => !isOfCounts(identity))
  return [...groupByKey(keys, ({ dataset }) => dataset)].flatMap(([dataset, own]) => {
    const sizes = [...groupByKey(own, ({ images }) => images)].map(
      ([images, some]) =>
        `${countText(images, 'image')} by ${shortList([...new Set(some.map(({ model }) => model))], 3)}`,
    )
    return sizes.length < 2
      ? []
      : [
          `evaluations of ${dataset} are of different images: ${sizes.join('; ')}; geogap compare takes those in common`,
        ]
  })
}

/** What a model gives for an image, as far as it can be kept beside the predictions. */
export const keptOutputs = ['logits', 'features'] as const
export type KeptOutput = (typeof keptOutputs)[number]

/** The name of a file in the same folder: results may come from others. */
const siblingFile = z.string().regex(/^\w[\w.-]*$/)

/** Written last, after its Parquet file is durable: a shard exists when its manifest does. */
export const shardManifest = z
  .object({
    identity: resultKey,
    key: z.string(),
    start: z.number().int(),
    end: z.number().int(),
    rows: z.number().int(),
    errors: z.number().int(),
    file: siblingFile,
    bytes: z.number().int(),
    /** The model's output for every row, in a file beside this one. */
    kept: z
      .object({ output: z.enum(keptOutputs), file: siblingFile, bytes: z.number().int() })
      .optional(),
    /** Number of the evaluation that stored the shard, as its record has it. */
    generation: z.number().int().optional(),
    /** Key of the evaluation whose kept outputs these rows were scored from. */
    rescored: z.string().optional(),
    columns: z.array(z.string()),
    seconds: z.number(),
    machine: z.string(),
    /** Instruction sets of the processor that kernels are chosen by. */
    instructions: z.string().optional(),
    host: z.string().optional(),
    created: z.string(),
  })
  .refine(({ start, end, rows, errors }) => rows === end - start && errors <= rows)
export type ShardManifest = z.infer<typeof shardManifest>

/** Returns the fields of a result's key that the data set gives. */
export const datasetKeyFields = ({ name, hash, samples, labelMap, choices }: Dataset) => ({
  dataset: name,
  content: hash,
  images: samples.length,
  labelMap: `${labelMap.name} ${labelMap.hash}`,
  choices: choices === 'all' ? 'all' : choices.join(' '),
})

/** The fields of a result's key that the model and its settings give. */
export type ModelKeyFields = Pick<
  ResultKey,
  'runtime' | 'model' | 'weights' | 'preprocessing' | 'steps' | 'prompts' | 'source'
>

/** Returns the key of a model's results on a data set. Keys are hashed as JSON, so the order of the fields is part of the layout. */
export function createResultKey(
  { runtime, model, weights, preprocessing, steps, prompts, source }: ModelKeyFields,
  dataset: Dataset,
): ResultKey {
  const key: ResultKey = {
    schema: schemaVersion,
    version,
    runtime,
    model,
    weights,
    preprocessing,
    steps,
    ...datasetKeyFields(dataset),
    prompts,
  }
  if (dataset.order !== undefined) key.order = dataset.order
  if (source !== undefined) key.source = source
  return key
}
