/** ResNet (He et al. 2015), as timm's resnet.py computes it. */
import { type Tensor, type Weights } from '../../graph/graph.ts'
import { conv, linear } from '../../graph/blocks/linear.ts'
import { batchNorm } from '../../graph/blocks/norm.ts'
import { add, flatten, globalAvgPool, maxPool, relu } from '../../graph/ops.ts'
import { classifiers, type Outputs, type Rows } from './family.ts'

interface ResNetConfig {
  block: 'basic' | 'bottleneck'
  depths: readonly number[]
}

const rows: Rows<ResNetConfig> = {
  resnet18: { block: 'basic', depths: [2, 2, 2, 2] },
  resnet34: { block: 'basic', depths: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', depths: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', depths: [3, 8, 36, 3] },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
function resnet(w: Weights, image: Tensor, { block, depths }: ResNetConfig, classes: number): Outputs {
  let x = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), image, 64, 7, { stride: 2, padding: 3 })))
  x = maxPool(x, 3, { stride: 2, padding: 1 })
  for (const [stage, depth] of depths.entries()) {
    for (const [i, scope] of w.each(`layer${stage + 1}`, depth).entries()) {
      x = blocks[block](scope, x, 64 * 2 ** stage, i === 0 && stage > 0 ? 2 : 1)
    }
  }
  const features = flatten(globalAvgPool(x))
  return { features, logits: linear(w.at('fc'), features, classes) }
}

const blocks = { basic, bottleneck }

function basic(w: Weights, x: Tensor, width: number, stride: number): Tensor {
  const inner = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), x, width, 3, { stride, padding: 1 })))
  const outer = batchNorm(w.at('bn2'), conv(w.at('conv2'), inner, width, 3, { padding: 1 }))
  return relu(add(outer, shortcut(w, x, width, stride)))
}

function bottleneck(w: Weights, x: Tensor, width: number, stride: number): Tensor {
  let y = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), x, width, 1)))
  y = relu(batchNorm(w.at('bn2'), conv(w.at('conv2'), y, width, 3, { stride, padding: 1 })))
  y = batchNorm(w.at('bn3'), conv(w.at('conv3'), y, 4 * width, 1))
  return relu(add(y, shortcut(w, x, 4 * width, stride)))
}

function shortcut(w: Weights, x: Tensor, width: number, stride: number): Tensor {
  if (stride === 1 && x.shape[1] === width) return x
  return batchNorm(w.at('downsample.1'), conv(w.at('downsample.0'), x, width, 1, { stride }))
}

export const resnets = classifiers('resnet', rows, resnet)
