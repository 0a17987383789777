import { constant, type Tensor, type ParameterScope } from '../graph.ts'
import {
  add,
  concat,
  matmul,
  mul,
  multiHeadAttention,
  type Qkv,
  reshape,
  softmax,
  split,
  transpose,
} from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { affine, linear } from './linear.ts'
import { mlp } from './mlp.ts'
import { layerNorm } from './norm.ts'

/** [n, length, width] to [n, heads, length, width / heads]. */
export function splitHeads(x: Tensor, count: number): Tensor {
  const [n, length, width] = x.shape
  return transpose(
    reshape(x, [n!, length!, count, fixedSize(width, 'heads') / count]),
    [0, 2, 1, 3],
  )
}

export interface AttentionOptions {
  heads: number
  /** Added to the scores [n, heads, length, length]. */
  mask?: Tensor | undefined
  /** How queries, keys and values are computed; one layer `qkv` by default. */
  project?: Projection | undefined
}

/** Scaled dot-product attention. */
export function attend(qkv: Qkv, { heads, mask }: AttentionOptions): Tensor {
  const [q, k, v] = qkv
  if (q.graph.usesFusedOps && !mask) return multiHeadAttention(qkv, heads)
  const [n, length, width] = q.shape
  const scale = (fixedSize(width, 'attend') / heads) ** -0.5
  const scores = matmul(
    splitHeads(mul(q, scale), heads),
    transpose(splitHeads(k, heads), [0, 1, 3, 2]),
  )
  const weights = softmax(mask ? add(scores, mask) : scores)
  const attended = transpose(matmul(weights, splitHeads(v, heads)), [0, 2, 1, 3])
  return reshape(attended, [n!, length!, width!])
}

/** Computes queries, keys and values of x [n, length, width]. */
export type Projection = (w: ParameterScope, x: Tensor) => Qkv

/** Splits a [n, length, 3·width] product into queries, keys and values. */
export function splitQkv(qkv: Tensor): Qkv {
  const width = fixedSize(qkv.shape.at(-1), 'thirds') / 3
  const [q, k, v] = split(qkv, [width, width, width], -1)
  return [q!, k!, v!]
}

/** One layer for all three, timm's `qkv` [3·width, width]. */
export const fusedProjection: Projection = (w, x) =>
  splitQkv(linear(w.at('qkv'), x, 3 * fixedSize(x.shape.at(-1), 'fused')))

/** One layer for all three whose keys have no bias: `qkv.weight` with `q_bias` and `v_bias`. */
export const keysUnbiasedProjection: Projection = (w, x) => {
  const width = fixedSize(x.shape.at(-1), 'keysUnbiased')
  const none = constant(w.graph, new Float32Array(width), [width])
  const bias = concat([w.get('q_bias', [width], 'bias'), none, w.get('v_bias', [width], 'bias')], 0)
  return splitQkv(affine(x, w.at('qkv').get('weight', [3 * width, width]), bias))
}

/** A layer each: `query`, `key` and `value`. */
export const separateProjection: Projection = (w, x) => {
  const width = fixedSize(x.shape.at(-1), 'separate')
  return [
    linear(w.at('query'), x, width),
    linear(w.at('key'), x, width),
    linear(w.at('value'), x, width),
  ]
}

/** Self-attention whose result goes through the layer `proj`. */
export function selfAttention(w: ParameterScope, x: Tensor, options: AttentionOptions): Tensor {
  const { project = fusedProjection } = options
  return linear(
    w.at('proj'),
    attend(project(w, x), options),
    fixedSize(x.shape.at(-1), 'selfAttention'),
  )
}

interface LatentPoolOptions {
  heads: number
  /** Width inside the MLP, four times the tokens' by default. */
  hidden?: number
  epsilon?: number
}

/** Attention pooling by one learned query with an MLP, timm's AttentionPoolLatent: x [n, length, width] to [n, width]. */
export function latentPool(w: ParameterScope, x: Tensor, c: LatentPoolOptions): Tensor {
  const [n, , dim] = x.shape
  const width = fixedSize(dim, 'latentPool')
  const query = linear(w.at('q'), w.get('latent', [1, 1, width]), width)
  const [k, v] = split(linear(w.at('kv'), x, 2 * width), [width, width], -1)
  const scores = matmul(
    splitHeads(mul(query, (width / c.heads) ** -0.5), c.heads),
    transpose(splitHeads(k!, c.heads), [0, 1, 3, 2]),
  )
  const mixed = matmul(softmax(scores), splitHeads(v!, c.heads))
  const y = linear(w.at('proj'), reshape(mixed, [n!, width]), width)
  const hidden = c.hidden ?? 4 * width
  return add(y, mlp(w.at('mlp'), layerNorm(w.at('norm'), y, c.epsilon), { hidden }))
}
