import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { promptTemplates } from './prompts.ts'
import { classEmbeddingsFile } from './zeroShotHead.ts'
import { findArchitecture } from '../architectures.ts'
import { eitherHubFile } from '../../lib/hub/hub.ts'
import { type PreparedModel } from './prepareModel.ts'
import { type TokenizerSettings } from '../families/family.ts'
import { type ModelSpec, type LocalModel } from '../spec.ts'

export interface ZeroShotOptions {
  classNames: readonly string[]
  /** A named list of prompts, or a file of templates. */
  prompts: string
  /** Folder that keeps class embeddings. */
  heads: string
}

/** Returns an encoder of images and texts as a classifier over class names. */
export async function toZeroShotModel(
  { spec, model, hashes }: PreparedModel,
  { classNames, prompts, heads }: ZeroShotOptions,
): Promise<LocalModel> {
  const encoder = findArchitecture(spec.architecture)
  if (encoder.kind !== 'dual') throw inputError('no-text-tower', `${spec.name} has no text tower`)
  const templates = await promptTemplates(prompts, encoder)
  const task = {
    tokenizer: await tokenizerFile(spec, model.files, encoder.tokenizer),
    classNames,
    templates,
  }
  const embeddingsFile = await classEmbeddingsFile(
    heads,
    { architecture: spec.architecture, hashes },
    task,
  )
  return { ...model, classes: classNames.length, zeroShot: { ...task, embeddingsFile } }
}

/** Returns the path of `tokenizer.json`, beside local weights or from the model's repository. */
async function tokenizerFile(
  { name, weights }: ModelSpec,
  files: readonly string[],
  { repository: repo }: TokenizerSettings,
): Promise<string> {
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
