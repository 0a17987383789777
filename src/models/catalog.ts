import { basename, extname } from 'node:path'
import { GeogapError, unknownNameError } from '../lib/errors.ts'
import { architectures } from './architectures.ts'
import { publishedModels } from './published.ts'
import { type ModelSpec } from './spec.ts'
import { clipModels, timmModels } from './tags.ts'
import { testbed } from './testbed.ts'

interface Catalog {
  /** Every model under its full name. */
  models: ReadonlyMap<string, ModelSpec>
  /** Shorter names: the paper's in lower case, then architectures, which stand for their default tag. */
  aliases: ReadonlyMap<string, string>
}

let cachedCatalog: Catalog | undefined

function catalog(): Catalog {
  return (cachedCatalog ??= buildCatalog([...timmModels(), ...publishedModels, ...clipModels()]))
}

function buildCatalog(all: readonly ModelSpec[]): Catalog {
  const models = new Map(all.map(spec => [spec.name, spec]))
  const aliases = new Map(testbed().map(({ name, model }) => [name.toLowerCase(), model]))
  for (const { name, architecture, classes } of all) {
    if (classes === 'imagenet-1k' && !aliases.has(architecture)) aliases.set(architecture, name)
  }
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
 * A model by its reference library's name (`resnet50.a1_in1k`, `clip:ViT-B-32-quickgelu/laion400m_e31`), by the paper's
 * (`clip-vit32-laion400m`), by an architecture's, which stands for timm's default tag unless the paper uses the name, or,
 * for weights on this machine, as `MODEL@FILE`.
 * @throws GeogapError `unknown-model` with the nearest names
 * @example
 * const spec = resolveModel('resnet50.a1_in1k')
 */
export function resolveModel(name: string): ModelSpec {
  const at = name.indexOf('@')
  if (at > 0) return modelWithFile(name.slice(0, at), name.slice(at + 1))
  const { models, aliases } = catalog()
  const spec = models.get(name) ?? models.get(aliases.get(name.toLowerCase()) ?? '')
  if (!spec) throw unknownNameError('model', name, suggestNames(name))
  return spec
}

/** Tags of the architecture where the name has one, else every name and alias. */
function suggestNames(name: string): string[] {
  const [architecture] = name.split(/[./]/, 1)
  const names = modelNames()
  const tags = names.filter(
    other => other.startsWith(`${architecture}.`) || other.startsWith(`${architecture}/`),
  )
  return tags.length > 0 && architecture !== name ? tags : [...names, ...catalog().aliases.keys()]
}

/** The architecture and preprocessing of a model with the weights of `file`; its name carries the file's. */
function modelWithFile(name: string, file: string): ModelSpec {
  const spec = findByArchitecture(name) ?? resolveModel(name)
  const { architecture, classes, recipe } = spec
  const label = basename(file, extname(file))
  return {
    name: `${architecture}@${label}`,
    architecture,
    classes,
    recipe,
    weights: { from: 'files', files: [file] },
  }
}

/** A model of the architecture `name`, whichever tag: for `clip:ViT-B-32`, which no tag is the default of. */
function findByArchitecture(name: string): ModelSpec | undefined {
  if (!Object.hasOwn(architectures, name) || catalog().aliases.has(name)) return undefined
  return [...catalog().models.values()].find(({ architecture }) => architecture === name)
}

/** Whether the catalogue knows the name. */
export function isCatalogued(name: string): boolean {
  try {
    resolveModel(name)
    return true
  } catch (error) {
    if (error instanceof GeogapError) return false
    throw error
  }
}
