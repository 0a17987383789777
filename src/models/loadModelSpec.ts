import { statSync } from 'node:fs'
import { inputError } from '../lib/errors.ts'
import { findModel, isCatalogued, resolveModel } from './catalog.ts'
import { hubModel } from './hubModel.ts'
import { readOwnModel } from './ownModel.ts'
import { type ModelSpec, withWeights } from './spec.ts'

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
  return isFolder && !isCatalogued(name) ? readOwnModel(name, baseOf) : resolveModel(name)
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
  return spec ?? withWeights(await loadModelSpec(name), file)
}
