import { cubicFilter } from '../pixels/geometry.ts'
import { type Tensor } from '../onnx/graph.ts'

/**
 * How timm and OpenCLIP resize a learned table of positions to another size of the image:
 *
 * - `grid`: a vector for each patch, behind those of other tokens; bicubic and antialiased (`resample_abs_pos_embed`,
 *   OpenCLIP's `resize_pos_embed`);
 * - `linear grid`: such a grid, resized linearly and without antialiasing, as FlexiViT's;
 * - `offsets`: a value of each head for each offset inside a window, before those of other tokens; linear between places whose
 *   distances grow geometrically from the centre (`resize_rel_pos_bias_table`);
 * - `axis offsets`: MViT's vector for each offset along one axis; linear.
 */
export type PositionTable = 'grid' | 'linear grid' | 'offsets' | 'axis offsets'

/** The tables of an architecture by patterns of their names. */
export type PositionTables = readonly (readonly [pattern: RegExp, kind: PositionTable])[]

/** The values of a table's places along one axis for places at another size: [target][side]. */
type AxisWeights = number[][]

/** The parts of a table: `outer` grids of side × side vectors of `width` values, and values before and behind them. */
interface TableLayout {
  outer: number
  /** Places a side, now and at the other size. */
  side: number
  target: number
  width: number
  /** Values that stay as they are. */
  before: number
  after: number
}

/** Returns the resized values of a table. */
export type ResizeTable = (values: Float32Array) => Float32Array

/** Returns how a table of shape `from` is resized to a parameter's; undefined if it is no such table or does not fit. */
export function tableResize(
  { name, shape }: Pick<Tensor, 'name' | 'shape'>,
  from: readonly number[],
  tables: PositionTables,
): ResizeTable | undefined {
  const kind = tables.find(([pattern]) => pattern.test(name))?.[1]
  return kind && resizes[kind](from, shape.map(Number))
}

type ResizeOf = (from: readonly number[], to: readonly number[]) => ResizeTable | undefined

const resizes: Record<PositionTable, ResizeOf> = {
  grid: (from, to) => {
    const layout = gridLayout(from, to)
    return layout && (values => resizeGrids(values, layout, cubicWeights(layout)))
  },
  'linear grid': (from, to) => {
    const layout = gridLayout(from, to)
    return layout && (values => resizeGrids(values, layout, evenWeights(layout)))
  },
  offsets: (from, to) => {
    const layout = offsetLayout(from, to)
    return layout && (values => resizeGrids(values, layout, offsetWeights(layout)))
  },
  'axis offsets': (from, to) => {
    const [side, target, width] = [from[0]!, to[0]!, to[1]!]
    if (from[1] !== width) return undefined
    const weights = evenWeights({ side, target })
    return values => resizeAxis(values, { outer: 1, inner: width }, weights)
  },
}

const maxPrefix = 8

/** [1, prefix + side², width]; the prefix is the least with which both numbers of patches are squares. */
function gridLayout(from: readonly number[], to: readonly number[]): TableLayout | undefined {
  const width = to.at(-1)!
  if (from.length !== to.length || from.at(-1) !== width) return undefined
  for (let prefix = 0; prefix <= maxPrefix; prefix++) {
    const [side, target] = [from, to].map(shape => Math.sqrt(shape.at(-2)! - prefix))
    if (Number.isInteger(side) && Number.isInteger(target))
      return { outer: 1, side: side!, target: target!, width, before: prefix * width, after: 0 }
  }
  return undefined
}

/** [offsets + rows of other tokens, heads], or MaxViT's [heads, span, span]. */
function offsetLayout(from: readonly number[], to: readonly number[]): TableLayout | undefined {
  if (from.length !== to.length) return undefined
  if (to.length === 3)
    return from[0] === to[0]
      ? { outer: to[0]!, side: from[1]!, target: to[1]!, width: 1, before: 0, after: 0 }
      : undefined
  const width = to[1]!
  if (from[1] !== width) return undefined
  for (const rows of [0, 3]) {
    const [side, target] = [from, to].map(shape => Math.sqrt(shape[0]! - rows))
    if (Number.isInteger(side) && Number.isInteger(target))
      return { outer: 1, side: side!, target: target!, width, before: 0, after: rows * width }
  }
  return undefined
}

