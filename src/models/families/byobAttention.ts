/**
 * Gates and self-attentions of timm's bring-your-own-blocks networks: global context
 * (Cao et al. 2019), bilinear attention (Chi et al. 2020), and the self-attention of Bottleneck Transformers (Srinivas et
 * al. 2021), HaloNets (Vaswani et al. 2021) and LambdaNetworks (Bello 2021), as layers/ in timm computes them.
 */
import {
  type Block,
  type Layer,
  shapeError,
  sharedConstant,
  type Tensor,
  type ParameterScope,
} from '../../lib/onnx/graph.ts'
import {
  convNorm,
  divisibleWidth,
  globalContext,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { relativeBias, relativeRow } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  avgPool,
  conv2d,
  div,
  gather,
  matmul,
  max,
  mul,
  pad2d,
  relu,
  reshape,
  sigmoid,
  softmax,
  split,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, product } from '../../lib/onnx/shapes.ts'

/** A layer that keeps the shape of x [n, c, h, w]. */
export type Gate = Layer

/** Returns squeeze-and-excitation to a share of the channels, rounded to a multiple of `divisor`. */
export const squeeze =
  (share = 1 / 16, divisor = 8): Gate =>
  (w, x) =>
    squeezeExcite(w, x, { inner: divisibleWidth(channelsOf(x) * share, { divisor }) })

/** Adds global context to every position: a network of two layers on the weighted mean of all positions. */
export const addContext: Gate = (w, x) => {
  const scores = conv(w.at('conv_attn'), x, { out: 1, bias: true })
  const inner = divisibleWidth(channelsOf(x) / 8, { divisor: 1 })
  return add(x, globalContext(w.at('mlp_add'), { x, scores }, { inner, activation: relu }))
}

/** Returns bilinear attention: it mixes the rows and columns of side × side cells by weights from the cells' maxima. */
export const bilinearAttention =
  (side: number): Gate =>
  (w, x) => {
    const layer = (scope: ParameterScope, y: Tensor, out: number): Tensor =>
      relu(convNorm(scope, y, { out }))
    const channels = channelsOf(x)
    const inner = divisibleWidth(channels / 4, { limit: 0.9 })
    const y = layer(w.at('conv1'), x, inner)
    const transform = w.at('ba')
    const pooled = layer(transform.at('conv1'), y, 2)
    const mixed = mixCells(transform, y, { pooled, side })
    return add(x, layer(w.at('conv2'), layer(transform.at('conv2'), mixed, inner), channels))
  }

const mixCells: Block<{ pooled: Tensor; side: number }> = (w, x, { pooled, side }) => {
  const [n, channels, height, width] = x.shape
  const [h, wide] = [fixedSize(height, 'cells'), fixedSize(width, 'cells')]
  const groups = channelsOf(pooled)
  const weights = (scope: ParameterScope, largest: Tensor, along: 2 | 3): Tensor => {
    const kernel = along === 2 ? [side, 1] : [1, side]
    const out = groups * side * side
    const layer = {
      weight: scope.get('weight', [out, groups, kernel[0]!, kernel[1]!]),
      bias: scope.get('bias', [out], 'bias'),
    }
    const cells = reshape(largest, [n!, groups, kernel[0]!, kernel[1]!])
    return sigmoid(reshape(conv2d(cells, layer), [n!, groups, side, side]))
  }
  const largest = (y: Tensor): Tensor => max(reshape(y, [n!, groups, side, (h * wide) / side]), [3])
  const rows = weights(w.at('conv_p'), largest(pooled), 2)
  const columns = weights(w.at('conv_q'), largest(transpose(pooled, [0, 1, 3, 2])), 3)
  const perGroup = channelsOf(x) / groups
  const down = reshape(div(rows, sum(rows, [3], true)), [n!, groups, 1, side, side])
  const across = transpose(div(columns, sum(columns, [2], true)), [0, 1, 3, 2])
  const mixed = matmul(down, reshape(x, [n!, groups, perGroup, side, (h * wide) / side]))
  const y = matmul(
    reshape(across, [n!, groups, 1, 1, side, side]),
    reshape(mixed, [n!, groups, perGroup, h, side, wide / side]),
  )
  return reshape(y, [n!, channels!, h, wide])
}

/** A layer over x [n, c, h, w] that keeps its channels and divides its sides by `stride`. */
export type SelfAttention = Block<number>

const halved = (x: Tensor, stride: number): Tensor =>
  stride === 1 ? x : avgPool(x, stride, { stride })

