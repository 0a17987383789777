/* model.json: describes a model of the user's own beside its weights, which may lie in any folder; other files that it
 * names are in its own.
 */
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { readText } from '../datasets/files.ts'
import { parseJson } from '../lib/archive/json.ts'
import { readClasses } from '../datasets/manifest.ts'
import { type GeogapError, inputError, quoteForMessage } from '../lib/errors.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'
import { stripControlCharacters } from '../lib/table/text.ts'
import { recipeSchema, stepsSchema } from './preprocessingSchemas.ts'
import { findArchitecture } from './architectures.ts'
import { type ModelSpec, unscaledNote } from './spec.ts'

/** The file name of a description in its folder. */
export const descriptionName = 'model.json'

export const fileNameSchema = z
  .string()
  .max(255)
  .refine(
    name =>
      !/[\\:\p{Cc}]/u.test(name) && name.split('/').every(part => !['', '.', '..'].includes(part)),
    {
      message: "must name a file in the description's own folder",
    },
  )
export const commonFields = {
  /** Name in results, by default the folder's. */
  name: z.string().min(1).max(200).optional(),
  preprocessing: z.union([recipeSchema, stepsSchema], {
    error: 'must be a recipe, or the steps resize, centerCrop, normalize',
  }),
  /** ImageNet's 1,000 in wnid order, the names themselves, or a file of them. */
  classes: z.union([z.array(z.string().min(1)).max(100_000), fileNameSchema], {
    error: "must be 'imagenet-1k', a list of names, or the name of a file beside it",
  }),
  licence: z.string().max(200).optional(),
  /** Keys that a program guessed. */
  guessed: z.array(z.string()).max(20).optional(),
}
const architectureModelSchema = z.strictObject({
  ...commonFields,
  architecture: z.string(),
  weights: z
    .string()
    .max(4096)
    .regex(/^[^\p{Cc}]+$/u, { message: 'must be the path of a file' }),
})
const onnxModelSchema = z.strictObject({
  ...commonFields,
  onnx: fileNameSchema,
  input: z.strictObject({
    name: z.string(),
    layout: z.enum(['NCHW', 'NHWC']),
    dtype: z.enum(['float32', 'float16', 'uint8']),
  }),
  output: z.strictObject({
    name: z.string(),
    kind: z.enum(['logits', 'probabilities', 'embedding']),
  }),
})

const dualModelSchema = onnxModelSchema.omit({ classes: true }).extend({
  /** The recipe, the steps, or the file `preprocessor_config.json` as Transformers has it. */
  preprocessing: z.union([commonFields.preprocessing, fileNameSchema], {
    error: 'must be a recipe, the steps, or the name of a preprocessor_config.json',
  }),
  text: z.strictObject({
    onnx: fileNameSchema,
    output: z.string(),
    tokenizer: fileNameSchema.default('tokenizer.json'),
    contextLength: z.int().min(2).max(100_000).optional(),
    padding: z.int().min(0).optional(),
    padded: z.boolean().optional(),
    /** The checkpoint's exp(logit_scale). Without it there are no probabilities. */
    logitScale: z.number().positive().nullable().default(null),
    prompt: z
      .string()
      .regex(/\{c?\}/, { message: 'must have {} where the class name stands' })
      .default('a photo of a {}'),
  }),
})
type DualModelDescription = z.infer<typeof dualModelSchema>

/** The content of model.json: weights for an architecture of the catalogue, or an ONNX file. */
export type ModelDescription =
  z.infer<typeof architectureModelSchema> | z.infer<typeof onnxModelSchema>
export type OnnxModelDescription = z.infer<typeof onnxModelSchema>

/** Finds a model by any of its names. */
export type ModelFinder = (name: string) => Promise<ModelSpec>

/**
 * Reads the model that `path`, a model.json or its folder, describes. `baseOf` finds the base of a retrained head; without
 * it a head is refused.
 * @throws GeogapError `missing-file`, `bad-model-file`, `unknown-model` (its architecture)
 */
export async function readOwnModel(path: string, baseOf?: ModelFinder): Promise<ModelSpec> {
  const isFolder = await stat(path).then(
    found => found.isDirectory(),
    () => false,
  )
  const file = isFolder ? join(path, descriptionName) : path
  if (isFolder && !existsSync(file))
    throw inputError(
      'missing-file',
      `missing file: ${file}; geogap models describe FILE.onnx writes one`,
    )
  const text = await readText(file)
  const content = parseJson(text)
  if (typeof content === 'object' && content !== null && 'base' in content) {
    if (!baseOf)
      throw descriptionError(file, 'a retrained head itself, which no other can have as its base')
    const { readHeadModel } = await import('./runtime/headModel.ts')
    return readHeadModel(file, content, baseOf)
  }
  if (typeof content === 'object' && content !== null && 'text' in content)
    return readDualModel(file, parseDescription(file, dualModelSchema, content))
  const model = parseOwnModel(file, content)
  const folder = dirname(resolve(file))
  return {
    name: stripControlCharacters(model.name ?? basename(folder)),
    recipe: describedRecipe(file, model.preprocessing),
    classes: await classesOf(file, model),
    ...weightsOf(folder, model),
    licence: model.licence,
    note: guessNote(model),
  }
}

