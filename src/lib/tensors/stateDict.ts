import { PickleFault } from './pickle.ts'
import { isTensor, type TensorView } from './torchPickle.ts'
import { elementCount } from './tensors.ts'

export interface StateDict {
  /** Keys that lead to it, `''` for the top level. */
  path: string
  tensors: Map<string, TensorView>
}

const preferredPaths = ['', 'state_dict', 'model', 'model_state_dict', 'net', 'network']
const maxDictDepth = 4
const maxDicts = 10_000

/**
 * The dict of named tensors with the most values, at the top level or inside other dicts (an optimizer's moments lie
 * one dict per tensor, so they never win). Of equals, the usual names come first, then the order of the file. A prefix
 * `module.` that all names have, as PyTorch's parallel wrappers leave it, is stripped.
 * @throws PickleFault if two dicts have tensors of equal names and shapes and different values, as weights and their running mean
 */
export function findStateDict(value: unknown): StateDict | undefined {
  const found = findDicts(value).flatMap(({ path, dict }) => {
    const tensors = new Map<string, TensorView>()
    for (const [name, item] of dict)
      if (typeof name === 'string' && isTensor(item)) tensors.set(name, item)
    return tensors.size > 0 ? [{ path, tensors, values: countValues(tensors) }] : []
  })
  const sorted = found
    .sort((a, b) => b.values - a.values || pathRank(a.path) - pathRank(b.path))
    .map(({ path, tensors }) => ({ path, tensors: withoutModulePrefix(tensors) }))
  const [best, ...others] = sorted
  const copies = best ? others.filter(other => isOtherCopy(best.tensors, other.tensors)) : []
  if (best && copies.length > 0)
    throw new PickleFault(
      `several sets of weights, ${[best, ...copies].map(({ path }) => path).join(' and ')}: save the one you mean alone`,
    )
  return best
}

/** Returns whether two dicts have equal names and shapes, and values at other places of the file. */
function isOtherCopy(
  a: ReadonlyMap<string, TensorView>,
  b: ReadonlyMap<string, TensorView>,
): boolean {
  if (a.size !== b.size) return false
  const pairs = [...a].map(([name, tensor]) => [tensor, b.get(name)] as const)
  return (
    pairs.every(([one, other]) => String(one.shape) === String(other?.shape)) &&
    pairs.some(([one, other]) => one.storage !== other!.storage || one.offset !== other!.offset)
  )
}

/**
 * Returns the tensors of a TorchScript program under the names of its modules and their attributes.
 * @throws PickleFault for more modules than a model has
 */
export function programTensors(program: unknown): Map<string, TensorView> {
  const tensors = new Map<string, TensorView>()
  const open = [{ prefix: '', module: program }]
  for (const { prefix, module } of open)
    for (const [name, item] of module instanceof Map ? (module as Map<unknown, unknown>) : []) {
      if (isTensor(item)) tensors.set(`${prefix}${String(name)}`, item)
      else if (item instanceof Map) open.push({ prefix: `${prefix}${String(name)}.`, module: item })
      if (open.length > maxDicts) throw new PickleFault(`more than ${maxDicts} modules`)
    }
  return tensors
}

const pathRank = (path: string): number =>
  preferredPaths.includes(path) ? preferredPaths.indexOf(path) : preferredPaths.length

const countValues = (tensors: Map<string, TensorView>): number =>
  [...tensors.values()].reduce((sum, { shape }) => sum + (elementCount(shape) ?? 0), 0)

interface NestedDict {
  path: string
  depth: number
  dict: Map<unknown, unknown>
}

/** Breadth first; a dict that is met again is not entered again. */
function findDicts(value: unknown): NestedDict[] {
  if (!(value instanceof Map)) return []
  const found: NestedDict[] = [{ path: '', depth: 0, dict: value }]
  const seen = new Set<unknown>([value])
  for (const { path, depth, dict } of found) {
    if (depth === maxDictDepth) continue
    for (const [key, item] of dict) {
      if (typeof key !== 'string' || !(item instanceof Map) || seen.has(item)) continue
      if (found.length === maxDicts) return found
      seen.add(item)
      found.push({ path: path === '' ? key : `${path}.${key}`, depth: depth + 1, dict: item })
    }
  }
  return found
}

function withoutModulePrefix(given: Map<string, TensorView>): Map<string, TensorView> {
  const prefix = 'module.'
  // The count of steps that PyTorch's AveragedModel keeps beside the module.
  const tensors = new Map([...given].filter(([name]) => name !== 'n_averaged'))
  const names = [...tensors.keys()]
  if (names.length === 0 || !names.every(name => name.startsWith(prefix))) return tensors
  return withoutModulePrefix(
    new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])),
  )
}
