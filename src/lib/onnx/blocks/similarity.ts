import { type Tensor } from '../graph.ts'
import { div, matmul, mul, norm, transpose } from '../ops.ts'

/** Rows scaled to unit length: [n, width] to [n, width]. */
export const normalizeRows = (x: Tensor): Tensor => div(x, norm(x))

/** Cosine similarities of images [n, width] and texts [t, width] of unit length, times `scale`: logits [n, t]. */
export const similarity = (images: Tensor, texts: Tensor, scale: number): Tensor =>
  mul(matmul(normalizeRows(images), transpose(texts, [1, 0])), scale)
