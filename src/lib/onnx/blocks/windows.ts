/** Windows over grids of tokens and biases by relative position, as timm's Swin Transformers and BEiT use them. */
import {
  constant,
  type Graph,
  type ParameterScope,
  shapeError,
  sharedConstant,
  type Tensor,
} from '../graph.ts'
import {
  add,
  concat,
  gather,
  matmul,
  pad,
  relu,
  reshape,
  slice,
  softmax,
  transpose,
} from '../ops.ts'
import { fixedSize, product, sizeAt } from '../shapes.ts'
import { joinHeads, splitHeads } from './attention.ts'
import { mlp } from './mlp.ts'

/** Returns how many windows of side × side tokens cover a grid [n, h, w, width], down and across. */
function windowCounts([, h, w]: Tensor['shape'], side: number): [rows: number, columns: number] {
  const [rows, columns] = [fixedSize(h, 'windows') / side, fixedSize(w, 'windows') / side]
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    throw shapeError(
      'windows',
      `a grid of ${h!} × ${w!} tokens has no windows of ${side} × ${side}; the architecture needs images of another size`,
    )
  return [rows, columns]
}

/** Splits a grid [n, h, w, width] into windows [n · count, side², width], row by row. */
export function partitionWindows(x: Tensor, side: number): Tensor {
  const [n, , , width] = x.shape
  const [rows, columns] = windowCounts(x.shape, side)
  const split = reshape(x, [n!, rows, side, columns, side, width!])
  return reshape(transpose(split, [0, 1, 3, 2, 4, 5]), [
    product([n!, rows * columns]),
    side * side,
    width!,
  ])
}

/** Joins windows [n · count, side², width] to the grid [n, h, w, width] of the given shape. */
export function mergeWindows(windows: Tensor, side: number, shape: Tensor['shape']): Tensor {
  const [n, h, w] = shape
  const width = windows.shape[2]!
  const [rows, columns] = windowCounts(shape, side)
  const split = reshape(windows, [n!, rows, columns, side, side, width])
  return reshape(transpose(split, [0, 1, 3, 2, 4, 5]), [n!, h!, w!, width])
}

/** Adds rows and columns of zeros to a grid [n, h, w, width] until windows of side × side tokens cover it. */
export function padGrid(x: Tensor, side: number): Tensor {
  const missing = x.shape.slice(1, 3).map(size => {
    const tokens = fixedSize(size, 'padGrid')
    return Math.ceil(tokens / side) * side - tokens
  })
  return missing.every(count => count === 0)
    ? x
    : pad(x, { before: [0, 0, 0, 0], after: [0, ...missing, 0] })
}

/** Applies a layer to the windows of a grid [n, h, w, width]; zeros fill the last windows where they do not divide it. */
export function inWindows(x: Tensor, side: number, layer: (windows: Tensor) => Tensor): Tensor {
  const padded = padGrid(x, side)
  const merged = mergeWindows(layer(partitionWindows(padded, side)), side, padded.shape)
  if (padded === x) return merged
  const [rows, columns] = x.shape.slice(1, 3).map(size => fixedSize(size, 'inWindows'))
  return slice(slice(merged, 1, [0, rows!]), 2, [0, columns!])
}

/**
 * Splits a grid [n, h, w, width] into dilated windows [n · count, side², width] (MaxViT's grid attention): each has one
 * token of every cell of a division into side × side cells.
 */
export function partitionGrid(x: Tensor, side: number): Tensor {
  const [n, , , width] = x.shape
  const [rows, columns] = windowCounts(x.shape, side)
  const split = reshape(x, [n!, side, rows, side, columns, width!])
  return reshape(transpose(split, [0, 2, 4, 1, 3, 5]), [
    product([n!, rows * columns]),
    side * side,
    width!,
  ])
}

/** Joins dilated windows [n · count, side², width] to the grid [n, h, w, width] of the given shape. */
export function mergeGrid(windows: Tensor, side: number, shape: Tensor['shape']): Tensor {
  const [n, h, w] = shape
  const width = windows.shape[2]!
  const [rows, columns] = windowCounts(shape, side)
  const split = reshape(windows, [n!, rows, columns, side, side, width])
  return reshape(transpose(split, [0, 3, 1, 4, 2, 5]), [n!, h!, w!, width])
}

