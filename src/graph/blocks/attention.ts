import { type Tensor, type Weights } from '../graph.ts'
import { add, matmul, mul, reshape, softmax, split, transpose } from '../ops.ts'
import { fixed } from '../shapes.ts'
import { linear } from './linear.ts'

/** [n, length, width] to [n, heads, length, width / heads]. */
function heads(x: Tensor, count: number): Tensor {
  const [n, length, width] = x.shape
  return transpose(reshape(x, [n!, length!, count, fixed(width, 'heads') / count]), [0, 2, 1, 3])
}

/**
 * Scaled dot-product attention of q, k, v [n, length, width] in `count` heads; `mask` is added to the scores
 * [n, heads, length, length].
 */
export function attend(q: Tensor, k: Tensor, v: Tensor, count: number, mask?: Tensor): Tensor {
  const [n, length, width] = q.shape
  const scale = (fixed(width, 'attend') / count) ** -0.5
  const scores = matmul(heads(mul(q, scale), count), transpose(heads(k, count), [0, 1, 3, 2]))
  const weights = softmax(mask ? add(scores, mask) : scores)
  return reshape(transpose(matmul(weights, heads(v, count)), [0, 2, 1, 3]), [n!, length!, width!])
}

/** Self-attention with timm's names: `qkv` [3·width, width] and `proj`. */
export function selfAttention(w: Weights, x: Tensor, count: number, mask?: Tensor): Tensor {
  const width = fixed(x.shape.at(-1), 'selfAttention')
  const [q, k, v] = split(linear(w.at('qkv'), x, 3 * width), [width, width, width], -1)
  return linear(w.at('proj'), attend(q!, k!, v!, count, mask), width)
}
