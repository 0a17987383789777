/** Renames, cuts, joins and transposes the tensors of another library's checkpoint to those of the reference library. */
import { quoteForMessage, weightsError } from '../errors.ts'
import { type Graph, type Tensor } from '../onnx/graph.ts'
import { foreignNames, type ForeignNames, type NewName } from './otherLibraries.ts'
import { concatFloat32, elementCount, readFloat32, type TensorEntry } from './tensors.ts'

/** Returns the tensors under the names that the tables of a library give them; a name may come twice. */
export function foreignTensors(
  graph: Graph,
  tensors: ReadonlyMap<string, TensorEntry>,
  library: ForeignNames,
): [name: string, entry: TensorEntry][] {
  const places = (list: string): string[] => blockPlaces(graph, list)
  const found: [string, TensorEntry][] = []
  const pieces = new Map<string, Map<number, TensorEntry>>()
  const added = new Map<string, TensorEntry>()
  for (const [given, entry] of tensors) {
    for (const to of foreignNames(given, library, places)) {
      const own = changed(entry, to, library)
      if (to.change === 'first added') added.set(to.name, own)
      else if (to.piece === undefined) found.push([to.name, own])
      else
        pieces.set(
          to.name,
          (pieces.get(to.name) ?? new Map<number, TensorEntry>()).set(to.piece, own),
        )
    }
  }
  const joined = [...pieces].map(([name, parts]): [string, TensorEntry] => [name, joinRows(parts)])
  return [...found, ...joined].map(([name, entry]) => [
    name,
    adapted(plus(entry, added.get(name)), graph, { name, epsilon: library.epsilon }),
  ])
}

/** Returns what of a tensor stands under a new name. */
function changed(entry: TensorEntry, to: NewName, library: ForeignNames): TensorEntry {
  const { change, rows } = to
  if (rows) return rowsOf(entry, rows)
  if (change === 'transposed') return transposed(entry)
  if (change === 'trained') return trained(entry, library)
  const [one, length, ...rest] = entry.shape
  const columns = entry.shape.at(-1)!
  if (change === 'zeros')
    return { ...entry, shape: [columns], values: () => Promise.resolve(new Float32Array(columns)) }
  if (change === undefined || one !== 1 || length === undefined) return entry
  const [from, count] = change === 'others' ? [1, length - 1] : [0, 1]
  const part = rowsOf(
    { ...entry, shape: [length, ...rest] },
    { from, to: from + count, of: length },
  )
  return { ...part, shape: [1, count, ...rest] }
}

/** Returns a tensor whose values are refused if they are all the same, as those that training never changed. */
const trained = (entry: TensorEntry, { reason }: ForeignNames): TensorEntry => ({
  ...entry,
  values: async () => {
    const values = await readFloat32(entry)
    if (values.some(value => value !== values[0])) return values
    const { file, name } = entry
    throw weightsError(
      'weights-mismatch',
      `weights do not fit the model: ${quoteForMessage(file, 200)}: ${quoteForMessage(name)} was never trained: ${reason}`,
    )
  },
})

/** Returns the sum of two tensors, the first alone if there is no other of its shape. */
function plus(entry: TensorEntry, other: TensorEntry | undefined): TensorEntry {
  if (!other || String(other.shape) !== String(entry.shape)) return entry
  return {
    ...entry,
    values: async () => {
      const more = await readFloat32(other)
      return (await readFloat32(entry)).map((value, i) => value + more[i]!)
    },
  }
}

/** Returns the numbers of stage and block of all blocks of a list, in order. */
function blockPlaces(graph: Graph, list: string): string[] {
  const pattern = new RegExp(`^${list}\\.(\\d+\\.\\d+)\\.`)
  return [...new Set([...graph.parameters.keys()].flatMap(name => pattern.exec(name)?.[1] ?? []))]
}

/** Returns consecutive rows of a tensor that is cut into `of` equal parts; the tensor itself if its rows do not divide. */
function rowsOf(entry: TensorEntry, { from, to, of }: NonNullable<NewName['rows']>): TensorEntry {
  const [rows = 0, ...rest] = entry.shape
  const shape = [(rows / of) * (to - from), ...rest]
  if (rows % of !== 0) return entry
  const [start, end] = [(entry.length / of) * from, (entry.length / of) * to]
  const part = { ...entry, shape, offset: entry.offset + start, length: end - start }
  return entry.data ? { ...part, data: entry.data.subarray(start, end) } : part
}

/** Joins pieces in their order. Returns the first piece, whose shape fits no parameter, if one is missing or has rows of another shape. */
function joinRows(pieces: ReadonlyMap<number, TensorEntry>): TensorEntry {
  const parts = [...pieces].sort(([a], [b]) => a - b).map(([, part]) => part)
  const first = parts[0]!
  const row = String(first.shape.slice(1))
  const isWhole = parts.every((part, i) => pieces.has(i) && String(part.shape.slice(1)) === row)
  if (!isWhole) return first
  const rows = parts.reduce((sum, { shape }) => sum + shape[0]!, 0)
  return {
    ...first,
    shape: [rows, ...first.shape.slice(1)],
    values: async () => {
      const read: Float32Array[] = []
      for (const part of parts) read.push(await readFloat32(part))
      return concatFloat32(read)
    },
  }
}

function transposed(entry: TensorEntry): TensorEntry {
  const [rows, columns] = entry.shape
  if (entry.shape.length !== 2 || rows === undefined || columns === undefined) return entry
  return {
    ...entry,
    shape: [columns, rows],
    values: async () => {
      const from = await readFloat32(entry)
      return from.map((_, i) => from[(i % rows) * columns + Math.floor(i / rows)]!)
    },
  }
}

/** Returns a tensor in the shape of its parameter, if the values keep their order; a variance makes up for the epsilon of its library. */
function adapted(
  entry: TensorEntry,
  graph: Graph,
  { name, epsilon }: { name: string; epsilon: number },
): TensorEntry {
  const parameter = graph.parameters.get(name)
  if (!parameter) return entry
  const { tensor, role } = parameter
  const shaped = canReshape(entry.shape, tensor.shape)
    ? { ...entry, shape: tensor.shape.map(Number) }
    : entry
  if (role !== 'variance') return shaped
  const shift = epsilon - (epsilonOf(graph, tensor) ?? epsilon)
  if (Math.abs(shift) < 1e-12) return shaped
  return {
    ...shaped,
    values: async () => (await readFloat32(entry)).map(variance => variance + shift),
  }
}

const withoutLeadingOnes = (shape: readonly unknown[]): readonly unknown[] =>
  shape.slice(
    Math.max(
      0,
      shape.findIndex(size => size !== 1),
    ),
  )

/** Returns whether the shapes differ only in leading ones or in how a row's sizes are written. */
function canReshape(from: readonly number[], to: Tensor['shape']): boolean {
  const [a, b] = [withoutLeadingOnes(from), withoutLeadingOnes(to)].map(shape => shape.map(Number))
  const count = elementCount(a!)
  return count === elementCount(b!) && (a![0] === b![0] || count === 1)
}

/** Returns the epsilon of the batch normalization that reads a variance; undefined if none does. */
function epsilonOf(graph: Graph, { name }: Tensor): number | undefined {
  const node = graph.nodes.find(
    ({ op, inputs }) => op === 'BatchNormalization' && inputs[4]?.name === name,
  )
  const epsilon = node?.attributes['epsilon']
  return typeof epsilon === 'object' && 'float' in epsilon ? epsilon.float : undefined
}
