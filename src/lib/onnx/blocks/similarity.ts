import { type Tensor } from '../graph.ts'
import { clip, div, matmul, norm, transpose } from '../ops.ts'

/** Scales the rows of x [n, width] to unit length. */
export const normalizeRows = (x: Tensor): Tensor => div(x, norm(x))

/** Returns cosine similarities [n, t] of images [n, width] and of texts [t, width] of unit length. */
export const similarity = (images: Tensor, texts: Tensor): Tensor =>
  matmul(normalizeRows(images), transpose(texts, [1, 0]))

/** Scales x to unit length along an axis, as PyTorch's normalize: lengths below 1e-12 count as 1e-12. */
export const unitLength = (x: Tensor, axis = -1): Tensor =>
  div(x, clip(norm(x, [axis]), 1e-12, 1e30))
