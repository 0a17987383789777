/** StarNet (Ma et al. 2024) as timm's starnet.py computes it: blocks that multiply two layers' results. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, clip, flatten, globalAvgPool, mul } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface StarNetConfig {
  /** Channels of the first stage, doubled in each that follows. */
  dim: number
  depths: readonly number[]
}

const rows: ArchitectureRows<StarNetConfig> = {
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
  const features = flatten(globalAvgPool(batchNorm(w.at('norm'), x)))
  return { features, logits: linear(w.at('head'), features, c.classes) }
}

function starBlock(w: ParameterScope, x: Tensor): Tensor {
  const out = fixedSize(x.shape[1], 'starnet')
  const window = { out, kernel: 7, groups: out, bias: true }
  const y = convNorm(w.at('dwconv'), x, window)
  const wide = (name: string): Tensor => conv(w.at(name), y, { out: 4 * out, bias: true })
  const product = mul(clip(wide('f1.conv'), 0, 6), wide('f2.conv'))
  const narrow = convNorm(w.at('g'), product, { out, bias: true })
  return add(x, conv(w.at('dwconv2.conv'), narrow, { ...window, padding: 3 }))
}

export const starNets = classifiers({ family: 'starnet', rows, build: starNet })
