import { type Dim, integers, type Tensor, type ParameterScope } from '../graph.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  concat,
  expand,
  reshape,
  shapeOf,
  slice,
  transpose,
} from '../ops.ts'
import { fixedSize, product, sizeAt } from '../shapes.ts'
import { conv, depthwiseConv } from './linear.ts'
import { layerNorm } from './norm.ts'

/** Embeds the non-overlapping patches of an image as tokens: [n, 3, h, w] to [n, (h/patch)·(w/patch), dim]. */
export function patchEmbed(
  w: ParameterScope,
  image: Tensor,
  { patch, dim, bias = true }: { patch: number; dim: number; bias?: boolean },
): Tensor {
  return toTokens(conv(w, image, { out: dim, kernel: patch, stride: patch, bias }))
}

/** Reshapes an image [n, c, h, w] to tokens [n, h·w, c]. */
export function toTokens(x: Tensor): Tensor {
  const [n, c, h, w] = x.shape
  return transpose(reshape(x, [n!, c!, product([h!, w!])]), [0, 2, 1])
}

/** Reshapes tokens [n, h·w, c] to an image [n, c, h, w] of `size` [h, w]. */
export const toImage = (x: Tensor, size: readonly Dim[]): Tensor =>
  reshape(transpose(x, [0, 2, 1]), [x.shape[0]!, x.shape[2]!, ...size])

/** Repeats learned tokens [1, rows, dim] for every entry of x [n, …]: [n, rows, dim]. */
export function repeatTokens(tokens: Tensor, x: Tensor): Tensor {
  const [rows, dim] = tokens.shape.slice(1).map(size => fixedSize(size, 'repeatTokens'))
  const shape = concat([slice(shapeOf(x), 0, [0, 1]), integers(x.graph, [rows!, dim!])], 0)
  return expand(tokens, shape, [x.shape[0]!, rows!, dim!])
}

/** Puts learned tokens [1, rows, dim] in front of every sequence [n, length, dim]. */
export const prependTokens = (tokens: Tensor, x: Tensor): Tensor =>
  concat([repeatTokens(tokens, x), x], 1)

export interface TokenSettings {
  patch: number
  dim: number
  /** Tokens [n, length, dim] that stand for patches of pixels, if another network makes them. */
  patches?: Tensor | undefined
  /** Learned tokens before the patches: their names in the checkpoint and how many rows each has. */
  prefix: readonly { name: string; rows: number }[]
  /** Whether the table `pos_embed` has a row for every token (default), for the patches alone, or is absent. */
  positions?: 'all' | 'patches' | 'none'
  /** CLIP's norm before the blocks, `norm_pre`, with patches embedded without bias. */
  preNorm?: boolean
  epsilon?: number
}

/** Embeds patches with their positions, behind the learned tokens: [n, 3, h, w] to [n, length, dim]. */
export function embedTokens(w: ParameterScope, image: Tensor, c: TokenSettings): Tensor {
  const { positions = 'all' } = c
  let x = c.patches ?? patchEmbed(w.at('patch_embed.proj'), image, { ...c, bias: !c.preNorm })
  const placed = (y: Tensor): Tensor => add(y, w.get('pos_embed', [1, sizeAt(y, 1), c.dim]))
  if (positions === 'patches') x = placed(x)
  for (const { name, rows } of c.prefix.toReversed())
    x = prependTokens(w.get(name, [1, rows, c.dim]), x)
  if (positions === 'all') x = placed(x)
  return c.preNorm ? layerNorm(w.at('norm_pre'), x, c.epsilon) : x
}

/** Returns the learned tokens of a configuration in timm's order; there is a class token unless it says otherwise. */
export const learnedTokens = (c: {
  classToken?: boolean
  distilled?: boolean
  registers?: number
}): TokenSettings['prefix'] =>
  [
    { name: 'cls_token', rows: (c.classToken ?? true) ? 1 : 0 },
    { name: 'dist_token', rows: c.distilled ? 1 : 0 },
    { name: 'reg_token', rows: c.registers ?? 0 },
  ].filter(({ rows }) => rows > 0)

/** Returns how many learned tokens precede the patches. */
export const prefixRows = ({ prefix }: Pick<TokenSettings, 'prefix'>): number =>
  prefix.reduce((count, { rows }) => count + rows, 0)

/** Returns the tokens [n, length, dim] without the first `prefix`. */
export const patchTokens = (x: Tensor, prefix: number): Tensor =>
  prefix === 0 ? x : slice(x, 1, [prefix, sizeAt(x, 1)])

/** Adds a depthwise 3 × 3 convolution, whose padding encodes positions, to a grid [n, h, w, width] (Chu et al. 2021). */
export function addConvPositions(w: ParameterScope, grid: Tensor): Tensor {
  const x = channelsFirst(grid)
  return channelsLast(add(x, depthwiseConv(w, x, { kernel: 3, bias: true })))
}