/** Applies the weights to the rows and the columns of every grid of a table. */
function resizeGrids(values: Float32Array, c: TableLayout, weights: AxisWeights): Float32Array {
  const end = values.length - c.after
  const grids = values.subarray(c.before, end)
  const rows = resizeAxis(grids, { outer: c.outer, inner: c.side * c.width }, weights)
  const resized = resizeAxis(rows, { outer: c.outer * c.target, inner: c.width }, weights)
  const table = new Float32Array(c.before + resized.length + c.after)
  table.set(values.subarray(0, c.before))
  table.set(resized, c.before)
  table.set(values.subarray(end), c.before + resized.length)
  return table
}

/** Applies the weights along the middle axis of [outer, side, inner], which gives [outer, target, inner]. */
function resizeAxis(
  from: Float32Array,
  { outer, inner }: { outer: number; inner: number },
  weights: AxisWeights,
): Float32Array {
  const [target, side] = [weights.length, weights[0]!.length]
  const to = new Float32Array(outer * target * inner)
  for (let o = 0; o < outer; o++)
    for (const [t, row] of weights.entries())
      for (const [s, weight] of row.entries()) {
        if (weight === 0) continue
        const [source, result] = [(o * side + s) * inner, (o * target + t) * inner]
        for (let i = 0; i < inner; i++) to[result + i]! += weight * from[source + i]!
      }
  return to
}

type Axis = Pick<TableLayout, 'side' | 'target'>

/** Returns where the places of a resized axis lie on the old one, whose first place is 0. */
const centres = (side: number, target: number): number[] =>
  Array.from({ length: target }, (_, to) => ((to + 0.5) * side) / target - 0.5)

/** Bicubic weights with antialiasing, as Pillow's. */
function cubicWeights({ side, target }: Axis): AxisWeights {
  const scale = Math.max(1, side / target)
  return centres(side, target).map(center => {
    const row = Array.from({ length: side }, (_, from) => {
      const distance = (from - center) / scale
      return Math.abs(distance) < 2 ? cubicFilter(distance) : 0
    })
    const sum = row.reduce((total, weight) => total + weight, 0)
    return row.map(weight => weight / sum)
  })
}

/** Returns linear weights between places in rising order; beyond the ends, the first or the last place has all the weight. */
const linearWeights = (places: readonly number[], targets: readonly number[]): AxisWeights =>
  targets.map(at => {
    const found = places.findIndex(place => place >= at)
    const right = found === -1 ? places.length - 1 : found
    const left = Math.max(0, right - 1)
    const gap = places[right]! - places[left]!
    const share = gap === 0 ? 1 : Math.min(1, Math.max(0, (at - places[left]!) / gap))
    return places.map((_, i) => (i === right ? share : i === left ? 1 - share : 0))
  })

/** Linear weights without antialiasing between places of one distance. */
const evenWeights = ({ side, target }: Axis): AxisWeights =>
  linearWeights(
    Array.from({ length: side }, (_, i) => i),
    centres(side, target),
  )

/** Returns timm's weights of offsets. The old offsets lie at distances that grow by a factor, chosen so that they reach the new ones. */
function offsetWeights({ side, target }: Axis): AxisWeights {
  const [half, reach] = [(side - 1) / 2, (target - 1) / 2]
  let [low, high, factor] = [1.01, 1.5, 1]
  while (high - low > 1e-6) {
    factor = (low + high) / 2
    if ((1 - factor ** half) / (1 - factor) > reach) high = factor
    else low = factor
  }
  const distances: number[] = []
  for (let i = 0, at = 1; i < half; i++) {
    distances.push(Math.fround(at))
    at += factor ** (i + 1)
  }
  const places = [...distances.map(distance => -distance).reverse(), 0, ...distances]
  return linearWeights(
    places,
    Array.from({ length: target }, (_, i) => i - reach),
  )
}