/** Rolls a grid [n, h, w, width] up and left by `shift`, as PyTorch's roll. */
export const rollGrid = (x: Tensor, shift: number): Tensor =>
  rollAxis(rollAxis(x, 1, shift), 2, shift)

function rollAxis(x: Tensor, axis: number, shift: number): Tensor {
  const size = sizeAt(x, axis)
  const start = (shift + size) % size
  if (start === 0) return x
  return concat([slice(x, axis, [start, size]), slice(x, axis, [0, start])], axis)
}

/**
 * Returns an addend of the scores [count, 1, side², side²] of a rolled grid's windows: -100 between tokens that come from
 * different sides of the grid, else 0.
 */
export const shiftMask = (graph: Graph, c: ShiftedGrid): Tensor =>
  sharedConstant(graph, `shift_mask_${c.rows}x${c.columns}_${c.side}_${c.shift}`, () => {
    const { area, count, values } = maskValues(c)
    return { data: values, shape: [count, 1, area, area] }
  })

export interface ShiftedGrid {
  rows: number
  columns: number
  /** Tokens a side of a window. */
  side: number
  /** How far the grid is rolled. */
  shift: number
}

function maskValues({ rows, columns, side, shift }: ShiftedGrid) {
  const band = (at: number, size: number): number =>
    at < size - side ? 0 : at < size - shift ? 1 : 2
  const [count, area] = [(rows / side) * (columns / side), side * side]
  const regions = Array.from({ length: count * area }, (_, i) => {
    const [window, token] = [Math.floor(i / area), i % area]
    const row = Math.floor(window / (columns / side)) * side + Math.floor(token / side)
    const column = (window % (columns / side)) * side + (token % side)
    return 3 * band(row, rows) + band(column, columns)
  })
  const values = new Float32Array(count * area * area)
  for (let i = 0; i < count * area; i++) {
    const window = Math.floor(i / area)
    for (let j = 0; j < area; j++)
      values[i * area + j] = regions[i] === regions[window * area + j] ? 0 : -100
  }
  return { area, count, values }
}

/** Returns the row for two positions of a grid in a table of (2 · rows - 1) · (2 · columns - 1) offsets. */
export function relativeRow(from: number, to: number, [rows, columns]: readonly [number, number]) {
  const down = Math.floor(from / columns) - Math.floor(to / columns) + rows - 1
  return down * (2 * columns - 1) + (from % columns) - (to % columns) + columns - 1
}

interface RelativeBiasOptions {
  /** Name of the function `row`; blocks of a graph with one name share one index. */
  name: string
  /** The table's row for each pair of tokens. */
  row: (from: number, to: number) => number
  /** Number of keys, as many as queries by default. */
  keys?: number
}

/** Returns biases [heads, length, keys] from a table [offsets, heads]. */
export function relativeBias(
  table: Tensor,
  length: number,
  { name, row, keys = length }: RelativeBiasOptions,
): Tensor {
  const index = sharedConstant(table.graph, `${name}_${length}_${keys}`, () => {
    const data = new BigInt64Array(length * keys)
    for (let from = 0; from < length; from++)
      for (let to = 0; to < keys; to++) data[from * keys + to] = BigInt(row(from, to))
    return { data, shape: [length * keys] }
  })
  const values = reshape(gather(table, index), [length, keys, table.shape[1]!])
  return transpose(values, [2, 0, 1])
}

interface DistanceOptions {
  heads: number
  /** Tokens a side of the grid of keys. */
  side: number
  /** Rows and columns of keys for each row and column of queries, 1 by default. */
  stride?: number
}

/**
 * Returns biases [heads, queries, keys] by the distance along rows and columns (LeViT, Graham et al. 2021), from the table
 * `attention_biases` [heads, side²].
 */
