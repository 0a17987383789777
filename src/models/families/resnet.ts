/**
 * ResNet (He et al. 2015), as timm's resnet.py computes it, and the anti-aliased ResNet (Zhang 2019), as the package
 * antialiased_cnns computes it: where it subsamples, it blurs first.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, conv2d, flatten, globalAvgPool, maxPool, pad2d, relu } from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface ResNetConfig {
  block: 'basic' | 'bottleneck'
  depths: readonly number[]
  blur?: boolean
}

interface ResNetBlock {
  width: number
  stride: number
  blur?: boolean | undefined
}

const rows: ArchitectureRows<ResNetConfig> = {
  resnet18: { block: 'basic', depths: [2, 2, 2, 2] },
  resnet34: { block: 'basic', depths: [3, 4, 6, 3] },
  resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3] },
  resnet101: { block: 'bottleneck', depths: [3, 4, 23, 3] },
  resnet152: { block: 'bottleneck', depths: [3, 8, 36, 3] },
  antialiased_resnet18: { block: 'basic', depths: [2, 2, 2, 2], blur: true },
  antialiased_resnet34: { block: 'basic', depths: [3, 4, 6, 3], blur: true },
  antialiased_resnet50: { block: 'bottleneck', depths: [3, 4, 6, 3], blur: true },
  antialiased_resnet101: { block: 'bottleneck', depths: [3, 4, 23, 3], blur: true },
}

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const resnet: ClassifierBuilder<ResNetConfig> = (w, image, c) => {
  let x = relu(
    batchNorm(
      w.at('bn1'),
      conv(w.at('conv1'), image, { out: 64, kernel: 7, stride: 2, padding: 3 }),
    ),
  )
  x = c.blur ? blurred(w.at('maxpool.1'), maxPool(x, 2)) : maxPool(x, 3, { stride: 2, padding: 1 })
  for (const [stage, depth] of c.depths.entries()) {
    for (const [i, scope] of w.each(`layer${stage + 1}`, depth).entries()) {
      const stride = i === 0 && stage > 0 ? 2 : 1
      x = blocks[c.block](scope, x, { width: 64 * 2 ** stage, stride, blur: c.blur })
    }
  }
  const features = flatten(globalAvgPool(x))
  return { features, logits: linear(w.at('fc'), features, c.classes) }
}

const blocks = { basic: basicBlock, bottleneck: bottleneckBlock }

export function basicBlock(
  w: ParameterScope,
  x: Tensor,
  { width, stride, blur }: ResNetBlock,
): Tensor {
  const step = blur ? 1 : stride
  const inner = relu(
    batchNorm(
      w.at('bn1'),
      conv(w.at('conv1'), x, { out: width, kernel: 3, stride: step, padding: 1 }),
    ),
  )
  const outer = batchNorm(
    w.at('bn2'),
    afterBlur(w.at('conv2'), inner, { out: width, kernel: 3, step: stride / step }),
  )
  return relu(add(outer, shortcut(w.at('downsample'), x, { width, stride, blur })))
}

export function bottleneckBlock(
  w: ParameterScope,
  x: Tensor,
  { width, stride, blur }: ResNetBlock,
): Tensor {
  const step = blur ? 1 : stride
  let y = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), x, { out: width })))
  y = relu(
    batchNorm(
      w.at('bn2'),
      conv(w.at('conv2'), y, { out: width, kernel: 3, stride: step, padding: 1 }),
    ),
  )
  y = batchNorm(
    w.at('bn3'),
    afterBlur(w.at('conv3'), y, { out: 4 * width, kernel: 1, step: stride / step }),
  )
  return relu(add(y, shortcut(w.at('downsample'), x, { width: 4 * width, stride, blur })))
}

function shortcut(w: ParameterScope, x: Tensor, { width, stride, blur }: ResNetBlock): Tensor {
  if (stride === 1 && x.shape[1] === width) return x
  if (blur && stride > 1)
    return batchNorm(w.at('2'), conv(w.at('1'), blurred(w.at('0'), x), { out: width }))
  return batchNorm(w.at('1'), conv(w.at('0'), x, { out: width, stride }))
}

/** A convolution, behind a blur that halves the size if `step` is 2. */
function afterBlur(
  w: ParameterScope,
  x: Tensor,
  { out, kernel, step }: { out: number; kernel: number; step: number },
): Tensor {
  const padding = (kernel - 1) / 2
  return step === 1
    ? conv(w, x, { out, kernel, padding })
    : conv(w.at('1'), blurred(w.at('0'), x), { out, kernel, padding })
}

/** Every second value of x under the checkpoint's fixed 4 × 4 kernel, borders reflected. */
function blurred(w: ParameterScope, x: Tensor): Tensor {
  const width = fixedSize(x.shape[1], 'blurred')
  return conv2d(
    pad2d(x, [1, 1, 2, 2], 'reflect'),
    { weight: w.get('filt', [width, 1, 4, 4], 'fixed') },
    {
      stride: 2,
      groups: width,
    },
  )
}

export const resnets = classifiers({ family: 'resnet', rows, build: resnet })
