/** TResNet (Ridnik et al. 2020), as timm's tresnet.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { blurPool, convNorm, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { add, avgPool, leakyRelu, relu, reshape, transpose } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface TResNetConfig {
  depths: readonly number[]
  /** Channels of the first stage, doubled in each further one. */
  width: number
  /** Whether the first two stages have bottlenecks, as the last two always do. */
  bottlenecks?: boolean
}

const rows: Rows<TResNetConfig> = {
  tresnet_m: { depths: [3, 4, 11, 3], width: 64 },
  tresnet_l: { depths: [4, 5, 18, 3], width: 76 },
  tresnet_xl: { depths: [4, 5, 24, 3], width: 83 },
  tresnet_v2_l: { depths: [3, 4, 23, 3], width: 64, bottlenecks: true },
}

/** image [n, 3, h, w] with h, w multiples of 4 -> features [n, 32 · width], logits [n, classes] */
const tresnet: ClassifierBuilder<TResNetConfig> = (w, image, c) => {
  const body = w.at('body')
  const stem = { out: c.width, kernel: 3 }
  let x = leakyRelu(convNorm(body.at('conv1'), spaceToDepth(image, 4), stem), 1e-2)
  for (const [stage, depth] of c.depths.entries()) {
    const block = stage > 1 || c.bottlenecks ? bottleneck : basic
    for (const [i, scope] of body.each(`layer${stage + 1}`, depth).entries())
      x = block(scope, x, {
        width: c.width * 2 ** stage,
        stride: i === 0 && stage > 0 ? 2 : 1,
        gate: stage < 3,
      })
  }
  return pooledHead(w.at('head.fc'), x, c.classes)
}

/** Gathers squares of side² positions into channels, those of one position of the square together. */
function spaceToDepth(x: Tensor, side: number): Tensor {
  const [n, channels, height, width] = x.shape
  const [rows, columns] = [height, width].map(size => fixedSize(size, 'spaceToDepth') / side)
  const split = reshape(x, [n!, channels!, rows!, side, columns!, side])
  const depth = fixedSize(channels, 'spaceToDepth') * side * side
  return reshape(transpose(split, [0, 3, 5, 1, 2, 4]), [n!, depth, rows!, columns!])
}

interface TResNetBlock {
  width: number
  stride: number
  gate: boolean
}

const basic: Block<TResNetBlock> = (w, x, c) => {
  const layer = { out: c.width, kernel: 3 }
  const y = convNorm(w.at('conv2'), blurred(w.at('conv1'), x, c), layer)
  const weighed = gated(w.at('se'), y, { ...c, share: 1 / 4 })
  return relu(add(weighed, shortcut(w.at('downsample'), x, { out: c.width, stride: c.stride })))
}

const bottleneck: Block<TResNetBlock> = (w, x, c) => {
  const out = 4 * c.width
  const narrow = leakyRelu(convNorm(w.at('conv1'), x, { out: c.width }), 1e-3)
  const y = blurred(w.at('conv2'), narrow, c)
  const weighed = gated(w.at('se'), y, { ...c, share: 1 / 2 })
  const z = convNorm(w.at('conv3'), weighed, { out })
  return relu(add(z, shortcut(w.at('downsample'), x, { out, stride: c.stride })))
}

/** Scales channels by squeeze-and-excitation to a share of them, at least 64, in the blocks that have it. */
const gated: Block<{ gate: boolean; share: number }> = (w, x, c) => {
  if (!c.gate) return x
  return squeezeExcite(w, x, { inner: Math.max(Math.floor(channelsOf(x) * c.share), 64) })
}

/** A 3 × 3 convolution with norm and activation; a fixed blur subsamples behind it. */
const blurred: Block<TResNetBlock> = (w, x, { width, stride }) => {
  const y = leakyRelu(convNorm(w, x, { out: width, kernel: 3 }), 1e-3)
  return stride === 1 ? y : blurPool(y)
}

const shortcut: Block<{ out: number; stride: number }> = (w, x, { out, stride }) => {
  if (stride > 1) return convNorm(w.at(1), avgPool(x, 2, { stride, ceil: true }), { out })
  return x.shape[1] === out ? x : convNorm(w.at(0), x, { out })
}

export const tResNets = classifiers({ family: 'tresnet', rows, build: tresnet })
