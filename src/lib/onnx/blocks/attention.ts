import { constant, type Dim, type Tensor, type ParameterScope } from '../graph.ts'
import {
  add,
  cast,
  channelsFirst,
  concat,
  gelu,
  halves,
  matmul,
  mul,
  multiHeadAttention,
  type Qkv,
  reshape,
  slice,
  softmax,
  split,
  sub,
  transpose,
} from '../ops.ts'
import { channelsOf, fixedSize, product, sizeAt } from '../shapes.ts'
import { adaptiveAvgPool } from './convNorm.ts'
import { affine, conv, linear, unbiasedLinear } from './linear.ts'
import { mlp } from './mlp.ts'
import { layerNorm } from './norm.ts'
import { toTokens, toImage } from './tokens.ts'

/** Splits tokens [n, length, heads · width] into heads [n, heads, length, width]. */
export function splitHeads(x: Tensor, count: number): Tensor {
  const [n, length, width] = x.shape
  return transpose(
    reshape(x, [n!, length!, count, fixedSize(width, 'heads') / count]),
    [0, 2, 1, 3],
  )
}

/** Joins heads [n, heads, length, width] to tokens [n, length, heads · width]. */
export function joinHeads(x: Tensor): Tensor {
  const [n, heads, length, width] = x.shape
  const joined = fixedSize(heads, 'joinHeads') * fixedSize(width, 'joinHeads')
  return reshape(transpose(x, [0, 2, 1, 3]), [n!, length!, joined])
}

/** Splits images [n, heads · width, h, w] into heads of tokens [n, heads, h · w, width]. */
export function splitImageHeads(x: Tensor, heads: number): Tensor {
  const [n, , ...sides] = x.shape
  const apart = reshape(x, [n!, heads, channelsOf(x) / heads, product(sides)])
  return transpose(apart, [0, 1, 3, 2])
}

/** Joins heads of tokens [n, heads, h · w, width] to images [n, heads · width, h, w] of `size` [h, w]. */
export function joinImageHeads(x: Tensor, size: readonly Dim[]): Tensor {
  const [n, heads, , width] = x.shape
  const joined = fixedSize(heads, 'joinImageHeads') * fixedSize(width, 'joinImageHeads')
  return reshape(transpose(x, [0, 1, 3, 2]), [n!, joined, ...size])
}

export interface AttentionOptions {
  heads: number
  /** Added to the scores [n, heads, length, length]. */
  mask?: Tensor | undefined
  /** How queries, keys and values are computed; one layer `qkv` by default. */
  project?: Projection | undefined
}

/** Computes scaled dot-product attention; the result has the queries' length and the values' width. */
export function attend(qkv: Qkv, { heads, mask }: AttentionOptions): Tensor {
  if (qkv[0].graph.usesFusedOps && !mask) return multiHeadAttention(qkv, heads)
  const [q, k, v] = qkv
  return joinHeads(
    attendHeads([splitHeads(q, heads), splitHeads(k, heads), splitHeads(v, heads)], mask),
  )
}

/**
 * Computes scaled dot-product attention of queries [n, heads, length, width], keys [n, heads, keys, width] and values
 * [n, heads, keys, out]: [n, heads, length, out]. The mask is added to the scores.
 */
export function attendHeads([q, k, v]: Qkv, mask?: Tensor): Tensor {
  const scale = sizeAt(q, -1) ** -0.5
  const scores = matmul(mul(q, scale), transpose(k, [0, 1, 3, 2]))
  return matmul(softmax(mask ? add(scores, mask) : scores), v)
}

/** Returns mask [n, length], 0 on padding, as an addend of scores [n, 1, 1, length] that leaves padding no weight. */
export function paddingMask(mask: Tensor): Tensor {
  const [n, length] = mask.shape
  return mul(sub(reshape(cast(mask, 'float32'), [n!, 1, 1, length!]), 1), 1e30)
}

/** Computes attention among the positions of images: queries and keys [n, width, h, w], values and result [n, out, h, w]. */
export function attendPlaces(images: Qkv, options: AttentionOptions): Tensor {
  const [q, k, v] = images.map(toTokens)
  return toImage(attend([q!, k!, v!], options), images[0].shape.slice(2))
}

/** Computes queries, keys and values of x [n, length, width]. */
export type Projection = (w: ParameterScope, x: Tensor) => Qkv

/** Splits a [n, length, 3·width] product into queries, keys and values. */
export function splitQkv(qkv: Tensor): Qkv {
  const width = sizeAt(qkv, -1) / 3
  const [q, k, v] = split(qkv, [width, width, width], -1)
  return [q!, k!, v!]
}

/** Computes queries, keys and values by one layer with bias, `qkv` [3·width, width]. */
export const fusedProjection: Projection = (w, x) =>
  splitQkv(linear(w.at('qkv'), x, 3 * sizeAt(x, -1)))

/** Computes queries, keys and values by one layer without bias, `qkv`. */
export const unbiasedProjection: Projection = (w, x) =>
  splitQkv(unbiasedLinear(w.at('qkv'), x, 3 * sizeAt(x, -1)))

