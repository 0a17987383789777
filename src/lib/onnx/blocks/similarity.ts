import { type Tensor } from '../graph.ts'
import { div, matmul, norm, transpose } from '../ops.ts'

/** Rows scaled to unit length: [n, width] to [n, width]. */
export const normalizeRows = (x: Tensor): Tensor => div(x, norm(x))

/** Cosine similarities [n, t] of images [n, width] and texts [t, width] of unit length. */
export const similarity = (images: Tensor, texts: Tensor): Tensor =>
  matmul(normalizeRows(images), transpose(texts, [1, 0]))
