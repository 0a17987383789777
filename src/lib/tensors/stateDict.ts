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
 */
export function findStateDict(value: unknown): StateDict | undefined {
  const found = findDicts(value).flatMap(({ path, dict }) => {
    const tensors = new Map<string, TensorView>()
    for (const [name, item] of dict)
      if (typeof name === 'string' && isTensor(item)) tensors.set(name, item)
    return tensors.size > 0 ? [{ path, tensors, values: countValues(tensors) }] : []
  })
  const [best] = found.sort((a, b) => b.values - a.values || pathRank(a.path) - pathRank(b.path))
  return best && { path: best.path, tensors: withoutModulePrefix(best.tensors) }
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

function withoutModulePrefix(tensors: Map<string, TensorView>): Map<string, TensorView> {
  const prefix = 'module.'
  const names = [...tensors.keys()]
  if (!names.every(name => name.startsWith(prefix))) return tensors
  return withoutModulePrefix(
    new Map([...tensors].map(([name, tensor]) => [name.slice(prefix.length), tensor])),
  )
}