/** Returns scores [..., side², window²] of queries [..., side, side, width] and `window`² keys by their offsets. */
const relativeScores: Block<number> = (w, queries, window) => {
  const [groups, side, , width] = queries.shape.map((dim, i) =>
    i === 0 ? dim : fixedSize(dim, 'relativeScores'),
  ) as [Tensor['shape'][number], number, number, number]
  const offsets = 2 * window - 1
  const along = (q: Tensor, name: string): Tensor => {
    const table = w.get(name, [offsets, width])
    const scores = reshape(matmul(q, transpose(table, [1, 0])), [groups, side, side * offsets])
    const index = sharedConstant(w.graph, `offsets_${side}_${window}`, () => {
      const place = (i: number): number => {
        const from = Math.floor(i / window)
        return from * offsets + window - 1 + (i % window) - from
      }
      const data = BigInt64Array.from({ length: side * window }, (_, i) => BigInt(place(i)))
      return { data, shape: [side * window] }
    })
    return reshape(gather(scores, index, -1), [groups, side, side, window])
  }
  const across = reshape(along(queries, 'width_rel'), [groups, side, side, 1, window])
  const turned = along(transpose(queries, [0, 2, 1, 3]), 'height_rel')
  const down = reshape(transpose(turned, [0, 2, 1, 3]), [groups, side, side, window, 1])
  return reshape(add(down, across), [groups, side * side, window * window])
}

/** Returns the width of a head's queries and keys: `headWidth`, or a share of the channels. */
function queryWidth(x: Tensor, c: { heads: number; headWidth?: number; share?: number }): number {
  const width = divisibleWidth(channelsOf(x) * (c.share ?? 1), { limit: 0.9 })
  return c.headWidth ?? Math.floor(width / c.heads)
}

/** Returns the attention of Bottleneck Transformers: among all positions, with scores by relative position. */
export const bottleneckAttention =
  ({ headWidth }: { headWidth?: number } = {}): SelfAttention =>
  (w, x, stride) => {
    const [n, channels, side] = x.shape
    const heads = 4
    const width = queryWidth(x, headWidth === undefined ? { heads } : { heads, headWidth })
    const each = channelsOf(x) / heads
    const places = fixedSize(side, 'bottleneckAttention') ** 2
    const out = 2 * heads * width + channelsOf(x)
    const parts = split(
      conv(w.at('qkv'), x, { out }),
      [heads * width, heads * width, channelsOf(x)],
      1,
    )
    const [q, k, v] = parts.map((part, i) =>
      reshape(part, [product([n!, heads]), i === 2 ? each : width, places]),
    ) as [Tensor, Tensor, Tensor]
    const queries = transpose(q, [0, 2, 1])
    const grid = reshape(queries, [queries.shape[0]!, side!, side!, width])
    const position = relativeScores(w.at('pos_embed'), grid, fixedSize(side, 'position'))
    const weights = softmax(add(mul(matmul(queries, k), width ** -0.5), position))
    const mixed = matmul(weights, transpose(v, [0, 2, 1]))
    return halved(reshape(transpose(mixed, [0, 2, 1]), [n!, channels!, side!, side!]), stride)
  }

interface HaloOptions {
  heads?: number
  headWidth?: number
  /** Width of the queries over the channels, 1 by default. */
  share?: number
  /** Side of a block, 8 by default, and how far its keys reach beyond it. */
  block?: number
  halo: number
}

