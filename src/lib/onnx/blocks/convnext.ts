import { type Tensor, type ParameterScope } from '../graph.ts'
import { add, globalAvgPool, flatten, mul, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { conv } from './linear.ts'
import { mlp } from './mlp.ts'
import { layerNorm, layerNorm2d } from './norm.ts'

export interface ConvNextConfig {
  depths: readonly number[]
  widths: readonly number[]
}

/** ConvNeXt (Liu et al. 2022) up to its classifier, with timm's names: image [n, 3, h, w] to [n, last width]. */
export function convNextTrunk(
  w: ParameterScope,
  image: Tensor,
  { depths, widths }: ConvNextConfig,
): Tensor {
  let x = patchStem(w.at('stem'), image, widths[0]!)
  for (const [i, stage] of w.each('stages', depths.length).entries()) {
    if (i > 0) x = downsample(stage.at('downsample'), x, widths[i]!)
    x = stage.each('blocks', depths[i]!).reduce((y, block) => convNextBlock(block, y, 7), x)
  }
  return layerNorm(w.at('head.norm'), flatten(globalAvgPool(x)))
}

/** Patches of 4 × 4 pixels, normalized: [n, 3, h, w] to [n, width, h / 4, w / 4]. */
export const patchStem = (w: ParameterScope, image: Tensor, width: number): Tensor =>
  layerNorm2d(w.at('1'), conv(w.at('0'), image, { out: width, kernel: 4, stride: 4, bias: true }))

/** [n, c, h, w] normalized, to [n, width, h / 2, w / 2]. */
export const downsample = (w: ParameterScope, x: Tensor, width: number): Tensor =>
  conv(w.at('1'), layerNorm2d(w.at('0'), x), { out: width, kernel: 2, stride: 2, bias: true })

/** A depthwise convolution, then a scaled two-layer network at every position, added to x. */
export function convNextBlock(w: ParameterScope, x: Tensor, kernel: number): Tensor {
  const width = fixedSize(x.shape[1], 'convNextBlock')
  const local = conv(w.at('conv_dw'), x, {
    out: width,
    kernel,
    groups: width,
    padding: (kernel - 1) / 2,
    bias: true,
  })
  return add(x, scaledMlp(w, transpose(local, [0, 2, 3, 1])))
}

/** x [n, h, w, width] normalized, through `mlp` and times `gamma`: [n, width, h, w]. */
export function scaledMlp(w: ParameterScope, x: Tensor): Tensor {
  const width = fixedSize(x.shape.at(-1), 'scaledMlp')
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm'), x), { hidden: 4 * width })
  return transpose(mul(mixed, w.get('gamma', [width], 'scale')), [0, 3, 1, 2])
}
