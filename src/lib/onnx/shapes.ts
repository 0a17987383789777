import { type Dim, type Tensor, type TensorShape, shapeError } from './graph.ts'

/** A size as a number times run-time names: `n*197` is 197 and ['n']. */
function factorDims(dims: TensorShape): { size: number; names: string[] } {
  let size = 1
  const names: string[] = []
  for (const dim of dims) {
    if (typeof dim === 'number') {
      size *= dim
      continue
    }
    for (const part of dim.split('*')) {
      if (/^\d+$/.test(part)) size *= Number(part)
      else names.push(part)
    }
  }
  return { size, names: names.sort() }
}

/** The product of dims: a number where all are numbers, else `n*197`. */
export function product(dims: TensorShape): Dim {
  const { size, names } = factorDims(dims)
  if (names.length === 0) return size
  return size === 1 ? names.join('*') : [...names, size].join('*')
}

/** The number of values of a shape where every size that is known only at run time is `open`. */
export function volumeAt(shape: TensorShape, open: number): number {
  const { size, names } = factorDims(shape)
  return size * open ** names.length
}

/** The number of values of a shape whose dims are all numbers. */
export function volume(shape: TensorShape): number {
  const size = product(shape)
  if (typeof size === 'string')
    throw shapeError('volume', `[${String(shape)}] is not known before run time`)
  return size
}

/** The dim as a number; an error where it is known only at run time. */
export function fixedSize(dim: Dim | undefined, what: string): number {
  if (typeof dim !== 'number') throw shapeError(what, `needs a fixed size, not ${String(dim)}`)
  return dim
}

/** Throws unless the number of rows of `x` [n, channels, rows, …] is a multiple of `step`, as the reference library does. */
export function needMultiple(x: Tensor, step: number): void {
  const rows = fixedSize(x.shape[2], 'image')
  if (rows % step !== 0) throw shapeError('image', `${rows} is no multiple of ${step}`)
}

/** Returns the size of `x` along an axis; -1 is the last. */
export const sizeAt = (x: Tensor, axis: number): number => fixedSize(x.shape.at(axis), 'size')

/** Returns the number of channels of `x` [n, channels, …]. */
export const channelsOf = (x: Tensor): number => sizeAt(x, 1)

/** The shape of `a` and `b` broadcast together, as NumPy and ONNX do it. */
export function broadcast(op: string, a: TensorShape, b: TensorShape): TensorShape {
  const rank = Math.max(a.length, b.length)
  const long = a.length === rank ? a : b
  return long.map((_, i) => {
    const left = a[a.length - rank + i] ?? 1
    const right = b[b.length - rank + i] ?? 1
    if (left === right || right === 1) return left
    if (left === 1) return right
    throw shapeError(op, `[${String(a)}] and [${String(b)}] do not broadcast`)
  })
}

/** `axis` counted from the front. */
export function normalizeAxis(axis: number, rank: number): number {
  const index = axis < 0 ? axis + rank : axis
  if (index < 0 || index >= rank) throw shapeError('axis', `${axis} is outside rank ${rank}`)
  return index
}