/** Computes queries of the first token, keys and values of all tokens, by a layer each (class attention, Touvron et al. 2021). */
export const firstTokenProjection =
  ([q, k, v]: readonly [q: string, k: string, v: string] = ['q', 'k', 'v']): Projection =>
  (w, x) => {
    const width = sizeAt(x, -1)
    return [
      linear(w.at(q), slice(x, 1, [0, 1]), width),
      linear(w.at(k), x, width),
      linear(w.at(v), x, width),
    ]
  }

/** Computes queries, keys and values by one layer whose keys have no bias: `qkv.weight` with `q_bias` and `v_bias`. */
export const keysUnbiasedProjection: Projection = (w, x) => {
  const width = sizeAt(x, -1)
  const none = constant(w.graph, new Float32Array(width), [width])
  const bias = concat([w.get('q_bias', [width], 'bias'), none, w.get('v_bias', [width], 'bias')], 0)
  return splitQkv(affine(x, w.at('qkv').get('weight', [3 * width, width]), bias))
}

/** Computes queries, keys and values by one layer whose outputs are ordered by head: those of the first head, then those of the second. */
export const headFirstProjection =
  (heads: number): Projection =>
  (w, x) => {
    const width = sizeAt(x, -1)
    const byPart = (parameter: Tensor): Tensor => {
      const rest = parameter.shape.slice(1)
      const apart = reshape(parameter, [heads, 3, width / heads, ...rest])
      const order = apart.shape.map((_, axis) => [1, 0][axis] ?? axis)
      return reshape(transpose(apart, order), parameter.shape)
    }
    const layer = w.at('qkv')
    const weight = byPart(layer.get('weight', [3 * width, width]))
    return splitQkv(affine(x, weight, byPart(layer.get('bias', [3 * width], 'bias'))))
  }

/** Computes queries, keys and values by a layer each: `query`, `key` and `value`. */
export const separateProjection: Projection = (w, x) => {
  const width = sizeAt(x, -1)
  return [
    linear(w.at('query'), x, width),
    linear(w.at('key'), x, width),
    linear(w.at('value'), x, width),
  ]
}

/** Computes self-attention, projected by the layer `proj`. */
export function selfAttention(w: ParameterScope, x: Tensor, options: AttentionOptions): Tensor {
  const { project = fusedProjection } = options
  return linear(w.at('proj'), attend(project(w, x), options), sizeAt(x, -1))
}

interface ReducedAttentionOptions {
  heads: number
  /** Stride of the convolution from the grid to the keys. */
  ratio: number
  /** Rows and columns of keys, whatever the grid's size: averages and a 1 × 1 convolution in place of the stride. */
  pooled?: number | undefined
}

/** Computes attention of a grid [n, h, w, width] to fewer keys (Wang et al. 2021); the layers are `q`, `kv`, `sr`, `norm` and `proj`. */
export function reducedAttention(
  w: ParameterScope,
  x: Tensor,
  { heads, ratio, pooled }: ReducedAttentionOptions,
): Tensor {
  const [n, rows, columns, dim] = x.shape
  const width = fixedSize(dim, 'reducedAttention')
  const tokens = reshape(x, [n!, product([rows!, columns!]), width])
  const reduced = (layer: (image: Tensor) => Tensor): Tensor =>
    layerNorm(w.at('norm'), toTokens(layer(channelsFirst(x))), 1e-5)
  const layer = { out: width, kernel: ratio, stride: ratio, bias: true }
  let source = tokens
  if (pooled !== undefined)
    source = gelu(
      reduced(image =>
        conv(w.at('sr'), adaptiveAvgPool(image, pooled), { out: width, bias: true }),
      ),
    )
  else if (ratio > 1) source = reduced(image => conv(w.at('sr'), image, layer))
  const [k, v] = halves(linear(w.at('kv'), source, 2 * width))
  const attended = attend([linear(w.at('q'), tokens, width), k, v], { heads })
  return reshape(linear(w.at('proj'), attended, width), x.shape)
}

interface LatentPoolOptions {
  heads: number
  /** Width inside the MLP, four times the tokens' by default. */
  hidden?: number | undefined
  epsilon?: number | undefined
  /** Activation of the MLP, GELU by default. */
  activation?: ((x: Tensor) => Tensor) | undefined
}

/** Pools tokens [n, length, width] to [n, width] by attention of one learned query and an MLP (timm's AttentionPoolLatent). */
export function latentPool(w: ParameterScope, x: Tensor, c: LatentPoolOptions): Tensor {
  const [n, , dim] = x.shape
  const width = fixedSize(dim, 'latentPool')
  const query = linear(w.at('q'), w.get('latent', [1, 1, width]), width)
  const [k, v] = halves(linear(w.at('kv'), x, 2 * width))
  const mixed = attendHeads([
    splitHeads(query, c.heads),
    splitHeads(k, c.heads),
    splitHeads(v, c.heads),
  ])
  const y = linear(w.at('proj'), reshape(mixed, [n!, width]), width)
  const hidden = c.hidden ?? 4 * width
  const { activation, epsilon } = c
  return add(y, mlp(w.at('mlp'), layerNorm(w.at('norm'), y, epsilon), { hidden, activation }))
}
