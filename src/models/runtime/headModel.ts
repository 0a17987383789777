/*
 * A retrained head as a model: a model.json with `base`, the model that gives the features, and `head`, a safetensors file
 * beside it. It is used as any other model, from the images on.
 */
import { mkdir } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { z } from 'zod'
import { writeAtomically } from '../../lib/files.ts'
import { splitSteps, type Step } from '../../lib/pixels/steps.ts'
import { jsonText, printable } from '../../lib/table/text.ts'
import { type Head, saveHead } from './head.ts'
import { isCatalogued } from '../catalog.ts'
import { checked, common, descriptionName, fileName, type ModelFinder, namedClasses, recipeOf } from '../ownModel.ts'
import { type ModelSpec } from '../spec.ts'

const description = z.strictObject({
  name: common.name,
  /** A model's name, or its path from the description's folder. */
  base: z.string().min(1),
  head: fileName,
  /** SHA-256 of the base's weights. */
  weights: z.array(z.string()).optional(),
  preprocessing: common.preprocessing,
  classes: common.classes,
  licence: common.licence,
  /** How it was trained: for readers. */
  trained: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
})

/** @throws GeogapError `bad-model-file`, and what naming the base throws */
export async function headModel(file: string, content: unknown, baseOf: ModelFinder): Promise<ModelSpec> {
  const found = checked(file, description, content)
  const folder = dirname(resolve(file))
  const base = await baseOf(moved(found.base, path => resolve(folder, path)))
  const { weights, licence } = found
  return {
    ...base,
    name: printable(found.name ?? basename(folder)),
    ...(await namedClasses(file, found)),
    head: { file: join(folder, found.head), base: base.classes, ...(weights && { weights }) },
    recipe: recipeOf(file, found.preprocessing),
    ...(licence !== undefined && { licence }),
  }
}

const headName = 'head.safetensors'

export interface HeadDescription {
  name: string
  /** The base's name as a person gives it. */
  base: string
  weights: readonly string[]
  steps: readonly Step[]
  classes: 'imagenet-1k' | readonly string[]
  trained: Readonly<Record<string, string | number>>
}

/** Writes head and description into `folder`, which can then be given as a model; gives the folder. */
export async function saveHeadModel(folder: string, head: Head, about: HeadDescription): Promise<string> {
  const { steps, base, ...rest } = about
  splitSteps(steps)
  await mkdir(folder, { recursive: true })
  await saveHead(join(folder, headName), head)
  const described = { ...rest, base: moved(base, path => relative(folder, path)), head: headName, preprocessing: steps }
  const text = jsonText(described)
  await writeAtomically(join(folder, descriptionName), handle => handle.writeFile(text))
  return folder
}

/** A model's name, with `move` done to the path that it is or holds. */
function moved(name: string, move: (path: string) => string): string {
  const at = name.indexOf('@')
  if (name.startsWith('hf:')) return name
  if (at > 0) return `${name.slice(0, at)}@${move(name.slice(at + 1))}`
  return isCatalogued(name) ? name : move(name)
}
