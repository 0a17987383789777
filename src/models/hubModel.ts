/*
 * hf:OWNER/REPO[@REVISION][:FILE]: an ONNX repository for Transformers.js, with `onnx/model.onnx` (of encoders of images and
 * texts `onnx/vision_model.onnx` and `onnx/text_model.onnx`), `config.json` and `preprocessor_config.json`. The graphs are
 * downloaded when the model is used.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseJson } from '../lib/archive/json.ts'
import { areImagenetLabels } from '../datasets/labels/matchClassNames.ts'
import { imagenetClasses } from '../datasets/labels/imagenet.ts'
import { escapeForMessage, GeogapError, inputError, quoteForMessage } from '../lib/errors.ts'
import {
  findHubFile,
  hubFile,
  type HubFile,
  type HubOptions,
  type HubSource,
} from '../lib/hub/hub.ts'
import { type PreprocessingConfig } from '../lib/pixels/steps.ts'
import { type HeadList, headListOf } from './headClasses.ts'
import { hubRecipe, timmRecipe } from './hubPreprocessing.ts'
import { type GraphUse, type ModelSpec, type ForeignTextTower, unscaledNote } from './spec.ts'

const defaultFile = 'onnx/model.onnx'
const textConfigSchema = z
  .object({ max_position_embeddings: z.int(), pad_token_id: z.int() })
  .partial()
const timmLabelFields = {
  label_names: z.array(z.string()).nullish(),
  num_classes: z.int().nullish(),
}
const hubConfigSchema = z.object({
  architectures: z.array(z.string()).nullish(),
  model_type: z.string().nullish(),
  id2label: z.record(z.string(), z.union([z.string(), z.number().transform(String)])).nullish(),
  /** timm's exports have these in place of a preprocessor's file and `id2label`. */
  pretrained_cfg: z.looseObject(timmLabelFields).nullish(),
  ...timmLabelFields,
  text_config: textConfigSchema.nullish().catch(null),
  vision_config: z.unknown().optional(),
})
type HubConfig = z.infer<typeof hubConfigSchema>

/** Reads a hub repository as a model. @throws GeogapError `bad-hub-name`, `bad-hub-model`, `bad-preprocessing` */
export async function hubModel(name: string, options: HubOptions = {}): Promise<ModelSpec> {
  const { repo, revision: wanted, file } = parseHubName(name)
  const asked = await hubFile({ repo, file: 'config.json', revision: wanted }, options)
  // All files come from one commit, even if the branch moves.
  const revision = asked.commit
  const found = hubConfigSchema.safeParse(withPretrainedConfig(await readJson(asked)))
  if (!found.success) {
    const { path, message } = found.error.issues[0]!
    const fault = escapeForMessage(`${path.join('.')}: ${message}`, 200)
    throw inputError('bad-hub-model', `config.json of ${repo} is not as expected: ${fault}`)
  }
  const recipe = await readRecipe({ repo, file: '', revision }, found.data, options)
  const common = { name, architecture: 'onnx', recipe, source: repo }
  if (isDualEncoder(found.data) && (file === defaultFile || isImageTower(file))) {
    const tower = file === defaultFile ? 'onnx/vision_model.onnx' : file
    const text = textTowerOf(found.data, repo, tower.replace('vision_model', 'text_model'))
    return {
      ...common,
      graph: imageTowerUse(found.data),
      text,
      note: unscaledNote(text.logitScale),
      classes: 'zero-shot',
      weights: { from: 'hub', repo, file: tower, revision },
    }
  }
  const isClassifying = isClassifier(found.data, file)
  const other = isClassifying || isImageTower(file) ? undefined : found.data.architectures?.[0]
  if (other && otherTasks.test(other))
    throw inputError(
      'bad-hub-model',
      `config.json of ${repo} says ${quoteForMessage(other)}, which gives neither classes nor features of images`,
    )
  return {
    ...common,
    graph: graphUseOf(found.data, file),
    ...(isClassifying ? classesOf(found.data, repo) : { classes: [] }),
    weights: {
      from: 'hub',
      repo,
      file,
      revision,
      // Where exporters other than Transformers.js put it.
      ...(file === defaultFile && { otherwise: 'model.onnx' }),
    },
  }
}

const readJson = async ({ path }: HubFile): Promise<unknown> =>
  parseJson(await readFile(path, 'utf8'))

