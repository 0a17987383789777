import { type Tensor, type Weights } from '../graph.ts'
import { add, globalAvgPool, flatten, mul, transpose } from '../ops.ts'
import { fixed } from '../shapes.ts'
import { conv } from './linear.ts'
import { mlp } from './mlp.ts'
import { layerNorm, layerNorm2d } from './norm.ts'

export interface ConvNextConfig {
  depths: readonly number[]
  widths: readonly number[]
}

/** ConvNeXt (Liu et al. 2022) up to its classifier, with timm's names: image [n, 3, h, w] to [n, last width]. */
export function convNextTrunk(w: Weights, image: Tensor, { depths, widths }: ConvNextConfig): Tensor {
  let x = layerNorm2d(w.at('stem.1'), conv(w.at('stem.0'), image, widths[0]!, 4, { stride: 4, bias: true }))
  for (const [i, stage] of w.each('stages', depths.length).entries()) {
    if (i > 0) {
      const rested = layerNorm2d(stage.at('downsample.0'), x)
      x = conv(stage.at('downsample.1'), rested, widths[i]!, 2, { stride: 2, bias: true })
    }
    x = stage.each('blocks', depths[i]!).reduce((y, block) => convNextBlock(block, y), x)
  }
  return layerNorm(w.at('head.norm'), flatten(globalAvgPool(x)))
}

function convNextBlock(w: Weights, x: Tensor): Tensor {
  const width = fixed(x.shape[1], 'convNextBlock')
  const local = conv(w.at('conv_dw'), x, width, 7, { groups: width, padding: 3, bias: true })
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm'), transpose(local, [0, 2, 3, 1])), 4 * width)
  return add(x, transpose(mul(mixed, w.get('gamma', [width], 'scale')), [0, 3, 1, 2]))
}
