/** VoVNetV2 (Lee and Park 2019), as timm's vovnet.py computes it: blocks that join the outputs of all their layers once. */
import { type Block } from '../../lib/onnx/graph.ts'
import { convNorm, effectiveSqueezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { add, concat, maxPool, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface VoVNetConfig {
  /** Blocks of the stages, and layers of a block. */
  depths: readonly [number, number, number, number]
  layers: number
  /** Whether 3 × 3 convolutions are depthwise with a pointwise one behind them. */
  depthwise?: boolean | undefined
}

const rows: Rows<VoVNetConfig> = {
  ese_vovnet19b_dw: { depths: [1, 1, 1, 1], layers: 3, depthwise: true },
  ese_vovnet39b: { depths: [1, 1, 2, 2], layers: 5 },
  ese_vovnet57b: { depths: [1, 1, 4, 3], layers: 5 },
}

/** image [n, 3, h, w] -> features [n, 1024], logits [n, classes] */
const voVNet: ClassifierBuilder<VoVNetConfig> = (w, image, c) => {
  const { depthwise } = c
  let x = relu(convNorm(w.at('stem.0'), image, { out: 64, kernel: 3, stride: 2 }))
  x = layer(w.at('stem.1'), x, { out: 64, stride: 1, depthwise })
  x = layer(w.at('stem.2'), x, { out: depthwise ? 64 : 128, stride: 2, depthwise })
  for (const [i, depth] of c.depths.entries()) {
    if (i > 0) x = maxPool(x, 3, { stride: 2, ceil: true })
    const widths = { inner: [128, 160, 192, 224][i]!, out: [256, 512, 768, 1024][i]! }
    for (const [j, scope] of w.each(`stages.${i}.blocks`, depth).entries()) {
      const joined = block(scope, x, { ...c, ...widths })
      const y = j < depth - 1 ? joined : effectiveSqueezeExcite(scope.at('attn.fc'), joined)
      x = j > 0 ? add(y, x) : y
    }
  }
  return pooledHead(w.at('head.fc'), x, c.classes)
}

interface LayerSettings extends Pick<VoVNetConfig, 'depthwise'> {
  out: number
  stride: number
}

/** A 3 × 3 convolution with its norm and activation. */
const layer: Block<LayerSettings> = (w, x, c) => {
  const { out, stride } = c
  if (!c.depthwise) return relu(convNorm(w, x, { out, kernel: 3, stride }))
  const y = depthwiseConv(w.at('conv_dw'), x, { kernel: 3, stride })
  return relu(convNorm(w, y, { out, names: ['conv_pw', 'bn'] }))
}

const block: Block<VoVNetConfig & { inner: number; out: number }> = (w, x, c) => {
  const { inner, depthwise } = c
  const outputs = [x]
  let y = x
  if (depthwise && x.shape[1] !== inner)
    y = relu(convNorm(w.at('conv_reduction'), x, { out: inner }))
  for (const scope of w.each('conv_mid', c.layers)) {
    y = layer(scope, y, { out: inner, stride: 1, depthwise })
    outputs.push(y)
  }
  return relu(convNorm(w.at('conv_concat'), concat(outputs, 1), { out: c.out }))
}

export const voVNets = classifiers({ family: 'vovnet', rows, build: voVNet })