/** Moves timm's keys into `pretrained_cfg`; its older files have them at the top. */
const withPretrainedConfig = (content: unknown): unknown =>
  typeof content === 'object' &&
  content !== null &&
  'architecture' in content &&
  !('pretrained_cfg' in content)
    ? { pretrained_cfg: content, ...content }
    : content

const processorSchema = z.object({ image_processor: z.unknown().optional() })

/** Returns the content of the preprocessor's file, which newer repositories have in `processor_config.json`; undefined without. */
async function findPreprocessor(source: HubSource, options: HubOptions): Promise<unknown> {
  const own = await findHubFile({ ...source, file: 'preprocessor_config.json' }, options)
  if (own) return readJson(own)
  const whole = await findHubFile({ ...source, file: 'processor_config.json' }, options)
  return whole && processorSchema.safeParse(await readJson(whole)).data?.image_processor
}

/** Returns the recipe of the preprocessor's file, or of timm's `pretrained_cfg`; errors name the repository. */
async function readRecipe(
  source: HubSource,
  { pretrained_cfg: timm }: HubConfig,
  options: HubOptions,
): Promise<PreprocessingConfig> {
  try {
    const content = await findPreprocessor(source, options)
    if (content === undefined && !timm)
      await hubFile({ ...source, file: 'preprocessor_config.json' }, options)
    const isTimm = content === undefined || timmProcessorSchema.safeParse(content).success
    return isTimm && timm ? timmRecipe(timm) : hubRecipe(content)
  } catch (error) {
    if (!(error instanceof GeogapError) || error.code !== 'bad-preprocessing') throw error
    throw inputError('bad-preprocessing', `${source.repo}: ${error.message}`, error)
  }
}

const timmProcessorSchema = z.object({
  image_processor_type: z.literal('TimmWrapperImageProcessor'),
})

/** Splits a hub model's name into its parts. @throws GeogapError `bad-hub-name` */
export function parseHubName(name: string): { repo: string; revision: string; file: string } {
  const [, repo, revision = 'main', file = defaultFile] =
    /^hf:([^@:]+)(?:@([^:]+))?(?::(.+\.onnx))?$/.exec(name) ?? []
  if (!repo)
    throw inputError(
      'bad-hub-name',
      `not hf:OWNER/REPO[@REVISION][:FILE.onnx]: ${quoteForMessage(name)}`,
    )
  return { repo, revision, file }
}

const isImageTower = (file: string): boolean => /(^|\/)vision_model[^/]*\.onnx$/.test(file)

/** Whether a class of transformers, by its name, gives classes of images. */
const namesClassifier = (architecture: string): boolean =>
  /ForImageClassification(WithTeacher)?$/.test(architecture)

/** Returns whether a configuration is that of an encoder of images and texts, whose image tower alone may classify. */
const isDualEncoder = ({ architectures, model_type: type, ...config }: HubConfig): boolean =>
  !architectures?.some(namesClassifier) &&
  (Boolean(config.text_config && config.vision_config) ||
    /^(clip|siglip2?|metaclip_2|chinese_clip)$/.test(type ?? ''))

const isSigmoidModel = ({ model_type: type }: HubConfig): boolean => /^siglip/.test(type ?? '')

const imageFeed = { input: 'pixel_values', layout: 'NCHW', kind: 'embedding' } as const

/** Returns the use of an image tower: projected embeddings, which SigLIP, having no projection, calls its pooler's output. */
const imageTowerUse = (config: HubConfig): GraphUse =>
  isSigmoidModel(config)
    ? { ...imageFeed, output: 'pooler_output', otherwise: ['image_embeds'] }
    : { ...imageFeed, output: 'image_embeds' }

/**
 * Trained factors of logits, which the files of single towers lack, by the repositories of unchanged exports. The factor of
 * OpenAI's models is in its own example (github.com/openai/CLIP, README); that of so400m is exp(4.7215)
 * (github.com/mlfoundations/open_clip/issues/746). Its bias does not change a softmax.
 */
const publishedScales: readonly [repo: RegExp, scale: number][] = [
  [
    /^(Xenova|openai|onnx-community)\/clip-vit-(base-patch(16|32)|large-patch14(-336)?)(-ONNX)?$/,
    100,
  ],
  [/^(Xenova|google|onnx-community)\/siglip-so400m-patch14-384(-ONNX)?$/, Math.exp(4.7215)],
]