/** Returns the attention of HaloNets: of blocks of queries to the positions in and around their block. */
export const haloAttention =
  ({ heads = 8, block = 8, halo, ...options }: HaloOptions): SelfAttention =>
  (w, x, stride) => {
    const [n, channels, height] = x.shape
    const side = fixedSize(height, 'haloAttention')
    if (side % block !== 0)
      throw shapeError(
        'haloAttention',
        `a grid of ${side} × ${side} has no blocks of ${block} × ${block}; the architecture needs images of another size`,
      )
    const width = queryWidth(x, { heads, ...options })
    const each = channelsOf(x) / heads
    const count = side / block
    const step = block % stride === 0 ? stride : 1
    const size = block / step
    const window = block + 2 * halo
    const groups = product([n!, heads])
    const cut = (y: Tensor, c: { width: number; size: number }): Tensor => {
      const cells = reshape(y, [groups, c.width, count, c.size, count, c.size])
      const apart = transpose(cells, [0, 2, 4, 3, 5, 1])
      return reshape(apart, [product([groups, count * count]), c.size * c.size, c.width])
    }
    const q = cut(conv(w.at('q'), x, { out: heads * width, stride: step }), { width, size })
    const keys = pad2d(conv(w.at('kv'), x, { out: heads * (width + each) }), [
      halo,
      halo,
      halo,
      halo,
    ])
    const index = overlappingIndex(x, { count, block, window })
    const windows = cut(gather(gather(keys, index, 2), index, 3), {
      width: width + each,
      size: window,
    })
    const [k, v] = split(windows, [width, each], -1)
    const grid = reshape(q, [q.shape[0]!, size, size, width])
    const position = relativeScores(w.at('pos_embed'), grid, window)
    const scores = mul(matmul(q, transpose(k!, [0, 2, 1])), width ** -0.5)
    const mixed = matmul(softmax(add(scores, position)), v!)
    const apart = reshape(mixed, [groups, count, count, size, size, each])
    const joined = reshape(transpose(apart, [0, 5, 1, 3, 2, 4]), [
      n!,
      channels!,
      side / step,
      side / step,
    ])
    return halved(joined, stride / step)
  }

/** Returns the positions of the windows of all blocks along an axis, one window after the other. */
const overlappingIndex = (
  { graph }: Tensor,
  { count, block, window }: Record<'count' | 'block' | 'window', number>,
): Tensor =>
  sharedConstant(graph, `halo_${count}_${block}_${window}`, () => {
    const place = (i: number): number => Math.floor(i / window) * block + (i % window)
    const data = BigInt64Array.from({ length: count * window }, (_, i) => BigInt(place(i)))
    return { data, shape: [count * window] }
  })

/** Returns a lambda layer, which applies linear functions of the context to queries; `reach` is the side of the positions' kernel. */
export const lambdaLayer =
  ({ reach }: { reach?: number } = {}): SelfAttention =>
  (w, x, stride) => {
    const [n, channels, height, wide] = x.shape
    const [heads, width] = [4, 16]
    const each = channelsOf(x) / heads
    const places = fixedSize(product([height!, wide!]), 'lambdaLayer')
    const out = heads * width + width + each
    const [q, k, v] = split(conv(w.at('qkv'), x, { out }), [heads * width, width, each], 1)
    const queries = reshape(batchNorm(w.at('norm_q'), q!), [n!, heads, width, places])
    const values = transpose(reshape(batchNorm(w.at('norm_v'), v!), [n!, each, places]), [0, 2, 1])
    const content = matmul(softmax(reshape(k!, [n!, width, places])), values)
    const perPlace = transpose(queries, [0, 3, 1, 2])
    const position = positionLambda(w, values, { side: [height!, wide!], width, reach })
    const lambdas = add(position, reshape(content, [n!, 1, width, each]))
    const mixed = transpose(matmul(perPlace, lambdas), [0, 2, 3, 1])
    return halved(reshape(mixed, [n!, channels!, height!, wide!]), stride)
  }

/** Returns a linear function of the surrounding values for each position: values [n, places, each] to [n, places, width, each]. */
const positionLambda: Block<{
  side: readonly Tensor['shape'][number][]
  width: number
  reach: number | undefined
}> = (w, values, c) => {
  const [n, places, each] = values.shape
  const [rows, columns] = c.side.map(dim => fixedSize(dim, 'lambda')) as [number, number]
  if (c.reach === undefined) {
    const table = w.get('pos_emb', [2 * rows - 1, 2 * columns - 1, c.width])
    const flat = reshape(table, [(2 * rows - 1) * (2 * columns - 1), c.width])
    const bias = relativeBias(flat, rows * columns, {
      name: 'lambda_offsets',
      row: (from, to) => relativeRow(to, from, [rows, columns]),
    })
    return matmul(transpose(bias, [1, 0, 2]), reshape(values, [n!, 1, places!, each!]))
  }
  const layer = w.at('conv_lambda')
  const kernel = layer.get('weight', [c.width, 1, c.reach, c.reach, 1])
  const weight = reshape(kernel, [c.width, 1, c.reach, c.reach])
  const bias = layer.get('bias', [c.width], 'bias')
  const images = reshape(transpose(values, [0, 2, 1]), [product([n!, each!]), 1, rows, columns])
  const made = conv2d(images, { weight, bias }, { padding: (c.reach - 1) / 2 })
  const apart = reshape(made, [n!, each!, c.width, rows * columns])
  return transpose(apart, [0, 3, 2, 1])
}
