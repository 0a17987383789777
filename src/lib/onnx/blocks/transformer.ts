import { type Tensor, type ParameterScope } from '../graph.ts'
import { add, mul } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { type AttentionOptions, selfAttention } from './attention.ts'
import { mlp } from './mlp.ts'
import { layerNorm } from './norm.ts'

export interface BlockConfig extends AttentionOptions {
  /** Width inside the MLP, four times the tokens' by default. */
  hidden?: number
  epsilon?: number
  activation?: (x: Tensor) => Tensor
  /** Whether each branch has a learned factor per channel, `ls1` and `ls2`. */
  layerScale?: boolean
}

/** The pre-norm block of vision transformers over x [n, length, width], with timm's names. */
export function transformerBlock(w: ParameterScope, x: Tensor, c: BlockConfig): Tensor {
  const width = fixedSize(x.shape.at(-1), 'transformerBlock')
  const scaled = (name: string, y: Tensor): Tensor =>
    c.layerScale ? mul(y, w.at(name).get('gamma', [width], 'scale')) : y
  const attended = selfAttention(w.at('attn'), layerNorm(w.at('norm1'), x, c.epsilon), c)
  const y = add(x, scaled('ls1', attended))
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm2'), y, c.epsilon), {
    hidden: c.hidden ?? 4 * width,
    activation: c.activation,
  })
  return add(y, scaled('ls2', mixed))
}

/** Applies the blocks one after the other. */
export const transformer = (blocks: readonly ParameterScope[], x: Tensor, c: BlockConfig): Tensor =>
  blocks.reduce((y, block) => transformerBlock(block, y, c), x)
