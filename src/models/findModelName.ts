/** Finds models among those with results by the names that people type. */
import { inputError, unknownNameError } from '../lib/errors.ts'
import { findModel } from './catalog.ts'
import { plainModelName } from './promptedName.ts'

/**
 * Returns the full name, among `known`, of the model that `name` stands for: the name itself, the catalogue's name for it
 * (`resnet50`, or the paper's), or the only model whose name it is without tag, folder, prefix or prompts (`ViT-B-32` of
 * `clip:ViT-B-32/openai`).
 * Errors: unknown-model with the nearest names, ambiguous-model.
 */
export function findModelName(name: string, known: readonly string[]): string {
  if (known.includes(name)) return name
  const listed = findModel(name)?.name
  if (listed !== undefined && known.includes(listed)) return listed
  const lower = name.toLowerCase()
  const fits = known.filter(one => shortNames(one).includes(lower))
  if (fits.length === 1) return fits[0]!
  if (fits.length > 1)
    throw inputError(
      'ambiguous-model',
      `${name} is short for ${fits.length} models with results: ${fits.join(', ')}`,
    )
  throw unknownNameError('model', name, known)
}

/** Returns the full names of models, each once. Errors: those of `findModelName`. */
export const findModelNames = (
  names: readonly string[],
  known: readonly string[],
): readonly string[] => [...new Set(names.map(name => findModelName(name, known)))]

/** Returns the lower-case names that a full name can be shortened to: without its folder or prefix, file ending or tag. */
function shortNames(model: string): string[] {
  const whole = plainModelName(model).toLowerCase()
  const base = whole.split(/[\\/]/).at(-1)!
  const [tower] = whole.replace(/^[a-z-]+:/, '').split('/')
  const own = [whole, base, whole.replace(/^[a-z-]+:/, ''), tower!]
  return [...new Set([...own, ...own.map(one => one.split('.')[0]!)])].filter(one => one !== '')
}