/** Returns an encoder of images and texts whose towers are two ONNX files. */
async function readDualModel(file: string, model: DualModelDescription): Promise<ModelSpec> {
  const folder = dirname(resolve(file))
  const { input, output, text, preprocessing } = model
  if (output.kind !== 'embedding')
    throw descriptionError(file, 'output.kind must be embedding beside a text tower')
  const { onnx, tokenizer, ...settings } = text
  const tokenizerConfig = join(folder, dirname(tokenizer), 'tokenizer_config.json')
  return {
    name: stripControlCharacters(model.name ?? basename(folder)),
    architecture: 'onnx',
    recipe:
      typeof preprocessing === 'string'
        ? await preprocessorRecipe(join(folder, preprocessing))
        : describedRecipe(file, preprocessing),
    classes: 'zero-shot',
    graph: { ...input, input: input.name, output: output.name, kind: output.kind },
    text: {
      ...settings,
      file: join(folder, onnx),
      tokenizer: join(folder, tokenizer),
      tokenizerConfig: existsSync(tokenizerConfig) ? tokenizerConfig : undefined,
    },
    weights: { from: 'files', files: [join(folder, model.onnx)] },
    licence: model.licence,
    note: [guessNote(model), unscaledNote(text.logitScale)].filter(Boolean).join('; ') || undefined,
  }
}

async function preprocessorRecipe(file: string): Promise<PreprocessingConfig> {
  const { hubRecipe } = await import('./hubPreprocessing.ts')
  return hubRecipe(parseJson(await readText(file)))
}

const guessNote = ({ guessed }: Pick<ModelDescription, 'guessed'>): string | undefined =>
  guessed?.length ? `${guessStart}${guessed.join(', ')}` : undefined

const guessStart = 'guessed and not checked: '

/** Returns whether a model's note says that a part of its description was guessed. */
export const isGuessNote = (note: string | undefined): boolean =>
  note?.startsWith(guessStart) ?? false

const descriptionError = (file: string, what: string): GeogapError =>
  inputError('bad-model-file', `bad model description ${quoteForMessage(file, 300)}: ${what}`)

function parseOwnModel(file: string, content: unknown): ModelDescription {
  if (typeof content !== 'object' || content === null)
    throw descriptionError(file, 'it is no JSON object')
  const kinds = ['architecture', 'onnx'].filter(key => key in content)
  if (kinds.length !== 1)
    throw descriptionError(file, "one of 'architecture', 'onnx' and 'base' is needed")
  return kinds[0] === 'onnx'
    ? parseDescription(file, onnxModelSchema, content)
    : parseDescription(file, architectureModelSchema, content)
}

/** Checks a description against its schema. @throws GeogapError `bad-model-file` with the first fault */
export function parseDescription<T>(file: string, schema: z.ZodType<T>, content: unknown): T {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  const [{ path, message }] = result.error.issues as [z.core.$ZodIssue]
  throw descriptionError(
    file,
    stripControlCharacters(path.length === 0 ? message : `${path.join('.')}: ${message}`),
  )
}

/** Returns the recipe of a description. @throws GeogapError `bad-model-file` if the crop exceeds the resized image */
export function describedRecipe(
  file: string,
  preprocessing: ModelDescription['preprocessing'],
): PreprocessingConfig {
  const found = plainRecipe(preprocessing)
  if ((found.resize ?? found.size) < found.size)
    throw descriptionError(
      file,
      `preprocessing: the crop of ${found.size} is larger than the resized image, ${found.resize}`,
    )
  return found
}

function plainRecipe(preprocessing: ModelDescription['preprocessing']): PreprocessingConfig {
  const recipe = 'mean' in preprocessing ? { ...preprocessing } : recipeOfSteps(preprocessing)
  if (!recipe.squash) delete recipe.squash
  if (recipe.channels !== 'BGR') delete recipe.channels
  return recipe as PreprocessingConfig
}

function recipeOfSteps([resize, { size, offset }, { mean, std, channels }]: z.infer<
  typeof stepsSchema
>) {
  const { interpolation, squash } = resize
  return {
    mean,
    std,
    channels,
    interpolation,
    squash,
    cropPct: size / resize.size,
    size,
    resize: resize.size,
    ...(offset && { cropOffset: offset }),
  }
}

async function classesOf(file: string, model: ModelDescription): Promise<ModelSpec['classes']> {
  const isEmbedding = 'output' in model && model.output.kind === 'embedding'
  return isEmbedding ? [] : describedClasses(file, model)
}

/** Returns the classes of a description, read from their file if it names one. @throws GeogapError `bad-model-file` */
export async function describedClasses(
  file: string,
  { classes }: Pick<ModelDescription, 'classes'>,
): Promise<ModelSpec['classes']> {
  if (classes === 'imagenet-1k') return classes
  const names =
    typeof classes === 'string' ? await readClasses(join(dirname(file), classes)) : classes
  if (names.length < 2) throw descriptionError(file, `classes: ${names.length} are too few`)
  return names
}

function weightsOf(
  folder: string,
  model: ModelDescription,
): Pick<ModelSpec, 'architecture' | 'graph' | 'weights'> {
  if ('architecture' in model) {
    findArchitecture(model.architecture)
    return {
      architecture: model.architecture,
      weights: { from: 'files', files: [resolve(folder, model.weights)] },
    }
  }
  const { input, output } = model
  return {
    architecture: 'onnx',
    graph: { ...input, input: input.name, output: output.name, kind: output.kind },
    weights: { from: 'files', files: [join(folder, model.onnx)] },
  }
}
