/** StarNet (Ma et al. 2024) as timm's starnet.py computes it: blocks that multiply two layers' results. */
import { type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm, depthwiseConvNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, clip, mul } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface StarNetConfig {
  /** Channels of the first stage, doubled in each that follows. */
  dim: number
  depths: readonly number[]
}

const rows: Rows<StarNetConfig> = {
  starnet_s1: { dim: 24, depths: [2, 2, 8, 3] },
  starnet_s2: { dim: 32, depths: [1, 2, 6, 2] },
  starnet_s3: { dim: 32, depths: [2, 2, 8, 4] },
  starnet_s4: { dim: 32, depths: [3, 3, 12, 5] },
}

/** image [n, 3, h, w] -> features [n, 8 · dim], logits [n, classes] */
const starNet: ClassifierBuilder<StarNetConfig> = (w, image, c) => {
  const halving = { kernel: 3, stride: 2, bias: true }
  let x = clip(convNorm(w.at('stem.0'), image, { out: 32, ...halving }), 0, 6)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    x = convNorm(stage.at(0), x, { out: c.dim * 2 ** i, ...halving })
    for (let block = 1; block <= c.depths[i]!; block++) x = starBlock(stage.at(block), x)
  }
  return pooledHead(w.at('head'), batchNorm(w.at('norm'), x), c.classes)
}

const starBlock: Layer = (w, x) => {
  const out = channelsOf(x)
  const window = { kernel: 7, bias: true }
  const y = depthwiseConvNorm(w.at('dwconv'), x, window)
  const wide = (name: string): Tensor => conv(w.at(name), y, { out: 4 * out, bias: true })
  const product = mul(clip(wide('f1.conv'), 0, 6), wide('f2.conv'))
  const narrow = convNorm(w.at('g'), product, { out, bias: true })
  return add(x, depthwiseConv(w.at('dwconv2.conv'), narrow, window))
}

export const starNets = classifiers({ family: 'starnet', rows, build: starNet })
