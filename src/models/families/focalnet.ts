/** Focal modulation networks (Yang et al. 2022), as timm's focalnet.py computes them. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { conv, depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { add, gelu, globalAvgPool, mul, slice, split } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface FocalNetConfig {
  width: number
  /** Blocks of the third stage; the others have two. */
  depth: number
  /** Levels of context beside the whole image. */
  levels: number
}

const rows: Rows<FocalNetConfig> = {
  focalnet_tiny_srf: { width: 96, depth: 6, levels: 2 },
  focalnet_tiny_lrf: { width: 96, depth: 6, levels: 3 },
  focalnet_small_srf: { width: 96, depth: 18, levels: 2 },
  focalnet_small_lrf: { width: 96, depth: 18, levels: 3 },
  focalnet_base_srf: { width: 128, depth: 18, levels: 2 },
  focalnet_base_lrf: { width: 128, depth: 18, levels: 3 },
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const focalNet: ClassifierBuilder<FocalNetConfig> = (w, image, c) => {
  let x = image
  for (const [i, stage] of w.each('layers', 4).entries()) {
    const [embed, side] = i === 0 ? [w.at('stem'), 4] : [stage.at('downsample'), 2]
    const patches = { out: c.width * 2 ** i, kernel: side, stride: side, bias: true }
    x = layerNorm2d(embed.at('norm'), conv(embed.at('proj'), x, patches), epsilon)
    for (const block of stage.each('blocks', i === 2 ? c.depth : 2)) {
      const normal = layerNorm2d(block.at('norm1'), x, epsilon)
      x = add(x, focalModulation(block.at('modulation'), normal, c.levels))
      const hidden = 4 * patches.out
      x = add(x, convMlp(block.at('mlp'), layerNorm2d(block.at('norm2'), x, epsilon), { hidden }))
    }
  }
  return pooledHead(w.at('head.fc'), layerNorm2d(w.at('norm'), x, epsilon), c.classes)
}

/** Multiplies a query at each place by contexts of growing reach, each weighed by a gate: [n, c, h, w] to its shape. */
const focalModulation: Block<number> = (w, x, levels) => {
  const out = channelsOf(x)
  const projected = conv(w.at('f'), x, { out: 2 * out + levels + 1, bias: true })
  const [query, first, gates] = split(projected, [out, out, levels + 1], 1)
  const gated = (context: Tensor, level: number): Tensor =>
    mul(context, slice(gates!, 1, [level, level + 1]))
  let context = first!
  const parts = w.each('focal_layers', levels).map((layer, level) => {
    context = gelu(depthwiseConv(layer.at(0), context, { kernel: 3 + 2 * level }))
    return gated(context, level)
  })
  const whole = gated(gelu(globalAvgPool(context)), levels)
  const modulator = conv(w.at('h'), [...parts, whole].reduce(add), { out, bias: true })
  return conv(w.at('proj'), mul(query!, modulator), { out, bias: true })
}

export const focalNets = classifiers({ family: 'focalnet', rows, build: focalNet })
