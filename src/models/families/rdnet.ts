/** RDNet (Kim et al. 2024), a DenseNet of ConvNeXt's blocks, as timm's rdnet.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { effectiveSqueezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { patchStem } from '../../lib/onnx/blocks/convnext.ts'
import { conv, depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { channelValues, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { concat, flatten, gelu, globalAvgPool, mul } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface RdNetConfig {
  stem: number
  /** Channels that each block of a stage adds; the first two stages have no gates. */
  growth: readonly number[]
  /** The stages before which the size is halved. */
  halved: readonly number[]
}

const middle = (growth: number, count: number): number[] => Array<number>(count).fill(growth)

const rows: Rows<RdNetConfig> = {
  rdnet_tiny: { stem: 64, growth: [64, 104, ...middle(128, 4), 224], halved: [1, 2, 6] },
  rdnet_small: { stem: 72, growth: [64, 128, ...middle(128, 7), 240, 240], halved: [1, 2, 9] },
  rdnet_base: { stem: 120, growth: [96, 128, ...middle(168, 7), 336, 336], halved: [1, 2, 9] },
  rdnet_large: { stem: 144, growth: [128, 192, ...middle(256, 8), 360, 360], halved: [1, 2, 10] },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const rdNet: ClassifierBuilder<RdNetConfig> = (w, image, c) => {
  let x = patchStem(w.at('stem'), image, { widths: [c.stem] })
  for (const [i, stage] of w.each('dense_stages', c.growth.length).entries()) {
    const side = c.halved.includes(i) ? 2 : 1
    const out = Math.floor(channelsOf(x) / 16) * 8
    if (i > 0) {
      const transition = { out, kernel: side, stride: side, bias: true }
      x = conv(stage.at(1), layerNorm2d(stage.at(0), x), transition)
    }
    const blocks = stage.at(i > 0 ? 2 : 0)
    for (let block = 0; block < 3; block++) {
      const scope = blocks.at(`dense_block${block}`)
      x = concat([x, denseBlock(scope, x, { growth: c.growth[i]!, gated: i > 1 })], 1)
    }
  }
  const features = flatten(layerNorm2d(w.at('head.norm'), globalAvgPool(x)))
  return linearHead(w.at('head.fc'), features, c.classes)
}

/** Returns the channels that a block adds to x. */
const denseBlock: Block<{ growth: number; gated: boolean }> = (w, x, { growth, gated }) => {
  const width = channelsOf(x)
  const layers = w.at('layers.layers')
  const local = depthwiseConv(layers.at(0), x, { kernel: 7, bias: true })
  const normal = layerNorm2d(layers.at(1), local)
  const hidden = Math.floor((width * 4) / 8) * 8
  const inner = gelu(conv(layers.at(2), normal, { out: hidden, bias: true }))
  const y = conv(layers.at(4), inner, { out: growth, bias: true })
  const made = gated ? effectiveSqueezeExcite(layers.at('5.fc'), y) : y
  return mul(made, channelValues(w, 'gamma', { width: growth }))
}

export const rdNets = classifiers({ family: 'rdnet', rows, build: rdNet })
