import { type Tensor, type ParameterScope } from '../graph.ts'
import { add, matmul, mul, multiHeadAttention, reshape, softmax, split, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { linear } from './linear.ts'

/** [n, length, width] to [n, heads, length, width / heads]. */
function splitHeads(x: Tensor, count: number): Tensor {
  const [n, length, width] = x.shape
  return transpose(
    reshape(x, [n!, length!, count, fixedSize(width, 'heads') / count]),
    [0, 2, 1, 3],
  )
}

/**
 * Scaled dot-product attention of q, k, v [n, length, width] in `count` heads; `mask` is added to the scores
 * [n, heads, length, length].
 */
export function attend(q: Tensor, k: Tensor, v: Tensor, count: number, mask?: Tensor): Tensor {
  if (q.graph.usesFusedOps && !mask) return multiHeadAttention(q, k, v, count)
  const [n, length, width] = q.shape
  const scale = (fixedSize(width, 'attend') / count) ** -0.5
  const scores = matmul(
    splitHeads(mul(q, scale), count),
    transpose(splitHeads(k, count), [0, 1, 3, 2]),
  )
  const weights = softmax(mask ? add(scores, mask) : scores)
  return reshape(transpose(matmul(weights, splitHeads(v, count)), [0, 2, 1, 3]), [
    n!,
    length!,
    width!,
  ])
}

/** Queries, keys and values of x [n, length, width], each of its shape. */
export type Projection = (
  w: ParameterScope,
  x: Tensor,
) => readonly [q: Tensor, k: Tensor, v: Tensor]

/** A [n, length, 3·width] product as queries, keys and values. */
export function splitQkv(qkv: Tensor): readonly [Tensor, Tensor, Tensor] {
  const width = fixedSize(qkv.shape.at(-1), 'thirds') / 3
  const [q, k, v] = split(qkv, [width, width, width], -1)
  return [q!, k!, v!]
}

/** One layer for all three, timm's `qkv` [3·width, width]. */
const fusedProjection: Projection = (w, x) =>
  splitQkv(linear(w.at('qkv'), x, 3 * fixedSize(x.shape.at(-1), 'fused')))

/** A layer each: `query`, `key` and `value`. */
export function separateProjection(
  w: ParameterScope,
  x: Tensor,
): readonly [Tensor, Tensor, Tensor] {
  const width = fixedSize(x.shape.at(-1), 'separate')
  return [
    linear(w.at('query'), x, width),
    linear(w.at('key'), x, width),
    linear(w.at('value'), x, width),
  ]
}

/** Self-attention whose result goes through the layer `proj`. */
export function selfAttention(
  w: ParameterScope,
  x: Tensor,
  count: number,
  mask?: Tensor,
  project = fusedProjection,
): Tensor {
  return linear(
    w.at('proj'),
    attend(...project(w, x), count, mask),
    fixedSize(x.shape.at(-1), 'selfAttention'),
  )
}