const publishedScale = (repo: string): number | null =>
  publishedScales.find(([pattern]) => pattern.test(repo))?.[1] ?? null

function textTowerOf(config: HubConfig, repo: string, file: string): ForeignTextTower {
  const isSigmoid = isSigmoidModel(config)
  const { max_position_embeddings: positions, pad_token_id: padding } = config.text_config ?? {}
  const usual = isSigmoid ? 64 : config.model_type === 'clip' ? 77 : undefined
  return {
    file,
    output: isSigmoid ? 'pooler_output' : 'text_embeds',
    otherwise: isSigmoid ? ['text_embeds'] : [],
    tokenizer: 'tokenizer.json',
    tokenizerConfig: 'tokenizer_config.json',
    contextLength: positions ?? usual,
    padding,
    padded: isSigmoid,
    lowercase: isSigmoid,
    logitScale: publishedScale(repo),
    prompt: isSigmoid ? 'This is a photo of {}.' : 'This is a photo of a {}',
  }
}

/** Returns whether the architecture has classes; files that name none have their names or, timm's, at least their number. */
function isClassifier({ architectures, id2label, ...config }: HubConfig, file: string): boolean {
  if (isImageTower(file)) return false
  return architectures?.length
    ? architectures.some(namesClassifier)
    : Object.keys(id2label ?? {}).length > 0 ||
        Boolean(config.pretrained_cfg && timmClassCount(config))
}

/** Tasks whose models give neither classes nor features of images. */
const otherTasks = /For(?!ImageClassification|PreTraining|MaskedImageModeling)[A-Z]/

const timmClassCount = (config: Pick<HubConfig, 'num_classes' | 'pretrained_cfg'>): number =>
  config.num_classes ?? config.pretrained_cfg?.num_classes ?? 0

/** Returns the input and output names that Transformers.js uses. */
function graphUseOf(found: HubConfig, file: string): GraphUse {
  const feed = { input: 'pixel_values', layout: 'NCHW' } as const
  if (isClassifier(found, file)) return { ...feed, output: 'logits', kind: 'logits' }
  return isImageTower(file)
    ? { ...imageFeed, output: 'image_embeds', otherwise: ['pooler_output'] }
    : { ...feed, output: 'pooler_output', kind: 'embedding' }
}

/**
 * Returns the classes that `id2label` or timm's `label_names` names; timm's 1,000 without names are ImageNet's. From
 * ImageNet's 1,000 after a background class, and from heads over ImageNet-12k to -22k, the 1,000 are picked.
 */
function classesOf(config: HubConfig, repo: string): Pick<ModelSpec, 'classes' | 'headClasses'> {
  const { id2label, pretrained_cfg: timm } = config
  const names =
    config.label_names ??
    timm?.label_names ??
    Array.from({ length: Object.keys(id2label ?? {}).length }, (_, i) => id2label?.[String(i)])
  const count = timmClassCount(config)
  if (names.length === 0 && timm && count === 1000) return { classes: 'imagenet-1k' }
  const list = headListOf(names.length || count)
  const isUnnamed = names.length === 0 && timm && count > 1001
  if (list && (isUnnamed || areNamesOf(list, names)))
    return { classes: 'imagenet-1k', headClasses: list.classes }
  const bad = (what: string): GeogapError =>
    inputError('bad-hub-model', `id2label in config.json of ${repo} ${what}`)
  if (names.length === 1) throw bad('names one class, and two are the least')
  if (names.length === 0 || names.some(name => name === undefined))
    throw bad('does not name classes 0, 1, 2 …')
  const labels = names as string[]
  if (labels.every(label => /^LABEL_\d+$/.test(label)))
    throw bad(`has ${labels.length} placeholders such as LABEL_0, not the names of classes`)
  return { classes: areImagenetLabels(labels) ? 'imagenet-1k' : labels }
}

/** Returns whether the names are those of a list with more classes than ImageNet's 1,000, judged by these. */
const areNamesOf = ({ places }: HeadList, names: readonly (string | undefined)[]): boolean =>
  areImagenetLabels(
    places.map((place, i) => (place < 0 ? imagenetClasses[i]!.wnid : (names[place] ?? ''))),
  )
