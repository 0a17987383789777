import { integers, type Tensor, type ParameterScope } from '../graph.ts'
import { concat, expand, reshape, shapeOf, slice, transpose } from '../ops.ts'
import { fixedSize, product } from '../shapes.ts'
import { conv } from './linear.ts'

/** Non-overlapping patches of an image as tokens: [n, 3, h, w] to [n, (h/patch)·(w/patch), dim]. */
export function patchEmbed(
  w: ParameterScope,
  image: Tensor,
  { patch, dim, bias = true }: { patch: number; dim: number; bias?: boolean },
): Tensor {
  return flattenToTokens(conv(w, image, { out: dim, kernel: patch, stride: patch, bias }))
}

/** [n, c, h, w] to [n, h·w, c]. */
export function flattenToTokens(x: Tensor): Tensor {
  const [n, c, h, w] = x.shape
  return transpose(reshape(x, [n!, c!, product([h!, w!])]), [0, 2, 1])
}

/** Puts a learned token [1, 1, dim] in front of every sequence [n, length, dim]. */
export function prependToken(token: Tensor, x: Tensor): Tensor {
  const [n, , dim] = x.shape
  const width = fixedSize(dim, 'prependToken')
  const shape = concat([slice(shapeOf(x), 0, [0, 1]), integers(x.graph, [1, width])], 0)
  return concat([expand(token, shape, [n!, 1, width]), x], 1)
}
