/** Rotary position embeddings (Su et al. 2021) over a grid of patches, as timm's pos_embed_sincos.py computes them. */
import { constant, type Graph, integers, type Tensor } from '../graph.ts'
import { add, concat, cos, gather, mul, reshape, sin } from '../ops.ts'
import { fixedSize } from '../shapes.ts'

/** Cosines and signed sines [length, 1 or heads, head width] of every token's angles; 1 and 0 leave a token as it is. */
export interface RotaryTables {
  cosines: Tensor
  sines: Tensor
  /** int64 [head width]: for each channel, the other channel of its pair. */
  partners: Tensor
}

/** Whether the channels of a pair lie side by side or half a head apart. */
export type RotaryLayout = 'interleaved' | 'half'

export interface AxialSettings {
  /** Rows and columns of patches. */
  grid: readonly [rows: number, columns: number]
  headWidth: number
  /** Learned tokens before the patches, which are not turned. */
  prefix: number
}

export interface FrequencySettings {
  temperature: number
  /** Added to row and column. */
  offset?: number
  /** Whether the columns' bands come before the rows'. */
  columnsFirst?: boolean
  /** Patches a side of the pretrained grid, to whose scale positions are brought. */
  reference?: number
  /** Whether the patches' centres run from -π to π over the grid (DINOv3). */
  centred?: boolean
}

const round = Math.fround

/** Returns the angles of every patch, head width / 2 each, in float32: the bands of the one axis, then those of the other. */
export function axialAngles(c: AxialSettings, f: FrequencySettings): Float32Array[] {
  const count = c.headWidth / 4
  const bands = Array.from({ length: count }, (_, i) =>
    round(1 / round(f.temperature ** round(i / count))),
  )
  const place = (index: number, size: number): number => {
    if (f.centred) return round(2 * Math.PI * round(2 * round((index + 0.5) / size) - 1))
    const position = round(index + (f.offset ?? 0))
    return f.reference === undefined ? position : round(round(position / size) * f.reference)
  }
  return gridOf(c.grid).map(([row, column]) => {
    const axes = [place(row, c.grid[0]), place(column, c.grid[1])]
    return Float32Array.from(
      (f.columnsFirst ? axes.reverse() : axes).flatMap(at => bands.map(band => at * band)),
    )
  })
}

/** Returns the row and the column of every patch, row by row. */
const gridOf = ([rows, columns]: AxialSettings['grid']): (readonly [number, number])[] =>
  Array.from({ length: rows * columns }, (_, i) => [Math.floor(i / columns), i % columns] as const)

/** Returns tables [prefix + patches, 1, head width] of the patches' angles. */
export function rotaryTables(
  graph: Graph,
  angles: readonly Float32Array[],
  {
    headWidth,
    prefix,
    layout,
  }: Pick<AxialSettings, 'headWidth' | 'prefix'> & { layout: RotaryLayout },
): RotaryTables {
  const length = prefix + angles.length
  const cosines = new Float32Array(length * headWidth).fill(1)
  const sines = new Float32Array(length * headWidth)
  for (const [i, row] of angles.entries()) {
    for (let channel = 0; channel < headWidth; channel++) {
      const at = (prefix + i) * headWidth + channel
      const pair = layout === 'half' ? channel % (headWidth / 2) : channel >> 1
      cosines[at] = Math.cos(row[pair]!)
      sines[at] = signOf(channel, headWidth, layout) * Math.sin(row[pair]!)
    }
  }
  const shape = [length, 1, headWidth]
  return {
    cosines: constant(graph, cosines, shape),
    sines: constant(graph, sines, shape),
    partners: partnersOf(graph, headWidth, layout),
  }
}

const signOf = (channel: number, headWidth: number, layout: RotaryLayout): number =>
  (layout === 'half' ? channel < headWidth / 2 : channel % 2 === 0) ? -1 : 1

const partnersOf = (graph: Graph, headWidth: number, layout: RotaryLayout): Tensor =>
  integers(
    graph,
    Array.from({ length: headWidth }, (_, channel) =>
      layout === 'half' ? (channel + headWidth / 2) % headWidth : channel ^ 1,
    ),
  )

/**
 * Returns tables [prefix + patches, heads, head width] of learned frequencies [heads, head width / 2] for each axis, first
 * that of the columns.
 */
export function mixedTables(
  frequencies: readonly [columns: Tensor, rows: Tensor],
  { grid, prefix }: Pick<AxialSettings, 'grid' | 'prefix'>,
): RotaryTables {
  const { graph, shape } = frequencies[0]
  const [heads, half] = shape.map(dim => fixedSize(dim, 'mixedTables')) as [number, number]
  const places = gridOf(grid)
  const axis = (pick: 0 | 1): Tensor =>
    constant(
      graph,
      Float32Array.from(places, place => place[pick]),
      [places.length, 1, 1],
    )
  const angles = add(mul(axis(1), frequencies[0]), mul(axis(0), frequencies[1]))
  const doubled = (x: Tensor, sign: number): Tensor => {
    const one = reshape(x, [places.length, heads, half, 1])
    const pair = concat([sign === 1 ? one : mul(one, sign), one], -1)
    const table = reshape(pair, [places.length, heads, 2 * half])
    if (prefix === 0) return table
    const still = new Float32Array(prefix * heads * 2 * half).fill(sign === 1 ? 1 : 0)
    return concat([constant(graph, still, [prefix, heads, 2 * half]), table], 0)
  }
  return {
    cosines: doubled(cos(angles), 1),
    sines: doubled(sin(angles), -1),
    partners: partnersOf(graph, 2 * half, 'interleaved'),
  }
}

/** Turns the pairs of channels of queries or keys [n, length, heads · head width] by their token's angles. */
export function rotate(x: Tensor, { cosines, sines, partners }: RotaryTables): Tensor {
  const [n, length, width] = x.shape
  const headWidth = fixedSize(cosines.shape[2], 'rotate')
  const heads = reshape(x, [n!, length!, fixedSize(width, 'rotate') / headWidth, headWidth])
  const turned = add(mul(heads, cosines), mul(gather(heads, partners, -1), sines))
  return reshape(turned, [n!, length!, width!])
}
