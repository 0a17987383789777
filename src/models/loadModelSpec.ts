import { statSync } from 'node:fs'
import { inputError, quoteForMessage, weightsError } from '../lib/errors.ts'
import { areImagenetLabels } from '../datasets/labels/matchClassNames.ts'
import { readWeights } from '../lib/tensors/readWeights.ts'
import { configBeside } from '../lib/tensors/configFacts.ts'
import { architectures } from './architectures.ts'
import { findModel, isCatalogued, resolveModel } from './catalog.ts'
import { hubModel } from './hubModel.ts'
import { readOwnModel } from './ownModel.ts'
import { type ModelSpec, withWeights } from './spec.ts'
import { quickGeluNote } from './tags.ts'

/**
 * Returns a model by any name: the catalogue's, `hf:owner/repo[@revision][:file]`, a model.json, or its folder. The
 * catalogue's names come first. `isBase` refuses a retrained head.
 * @throws GeogapError `unknown-model`, `not-described`, and the errors of `readOwnModel` and `hubModel`
 */
export async function loadModelSpec(name: string, isBase = false): Promise<ModelSpec> {
  const baseOf = isBase ? undefined : (base: string) => loadModelSpec(base, true)
  if (name.startsWith('hf:')) return hubModel(name)
  if (name.endsWith('.json')) return readOwnModel(name, baseOf)
  if (/\.(safetensors|pth|pt|bin|ckpt)$/.test(name) && !name.includes('@'))
    throw inputError(
      'not-described',
      `${name} does not say its architecture: name it, as in resnet50@${name}`,
    )
  if (name.endsWith('.onnx'))
    throw inputError(
      'not-described',
      `${name} is not described yet: geogap models describe ${name}`,
    )
  const isFolder = statSync(name, { throwIfNoEntry: false })?.isDirectory()
  if (isFolder && !isCatalogued(name)) return readOwnModel(name, baseOf)
  return withKnownFacts(resolveModel(name))
}

/**
 * Returns a model by any name with the weights of `file`, if one is given. The name of an architecture alone then suffices,
 * `clip:ViT-B-32-quickgelu`; its preprocessing is that of the first tag.
 * @throws GeogapError those of `loadModelSpec`
 */
export async function loadModelWithWeights(
  name: string,
  file: string | undefined,
): Promise<ModelSpec> {
  const isArchitecture = file !== undefined && !isCatalogued(name)
  const spec = isArchitecture ? findModel(`${name}@${file}`) : undefined
  return withKnownFacts(spec ?? withWeights(await loadModelSpec(name), file))
}

/** Returns the model after a look at its weights and what lies beside them. */
const withKnownFacts = async (spec: ModelSpec): Promise<ModelSpec> =>
  withKnownActivation(await withKnownClasses(spec))

/** Returns the model with a note if its weights are OpenAI's own, of QuickGELU, and its name is that of the plain GELU. */
async function withKnownActivation(spec: ModelSpec): Promise<ModelSpec> {
  const { architecture, note, weights } = spec
  const trained = `${architecture}-quickgelu`
  if (note || weights.from !== 'files' || !Object.hasOwn(architectures, trained)) return spec
  const read = await readWeights(weights.files[0]!).catch(() => undefined)
  const isOpenai = read?.tensors.has('input_resolution') && read.tensors.has('vocab_size')
  return isOpenai ? { ...spec, note: quickGeluNote(trained) } : spec
}

/** Returns the model unless the config.json beside its weights names 1,000 classes that are not ImageNet's in their order. */
async function withKnownClasses(spec: ModelSpec): Promise<ModelSpec> {
  const { classes, weights } = spec
  if (classes !== 'imagenet-1k' || weights.from !== 'files') return spec
  const [file] = weights.files
  const names = (await configBeside(file!))?.['id2label'] as Record<number, unknown> | undefined
  if (!names) return spec
  const labels = Array.from({ length: 1000 }, (_, i) => String(names[i]))
  const isNamed = labels.every(label => !/^(undefined|LABEL_\d+)$/.test(label))
  if (!isNamed || areImagenetLabels(labels)) return spec
  throw weightsError(
    'weights-mismatch',
    `the classes of the config.json beside ${quoteForMessage(file!, 200)} are not those of ImageNet in their order (0 is ${quoteForMessage(labels[0]!)}): describe them in a model.json`,
  )
}
