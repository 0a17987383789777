import { type Tensor } from '../graph.ts'
import { clip, div, matmul, norm, transpose } from '../ops.ts'

/** Rows scaled to unit length: [n, width] to [n, width]. */
export const normalizeRows = (x: Tensor): Tensor => div(x, norm(x))

/** Cosine similarities [n, t] of images [n, width] and texts [t, width] of unit length. */
export const similarity = (images: Tensor, texts: Tensor): Tensor =>
  matmul(normalizeRows(images), transpose(texts, [1, 0]))

/** Scales x to unit length along an axis, as PyTorch's normalize: lengths below 1e-12 count as 1e-12. */
export const unitLength = (x: Tensor, axis = -1): Tensor =>
  div(x, clip(norm(x, [axis]), 1e-12, 1e30))