export function distanceBias(
  w: ParameterScope,
  { heads, side, stride = 1 }: DistanceOptions,
): Tensor {
  const table = transpose(w.get('attention_biases', [heads, side * side]), [1, 0])
  const across = Math.ceil(side / stride)
  const apart = (from: number, to: number): number => Math.abs(stride * from - to)
  return relativeBias(table, across * across, {
    name: `distances_${stride}`,
    keys: side * side,
    row: (from, to) =>
      side * apart(Math.floor(from / across), Math.floor(to / side)) +
      apart(from % across, to % side),
  })
}

/** Returns biases [heads, side², side²] inside a square window, from a table [(2 · side - 1)², heads]. */
export const windowBias = (table: Tensor, side: number): Tensor =>
  relativeBias(table, side * side, {
    name: 'window_offsets',
    row: (from, to) => relativeRow(from, to, [side, side]),
  })

/**
 * Returns the scaled offsets [(2 · side - 1)², 2] between the tokens of a window, in the order of the rows that `windowBias`
 * reads. Blocks of a graph with one `name` share one constant.
 */
export function windowOffsets(
  graph: Graph,
  side: number,
  { name, scale }: { name: string; scale: (offset: number) => number },
): Tensor {
  const span = 2 * side - 1
  return sharedConstant(graph, `${name}_${side}`, () => ({
    data: Float32Array.from({ length: 2 * span * span }, (_, i) => {
      const place = Math.floor(i / 2)
      return scale((i % 2 === 0 ? Math.floor(place / span) : place % span) - side + 1)
    }),
    shape: [span * span, 2],
  }))
}

interface LogOffsetOptions {
  side: number
  heads: number
  hidden: number
  /** Tokens without bias before those of the grid, none by default. */
  prefix?: number
}

/**
 * Returns biases [heads, length, length] of a grid of side × side tokens by a network of two layers, `fc1` and `fc2`, on the
 * logarithms of the offsets (Liu et al. 2022, in the form of timm's "cr").
 */
export function logOffsetBias(w: ParameterScope, c: LogOffsetOptions): Tensor {
  const { side, heads, hidden, prefix = 0 } = c
  const offsets = windowOffsets(w.graph, side, {
    name: 'log_offsets',
    scale: offset => Math.sign(offset) * Math.log1p(Math.abs(offset)),
  })
  const bias = windowBias(mlp(w, offsets, { hidden, activation: relu, out: heads }), side)
  if (prefix === 0) return bias
  const area = side * side
  const zeros = (rows: number, columns: number): Tensor =>
    constant(w.graph, new Float32Array(heads * rows * columns), [heads, rows, columns])
  return concat([zeros(area + prefix, prefix), concat([zeros(prefix, area), bias], 1)], 2)
}

export interface WindowAttentionInput {
  /** Scores [windows, heads, length, length] without bias. */
  scores: Tensor
  /** [windows, length, width]. */
  values: Tensor
  /** [heads, length, length]. */
  bias: Tensor
  /** [count, 1, length, length] for a rolled grid. */
  mask?: Tensor | undefined
}

/** Computes softmax attention inside windows: [windows, length, width]. */
export function attendInWindows({ scores, values, bias, mask }: WindowAttentionInput): Tensor {
  const [windows, heads, length] = scores.shape
  let weights: Tensor
  if (mask) {
    const count = sizeAt(mask, 0)
    const grouped = reshape(scores, [batchOf(windows!, count), count, heads!, length!, length!])
    weights = reshape(softmax(add(grouped, add(bias, mask))), scores.shape)
  } else weights = softmax(add(scores, bias))
  const mixed = matmul(weights, splitHeads(values, fixedSize(heads, 'attendInWindows')))
  return joinHeads(mixed)
}

/** Returns the batch size of `n*count` windows. */
function batchOf(windows: Tensor['shape'][number], count: number): Tensor['shape'][number] {
  const [size] = /\d+$/.exec(String(windows)) ?? ['1']
  const rest = Number(size) / count
  if (!Number.isInteger(rest))
    throw shapeError('windows', `${size} windows have no mask that was made for ${count}`)
  if (typeof windows === 'number') return rest
  const names = windows.replace(/\*?\d+$/, '')
  return rest === 1 ? names : `${names}*${rest}`
}
