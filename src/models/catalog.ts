import { basename, extname } from 'node:path'
import { unknownNameError } from '../lib/errors.ts'
import { architectures } from './architectures.ts'
import { type SizeError, splitInputSize, withInputSize } from './inputSize.ts'
import { publishedModels } from './otherCheckpoints.ts'
import { plainModelName } from './promptedName.ts'
import { type ModelSpec } from './spec.ts'
import { clipModels, timmModels } from './tags.ts'
import { testbed } from './testbed.ts'

interface Catalog {
  /** All models by their full names. */
  models: ReadonlyMap<string, ModelSpec>
  /** Short names: the paper's in lower case, then architectures, which mean their default tag. */
  aliases: ReadonlyMap<string, string>
}

let cachedCatalog: Catalog | undefined

function catalog(): Catalog {
  return (cachedCatalog ??= buildCatalog([...timmModels(), ...publishedModels, ...clipModels()]))
}

function buildCatalog(all: readonly ModelSpec[]): Catalog {
  const models = new Map(all.map(spec => [spec.name, spec]))
  const aliases = new Map(testbed().map(({ name, model }) => [name.toLowerCase(), model]))
  const named = (one: ModelSpec): boolean => one.classes === 'imagenet-1k' && !one.headClasses
  const large = (one: ModelSpec): boolean => one.headClasses !== undefined
  const headless = (one: ModelSpec): boolean => one.classes.length === 0
  const ordered = [named, headless, large].flatMap(kind => all.filter(kind))
  for (const { name, architecture } of ordered)
    if (!aliases.has(architecture)) aliases.set(architecture, name)
  return { models, aliases }
}

/**
 * Returns the names of all known models, tags included.
 *
 * @example
 * const names = modelNames().filter(name => name.startsWith('resnet50.'))
 */
export const modelNames = (): string[] => [...catalog().models.keys()]

/**
 * Returns a model by its name in the reference library (`resnet50.a1_in1k`, `clip:ViT-B-32-quickgelu/laion400m_e31`), by the
 * paper's name (`clip-vit32-laion400m`), by an architecture's, which means timm's default tag unless the paper uses it, or
 * as `MODEL@FILE` for weights on this machine. `MODEL:test` is the model at timm's test size, `MODEL:288` at 288 pixels.
 * @throws GeogapError `unknown-model` with the nearest names, `no-test-size`, `fixed-size`
 * @example
 * const spec = resolveModel('resnet50.a1_in1k')
 */
export function resolveModel(name: string): ModelSpec {
  const found = lookUp(name)
  if (typeof found === 'function') throw found()
  if (found) return found
  const [model] = splitFile(name)
  throw unknownNameError('model', model, suggestNames(model))
}

/** Returns a model by any name that `resolveModel` takes, with or without prompts; undefined if the catalogue has no such model. */
export function findModel(name: string): ModelSpec | undefined {
  const found = lookUp(plainModelName(name))
  return typeof found === 'function' ? undefined : found
}

/** Returns a model, the error of a size that it does not take, or undefined for an unknown name. */
function lookUp(name: string): ModelSpec | SizeError | undefined {
  const [model, file] = splitFile(name)
  const [base, size] = splitInputSize(model)
  const known = file === undefined ? undefined : findByArchitecture(base)
  const spec = known ?? findUnsized(base)
  if (!spec) return undefined
  const own = file === undefined ? spec : modelWithFile(spec, file)
  return size === undefined ? own : withInputSize(own, size)
}

function findUnsized(name: string): ModelSpec | undefined {
  const { models, aliases } = catalog()
  return models.get(name) ?? models.get(aliases.get(name.toLowerCase()) ?? '')
}

/** Splits `MODEL@FILE` at its first `@`. */
function splitFile(name: string): [model: string, file?: string] {
  const at = name.indexOf('@')
  return at > 0 ? [name.slice(0, at), name.slice(at + 1)] : [name]
}

/** Returns the tags of the name's architecture, or every name and alias if there is no such architecture. */
function suggestNames(name: string): string[] {
  const [architecture] = name.split(/[./]/, 1)
  const names = modelNames()
  const tags = names.filter(
    other => other.startsWith(`${architecture}.`) || other.startsWith(`${architecture}/`),
  )
  return tags.length > 0 && architecture !== name ? tags : [...names, ...catalog().aliases.keys()]
}

/** Returns a model with the weights of `file`, whose name is added to the architecture's. */
const modelWithFile = (
  { architecture, classes, headClasses, recipe, testRecipe }: ModelSpec,
  file: string,
): ModelSpec => ({
  name: `${architecture}@${basename(file, extname(file))}`,
  architecture,
  classes,
  headClasses,
  recipe,
  testRecipe,
  weights: { from: 'files', files: [file] },
})

/** Returns the first model of an architecture without a default tag, such as `clip:ViT-B-32`. */
function findByArchitecture(name: string): ModelSpec | undefined {
  if (!Object.hasOwn(architectures, name) || catalog().aliases.has(name)) return undefined
  return [...catalog().models.values()].find(({ architecture }) => architecture === name)
}

/** Returns whether the catalogue has a model of this name. */
export const isCatalogued = (name: string): boolean => findModel(name) !== undefined
