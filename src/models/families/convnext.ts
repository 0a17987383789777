/** ConvNeXt (Liu et al. 2022), as timm's convnext.py computes it. */
import { type Tensor, type Weights } from '../../graph/graph.ts'
import { conv, linear } from '../../graph/blocks/linear.ts'
import { mlp } from '../../graph/blocks/mlp.ts'
import { layerNorm, layerNorm2d } from '../../graph/blocks/norm.ts'
import { add, flatten, globalAvgPool, mul, transpose } from '../../graph/ops.ts'
import { classifiers, type Outputs, type Rows } from './family.ts'

export interface ConvNeXtConfig {
  depths: readonly [number, number, number, number]
  /** Channels of the first stage; every later one has twice as many. */
  width: number
}

export const convNeXtRows: Rows<ConvNeXtConfig> = {
  convnext_tiny: { depths: [3, 3, 9, 3], width: 96 },
  convnext_small: { depths: [3, 3, 27, 3], width: 96 },
  convnext_base: { depths: [3, 3, 27, 3], width: 128 },
  convnext_large: { depths: [3, 3, 27, 3], width: 192 },
}

/** image [n, 3, h, w] -> features [n, 8 · width], logits [n, classes] */
function convNeXt(w: Weights, image: Tensor, c: ConvNeXtConfig, classes: number): Outputs {
  const features = layerNorm(w.at('head.norm'), flatten(globalAvgPool(convNeXtTrunk(w, image, c))))
  return { features, logits: linear(w.at('head.fc'), features, classes) }
}

/** image [n, 3, h, w] -> [n, 8 · width, h / 32, w / 32], not yet normalized */
export function convNeXtTrunk(w: Weights, image: Tensor, { depths, width }: ConvNeXtConfig): Tensor {
  let x = layerNorm2d(w.at('stem.1'), conv(w.at('stem.0'), image, width, 4, { stride: 4, bias: true }))
  for (const [i, depth] of depths.entries()) {
    const stage = w.at(`stages.${i}`)
    const out = width * 2 ** i
    if (i > 0) x = downsample(stage.at('downsample'), x, out)
    for (const block of stage.each('blocks', depth)) x = convNeXtBlock(block, x, out, 7)
  }
  return x
}

/** Halves the size of normalized channels. */
export function downsample(w: Weights, x: Tensor, out: number): Tensor {
  return conv(w.at('1'), layerNorm2d(w.at('0'), x), out, 2, { stride: 2, bias: true })
}

/** A depthwise convolution, then a scaled two-layer network on every position. */
export function convNeXtBlock(w: Weights, x: Tensor, width: number, kernel: number): Tensor {
  const mixed = conv(w.at('conv_dw'), x, width, kernel, { groups: width, padding: (kernel - 1) / 2, bias: true })
  return add(x, scaledMlp(w, transpose(mixed, [0, 2, 3, 1]), width))
}

/** x [n, h, w, width] normalized, through `mlp` and times `gamma`: [n, width, h, w]. */
export function scaledMlp(w: Weights, x: Tensor, width: number): Tensor {
  const y = mlp(w.at('mlp'), layerNorm(w.at('norm'), x), 4 * width)
  return transpose(mul(y, w.get('gamma', [width], 'scale')), [0, 3, 1, 2])
}

export const convNeXts = classifiers('convnext', convNeXtRows, convNeXt)
