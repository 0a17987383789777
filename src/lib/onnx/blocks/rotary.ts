/** Rotary position embeddings (Su et al. 2021) over a grid of patches, as timm's pos_embed_sincos.py computes them. */
import { constant, type Graph, integers, type Tensor } from '../graph.ts'
import { add, concat, cos, gather, mul, reshape, rotaryEmbedding, sin } from '../ops.ts'
import { fixedSize, sizeAt } from '../shapes.ts'

/** Turns the pairs of channels of queries or keys [n, length, heads · head width] by their token's angles. */
export type Rotation = (x: Tensor) => Tensor

/** Cosines and signed sines [length, 1 or heads, head width] of every token's angles; 1 and 0 leave a token as it is. */
interface RotaryTables {
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

/** Returns the rotation by the patches' angles; the prefix is left as it is. */
export function axialRotation(
  graph: Graph,
  angles: readonly Float32Array[],
  {
    headWidth,
    prefix,
    layout,
  }: Pick<AxialSettings, 'headWidth' | 'prefix'> & { layout: RotaryLayout },
): Rotation {
  const length = prefix + angles.length
  const channels = graph.usesFusedOps ? headWidth / 2 : headWidth
  const pairOf = (channel: number): number => {
    if (graph.usesFusedOps) return channel
    return layout === 'half' ? channel % (headWidth / 2) : channel >> 1
  }
  const table = (still: number, turned: (angle: number, channel: number) => number): Tensor => {
    const values = new Float32Array(length * channels).fill(still)
    for (const [i, row] of angles.entries())
      for (let channel = 0; channel < channels; channel++)
        values[(prefix + i) * channels + channel] = turned(row[pairOf(channel)]!, channel)
    return constant(graph, values, graph.usesFusedOps ? [length, channels] : [length, 1, channels])
  }
  const cosines = table(1, Math.cos)
  if (graph.usesFusedOps) {
    const halves = { cosines, sines: table(0, Math.sin) }
    return x => rotaryEmbedding(x, halves, layout === 'interleaved')
  }
  const sines = table(0, (angle, channel) => signOf(channel, headWidth, layout) * Math.sin(angle))
  return rotationBy({ cosines, sines, partners: partnersOf(graph, headWidth, layout) })
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

/** Returns the rotation by learned frequencies [heads, head width / 2] for each axis, first that of the columns. */
export function mixedRotation(
  frequencies: readonly [columns: Tensor, rows: Tensor],
  { grid, prefix }: Pick<AxialSettings, 'grid' | 'prefix'>,
): Rotation {
  const { graph, shape } = frequencies[0]
  const [heads, half] = shape.map(dim => fixedSize(dim, 'mixedRotation')) as [number, number]
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
  return rotationBy({
    cosines: doubled(cos(angles), 1),
    sines: doubled(sin(angles), -1),
    partners: partnersOf(graph, 2 * half, 'interleaved'),
  })
}

const rotationBy =
  ({ cosines, sines, partners }: RotaryTables): Rotation =>
  x => {
    const [n, length, width] = x.shape
    const headWidth = sizeAt(cosines, 2)
    const heads = reshape(x, [n!, length!, fixedSize(width, 'rotate') / headWidth, headWidth])
    const turned = add(mul(heads, cosines), mul(gather(heads, partners, -1), sines))
    return reshape(turned, [n!, length!, width!])
  }
