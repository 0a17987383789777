import { type Tensor, type ParameterScope } from '../graph.ts'
import { add, mul } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { type Projection, selfAttention } from './attention.ts'
import { mlp } from './mlp.ts'
import { layerNorm } from './norm.ts'

export interface BlockConfig {
  heads: number
  /** Width inside the MLP, four times the tokens' by default. */
  hidden?: number
  epsilon?: number
  activation?: (x: Tensor) => Tensor
  project?: Projection
  /** Added to the attention scores [n, heads, length, length]. */
  mask?: Tensor
  /** Whether each branch has a learned factor per channel, `ls1` and `ls2`. */
  layerScale?: boolean
}

/** The pre-norm block of vision transformers over x [n, length, width], with timm's names. */
export function transformerBlock(w: ParameterScope, x: Tensor, c: BlockConfig): Tensor {
  const width = fixedSize(x.shape.at(-1), 'transformerBlock')
  const scaled = (name: string, y: Tensor): Tensor =>
    c.layerScale ? mul(y, w.at(name).get('gamma', [width], 'scale')) : y
  const attended = selfAttention(
    w.at('attn'),
    layerNorm(w.at('norm1'), x, c.epsilon),
    c.heads,
    c.mask,
    c.project,
  )
  const y = add(x, scaled('ls1', attended))
  const mixed = mlp(
    w.at('mlp'),
    layerNorm(w.at('norm2'), y, c.epsilon),
    c.hidden ?? 4 * width,
    c.activation,
  )
  return add(y, scaled('ls2', mixed))
}

/** The blocks of the scopes `name.0` … `name.(count-1)`, one after the other. */
export const transformer = (
  w: ParameterScope,
  name: string,
  count: number,
  x: Tensor,
  c: BlockConfig,
): Tensor => w.each(name, count).reduce((y, block) => transformerBlock(block, y, c), x)
