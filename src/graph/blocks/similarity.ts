import { type Tensor } from '../graph.ts'
import { div, exp, matmul, mul, norm, transpose } from '../ops.ts'

/** Rows scaled to unit length: [n, width] to [n, width]. */
export const normalized = (x: Tensor): Tensor => div(x, norm(x))

/** Scaled cosine similarities of images [n, width] and texts [t, width]: logits [n, t]. */
export function similarity(images: Tensor, texts: Tensor, logitScale: Tensor): Tensor {
  return mul(matmul(normalized(images), transpose(normalized(texts), [1, 0])), exp(logitScale))
}
