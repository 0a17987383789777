import { type Layer, type Tensor, type ParameterScope } from '../graph.ts'
import { add, concat, mul, slice } from '../ops.ts'
import { sizeAt } from '../shapes.ts'
import { type AttentionOptions, selfAttention } from './attention.ts'
import { mlp } from './mlp.ts'
import { layerNorm } from './norm.ts'
import { patchTokens } from './tokens.ts'

export interface BlockConfig extends AttentionOptions {
  /** Width inside the MLP, four times the tokens' by default. */
  hidden?: number | undefined
  epsilon?: number | undefined
  activation?: ((x: Tensor) => Tensor) | undefined
  /** Whether each branch has a learned factor per channel, `ls1` and `ls2`. */
  layerScale?: boolean
}

export interface BlockBranches {
  /** The layers of the scopes `attn` and `mlp`; each keeps its input's shape. */
  attention: Layer
  mlp: Layer
  epsilon?: number | undefined
  /** Names of the learned factors per channel: `ls1.gamma` and `ls2.gamma`, or `gamma_1` and `gamma_2`; none by default. */
  layerScale?: 'ls' | 'gamma_' | undefined
}

/** Adds two branches to x [n, length, width], each behind a norm: `norm1` before `attn`, `norm2` before `mlp`. */
export const preNormBlock = (w: ParameterScope, x: Tensor, c: BlockBranches): Tensor => {
  const attended = addBranch(w, { name: 'attn', input: x, onto: x }, c)
  return addBranch(w, { name: 'mlp', input: attended, onto: attended }, c)
}

/** Applies a pre-norm block to the first token of x [n, length, width]; its attention sees all tokens and returns one. */
export function firstTokenBlock(w: ParameterScope, x: Tensor, c: BlockBranches): Tensor {
  const attended = addBranch(w, { name: 'attn', input: x, onto: slice(x, 1, [0, 1]) }, c)
  const first = addBranch(w, { name: 'mlp', input: attended, onto: attended }, c)
  return concat([first, patchTokens(x, 1)], 1)
}

/** Adds two branches to x, each with a norm behind it: `attn` before `norm1`, `mlp` before `norm2` (Liu et al. 2022). */
export function postNormBlock(
  w: ParameterScope,
  x: Tensor,
  { attention, mlp, epsilon }: Omit<BlockBranches, 'layerScale'>,
): Tensor {
  const y = add(x, layerNorm(w.at('norm1'), attention(w.at('attn'), x), epsilon))
  return add(y, layerNorm(w.at('norm2'), mlp(w.at('mlp'), y), epsilon))
}

function addBranch(
  w: ParameterScope,
  { name, input, onto }: { name: 'attn' | 'mlp'; input: Tensor; onto: Tensor },
  c: BlockBranches,
): Tensor {
  const [layer, place] = name === 'attn' ? [c.attention, 1] : [c.mlp, 2]
  const y = layer(w.at(name), layerNorm(w.at(`norm${place}`), input, c.epsilon))
  if (c.layerScale === undefined) return add(onto, y)
  const factor = c.layerScale === 'ls' ? `ls${place}.gamma` : `gamma_${place}`
  return add(onto, mul(y, w.get(factor, [sizeAt(y, -1)], 'scale')))
}

/** Applies the pre-norm block of vision transformers to x [n, length, width], with timm's names. */
export function transformerBlock(w: ParameterScope, x: Tensor, c: BlockConfig): Tensor {
  const hidden = c.hidden ?? 4 * sizeAt(x, -1)
  return preNormBlock(w, x, {
    attention: (scope, y) => selfAttention(scope, y, c),
    mlp: (scope, y) => mlp(scope, y, { hidden, activation: c.activation }),
    epsilon: c.epsilon,
    layerScale: c.layerScale ? 'ls' : undefined,
  })
}

/** Applies the blocks one after the other. */
export const transformer = (blocks: readonly ParameterScope[], x: Tensor, c: BlockConfig): Tensor =>
  blocks.reduce((y, block) => transformerBlock(block, y, c), x)
