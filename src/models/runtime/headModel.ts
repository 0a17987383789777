/*
 * A retrained head as a model: a model.json with `base`, the model that computes the features, and `head`, a safetensors
 * file beside it.
 */
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../../lib/files.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { jsonText, stripControlCharacters } from '../../lib/table/text.ts'
import { type LinearHead, saveHead } from './head.ts'
import { isCatalogued } from '../catalog.ts'
import {
  parseDescription,
  commonFields,
  descriptionName,
  fileNameSchema,
  type ModelFinder,
  describedClasses,
  describedRecipe,
} from '../ownModel.ts'
import { type ModelSpec } from '../spec.ts'

const headDescriptionSchema = z.strictObject({
  name: commonFields.name,
  /** A model's name, or its path from the description's folder. */
  base: z.string().min(1),
  head: fileNameSchema,
  /** SHA-256 of the base's weights. */
  weights: z.array(z.string()).optional(),
  preprocessing: commonFields.preprocessing,
  classes: commonFields.classes,
  licence: commonFields.licence,
  /** How it was trained: for readers. */
  trained: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
})

/** @throws GeogapError `bad-model-file`, and what naming the base throws */
export async function readHeadModel(
  file: string,
  content: unknown,
  baseOf: ModelFinder,
): Promise<ModelSpec> {
  const found = parseDescription(file, headDescriptionSchema, content)
  const folder = dirname(resolve(file))
  const base = await baseOf(mapModelPath(found.base, path => resolve(folder, path)))
  return {
    ...base,
    name: stripControlCharacters(found.name ?? basename(folder)),
    classes: await describedClasses(file, found),
    head: { file: join(folder, found.head), base: base.classes, weights: found.weights },
    recipe: describedRecipe(file, found.preprocessing),
    licence: found.licence ?? base.licence,
  }
}

const headFileName = 'head.safetensors'

export interface HeadDescription {
  name: string
  /** The base's name as a person gives it. */
  base: string
  weights: readonly string[]
  steps: readonly PreprocessingStep[]
  classes: 'imagenet-1k' | readonly string[]
  trained: Readonly<Record<string, string | number>>
}

/** Writes a head and its description into `folder`, which is then a model's name, and returns the folder. */
export async function saveHeadModel(
  folder: string,
  head: LinearHead,
  about: HeadDescription,
): Promise<string> {
  const { steps, base, ...rest } = about
  splitSteps(steps)
  await mkdir(folder, { recursive: true })
  await saveHead(join(folder, headFileName), head)
  const described = {
    ...rest,
    base: mapModelPath(base, path => relative(folder, path)),
    head: headFileName,
    preprocessing: steps,
  }
  const text = jsonText(described)
  await writeAtomically(join(folder, descriptionName), handle => handle.writeFile(text))
  return folder
}

/** Returns a model's name with `move` applied to the path that it is or holds. */
function mapModelPath(name: string, move: (path: string) => string): string {
  const at = name.indexOf('@')
  if (name.startsWith('hf:')) return name
  if (at > 0) return `${name.slice(0, at)}@${move(name.slice(at + 1))}`
  return isCatalogued(name) ? name : move(name)
}
