/** DenseNet (Huang et al. 2016), as timm's densenet.py computes it: a layer sees the results of all layers before it. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { blurPool } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { avgPool, concat, maxPool, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface DenseNetConfig {
  /** Channels that a layer adds. */
  growth: number
  /** Layers of each block. */
  depths: readonly number[]
  /** Three 3 × 3 convolutions as the stem, and a fixed blur in its pooling. */
  deepBlurredStem?: boolean
}

const rows: Rows<DenseNetConfig> = {
  densenet121: { growth: 32, depths: [6, 12, 24, 16] },
  densenetblur121d: { growth: 32, depths: [6, 12, 24, 16], deepBlurredStem: true },
  densenet161: { growth: 48, depths: [6, 12, 36, 24] },
  densenet169: { growth: 32, depths: [6, 12, 32, 32] },
  densenet201: { growth: 32, depths: [6, 12, 48, 32] },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const densenet: ClassifierBuilder<DenseNetConfig> = (w, image, c) => {
  const body = w.at('features')
  let x = stem(body, image, c)
  for (const [i, depth] of c.depths.entries()) {
    const block = body.at(`denseblock${i + 1}`)
    for (let layer = 1; layer <= depth; layer++)
      x = concat([x, denseLayer(block.at(`denselayer${layer}`), x, c.growth)], 1)
    if (i < c.depths.length - 1) x = transition(body.at(`transition${i + 1}`), x)
  }
  return pooledHead(w.at('classifier'), relu(batchNorm(body.at('norm5'), x)), c.classes)
}

const stem: Block<DenseNetConfig> = (w, image, { growth, deepBlurredStem }) => {
  const layer = (
    i: number,
    x: Tensor,
    c: { out: number; kernel: number; stride?: number },
  ): Tensor =>
    relu(
      batchNorm(w.at(`norm${i}`), conv(w.at(`conv${i}`), x, { ...c, padding: (c.kernel - 1) / 2 })),
    )
  if (!deepBlurredStem) {
    const x = layer(0, image, { out: 2 * growth, kernel: 7, stride: 2 })
    return maxPool(x, 3, { stride: 2, padding: 1 })
  }
  const x = layer(1, layer(0, image, { out: growth, kernel: 3, stride: 2 }), {
    out: growth,
    kernel: 3,
  })
  return blurPool(maxPool(layer(2, x, { out: 2 * growth, kernel: 3 }), 3, { padding: 1 }))
}

/** Returns the channels that a layer adds to x. */
const denseLayer: Block<number> = (w, x, growth) => {
  const y = conv(w.at('conv1'), relu(batchNorm(w.at('norm1'), x)), { out: 4 * growth })
  return conv(w.at('conv2'), relu(batchNorm(w.at('norm2'), y)), {
    out: growth,
    kernel: 3,
    padding: 1,
  })
}

/** Halves the channels and the size. */
const transition: Layer = (w, x) => {
  const out = Math.floor(channelsOf(x) / 2)
  return avgPool(conv(w.at('conv'), relu(batchNorm(w.at('norm'), x)), { out }), 2, { stride: 2 })
}

/** torchvision's older files have a dot before the number of a layer's parts. */
const names: NameTable = { rename: [[/(denselayer\d+\.(?:norm|conv))\.([12])\./, '$1$2.']] }

export const denseNets = classifiers({ family: 'densenet', rows, build: densenet, names })
