/*
 * hf:OWNER/REPO[@REVISION][:FILE]: an ONNX repository for Transformers.js, with `onnx/model.onnx`, `config.json` and
 * `preprocessor_config.json`. The graph is downloaded when the model is used.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { parseJson } from '../lib/archive/json.ts'
import { areImagenetLabels } from '../datasets/labels/classNames.ts'
import { inputError, quoteForMessage } from '../lib/errors.ts'
import { hubFile, type HubFile, type HubOptions } from '../lib/hub/hub.ts'
import { hubRecipe } from './hubPreprocessing.ts'
import { type GraphUse, type ModelSpec } from './spec.ts'

const defaultFile = 'onnx/model.onnx'
const hubConfigSchema = z.object({
  architectures: z.array(z.string()).optional(),
  id2label: z.record(z.string(), z.string()).optional(),
})
type HubConfig = z.infer<typeof hubConfigSchema>

/** Reads a hub repository as a model. @throws GeogapError `bad-hub-name`, `bad-hub-model`, `bad-preprocessing` */
export async function hubModel(name: string, options: HubOptions = {}): Promise<ModelSpec> {
  const { repo, revision: wanted, file } = parseHubName(name)
  const asked = await hubFile({ repo, file: 'config.json', revision: wanted }, options)
  // All files come from one commit, even if the branch moves.
  const revision = asked.commit
  const preprocessing = await hubFile({ repo, file: 'preprocessor_config.json', revision }, options)
  const found = hubConfigSchema.safeParse(await readJson(asked))
  if (!found.success)
    throw inputError('bad-hub-model', `config.json of ${repo} is not as Transformers.js expects it`)
  return {
    name,
    architecture: 'onnx',
    graph: graphUseOf(found.data, file),
    classes: isClassifier(found.data, file) ? classesOf(found.data, repo) : [],
    recipe: hubRecipe(await readJson(preprocessing)),
    weights: { from: 'hub', repo, file, revision },
    source: repo,
  }
}

const readJson = async ({ path }: HubFile): Promise<unknown> =>
  parseJson(await readFile(path, 'utf8'))

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

const isClassifier = ({ architectures = [] }: HubConfig, file: string): boolean =>
  !/vision_model/.test(file) && architectures.some(name => name.endsWith('ForImageClassification'))

/** Returns the input and output names that Transformers.js uses. */
function graphUseOf(found: HubConfig, file: string): GraphUse {
  const feed = { input: 'pixel_values', layout: 'NCHW' } as const
  if (isClassifier(found, file)) return { ...feed, output: 'logits', kind: 'logits' }
  return {
    ...feed,
    output: /vision_model/.test(file) ? 'image_embeds' : 'pooler_output',
    kind: 'embedding',
  }
}

function classesOf({ id2label = {} }: HubConfig, repo: string): ModelSpec['classes'] {
  const names = Array.from({ length: Object.keys(id2label).length }, (_, i) => id2label[String(i)])
  if (names.length < 2 || names.some(name => name === undefined))
    throw inputError(
      'bad-hub-model',
      `id2label in config.json of ${repo} does not name classes 0, 1, 2 …`,
    )
  const labels = names as string[]
  return areImagenetLabels(labels) ? 'imagenet-1k' : labels
}
