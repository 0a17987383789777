import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { promptTexts } from './prompts.ts'
import { textEmbeddingsFolder, towerFolder } from './textCache.ts'
import { findArchitecture } from '../architectures.ts'
import { eitherHubFile } from '../../lib/hub/hub.ts'
import { type PreparedModel } from '../runtime/prepareModel.ts'
import { type DualEncoder } from '../families/family.ts'
import { type ModelSpec, type LocalModel } from '../spec.ts'

export interface ZeroShotOptions {
  classNames: readonly string[]
  /** A named list of prompts, or a file of templates. */
  prompts: string
  /** Folder that keeps embeddings of texts, of the cache by default. */
  embeddings?: string | undefined
}

/** Returns an encoder of images and texts as a classifier over class names. */
export async function toZeroShotModel(
  { spec, model, hashes }: PreparedModel,
  { classNames, prompts, embeddings = textEmbeddingsFolder() }: ZeroShotOptions,
): Promise<LocalModel> {
  const texts = await promptTexts(prompts, promptedEncoder(spec), classNames)
  const tokenizer = model.text?.tokenizer ?? (await tokenizerFile(spec, model.files))
  const { architecture } = spec
  const folder = await towerFolder(embeddings, { architecture, hashes, tokenizer })
  const zeroShot = { ...texts, tokenizer, embeddings: folder }
  return { ...model, classes: classNames.length, zeroShot }
}

/** Returns the text tower or built encoder that has a model's own prompt. @throws GeogapError `no-text-tower` */
export function promptedEncoder(spec: ModelSpec): { prompt: string } {
  return spec.text ?? dualEncoderOf(spec)
}

/** Returns the built encoder of a model. @throws GeogapError `no-text-tower` */
export function dualEncoderOf({ architecture, graph, name }: ModelSpec): DualEncoder {
  const encoder = graph ? undefined : findArchitecture(architecture)
  if (encoder?.kind === 'dual') return encoder
  throw inputError('no-text-tower', `${name} has no text tower`)
}

/** Returns the path of `tokenizer.json`, beside local weights or from the model's repository. */
async function tokenizerFile(spec: ModelSpec, files: readonly string[]): Promise<string> {
  const { name, weights } = spec
  const { repository: repo } = dualEncoderOf(spec).tokenizer
  const file = 'tokenizer.json'
  if (weights.from === 'hub') {
    const other = repo === undefined ? undefined : { repo, file }
    return (await eitherHubFile({ ...weights, file }, other)).path
  }
  const beside = join(dirname(files[0]!), file)
  if (await orIfMissing(stat(beside), undefined)) return beside
  throw inputError(
    'no-tokenizer',
    `no tokenizer for ${name}: put its ${file} beside the weights, at ${beside}`,
  )
}
