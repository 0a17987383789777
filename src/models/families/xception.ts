/**
 * Xception (Chollet 2016), as timm's xception.py computes it, and the aligned Xception of DeepLab (Chen et al. 2018), as
 * its xception_aligned.py does.
 */
import { type Block } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, maxPool, relu } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

/** Channels after each separable convolution of a block, and its stride. */
type XceptionBlock = readonly [widths: readonly number[], stride: number]

interface XceptionConfig {
  /** The first blocks; the last two are the same in all networks. */
  entry: readonly XceptionBlock[]
  /** Blocks of 728 channels between them. */
  middle: number
  epsilon: number
  /** Norms and activations before the convolutions. */
  normFirst?: boolean
}

const uniform = (width: number, stride: number): XceptionBlock => [[width, width, width], stride]
const entry = [uniform(128, 2), uniform(256, 2), uniform(728, 2)]
const longEntry = [
  uniform(128, 2),
  uniform(256, 1),
  uniform(256, 2),
  uniform(728, 1),
  uniform(728, 2),
]

const rows: Rows<XceptionConfig> = {
  xception41: { entry, middle: 8, epsilon: 1e-3 },
  xception65: { entry, middle: 16, epsilon: 1e-3 },
  xception71: { entry: longEntry, middle: 16, epsilon: 1e-3 },
  xception41p: { entry, middle: 8, epsilon: 1e-5, normFirst: true },
  xception65p: { entry, middle: 16, epsilon: 1e-3, normFirst: true },
}

/** image [n, 3, h, w] -> features [n, 2048], logits [n, classes] */
const xception: ClassifierBuilder<XceptionConfig> = (w, image, c) => {
  const { epsilon } = c
  const halved = relu(convNorm(w.at('stem.0'), image, { out: 32, kernel: 3, stride: 2, epsilon }))
  let x = c.normFirst
    ? conv(w.at('stem.1'), halved, { out: 64, kernel: 3, padding: 1 })
    : relu(convNorm(w.at('stem.1'), halved, { out: 64, kernel: 3, epsilon }))
  const blocks: XceptionBlock[] = [
    ...c.entry,
    ...Array<XceptionBlock>(c.middle).fill(uniform(728, 1)),
    [[728, 1024, 1024], 2],
    [[1536, 1536, 2048], 1],
  ]
  const build = c.normFirst ? normFirstBlock : alignedBlock
  for (const [i, [widths, stride]] of blocks.entries()) {
    const settings = { widths, stride, epsilon, last: i === blocks.length - 1 }
    x = build(w.at(`blocks.${i}`), x, settings)
  }
  return pooledHead(w.at('head.fc'), c.normFirst ? relu(x) : x, c.classes)
}

interface BlockSettings {
  widths: readonly number[]
  stride: number
  epsilon: number
  /** Whether this is the network's last block, which has no shortcut. */
  last: boolean
}

/** Three activations, each before a separable convolution with norms; the last block activates after each part. */
const alignedBlock: Block<BlockSettings> = (w, x, c) => {
  let y = x
  for (const [i, out] of c.widths.entries()) {
    const layer = w.at(`stack.conv${i + 1}`)
    const stride = i === 2 ? c.stride : 1
    y = depthwiseConv(layer.at('conv_dw'), c.last ? y : relu(y), { kernel: 3, stride })
    y = batchNorm(layer.at('bn_dw'), y, c.epsilon)
    y = conv(layer.at('conv_pw'), c.last ? relu(y) : y, { out })
    y = batchNorm(layer.at('bn_pw'), y, c.epsilon)
    if (c.last) y = relu(y)
  }
  if (c.last) return y
  const out = c.widths.at(-1)!
  if (c.stride === 1 && x.shape[1] === out) return add(y, x)
  const { stride, epsilon } = c
  return add(y, convNorm(w.at('shortcut'), x, { out, stride, epsilon }))
}

const normFirstBlock: Block<BlockSettings> = (w, x, c) => {
  const shortcut = relu(batchNorm(w.at('norm'), x, c.epsilon))
  let y = shortcut
  for (const [i, out] of c.widths.entries()) {
    const layer = w.at(`stack.conv${i + 1}`)
    if (i > 0) y = relu(batchNorm(layer.at('norm'), y, c.epsilon))
    y = depthwiseConv(layer.at('conv_dw'), y, { kernel: 3, stride: i === 2 ? c.stride : 1 })
    y = conv(layer.at('conv_pw'), y, { out })
  }
  if (c.last) return y
  const out = c.widths.at(-1)!
  if (c.stride === 1 && x.shape[1] === out) return add(y, shortcut)
  return add(y, conv(w.at('shortcut'), shortcut, { out, stride: c.stride }))
}

const legacyRows: Rows<{ blocks: readonly XceptionBlock[] }> = {
  legacy_xception: {
    blocks: [
      [[128, 128], 2],
      [[256, 256], 2],
      [[728, 728], 2],
      ...Array<XceptionBlock>(8).fill(uniform(728, 1)),
      [[728, 1024], 2],
    ],
  },
}

/** image [n, 3, h, w] -> features [n, 2048], logits [n, classes] */
const legacyXception: ClassifierBuilder<{ blocks: readonly XceptionBlock[] }> = (w, image, c) => {
  const stem = { kernel: 3, padding: 0 }
  let x = relu(convNorm(w, image, { ...stem, out: 32, stride: 2, names: ['conv1', 'bn1'] }))
  x = relu(convNorm(w, x, { ...stem, out: 64, names: ['conv2', 'bn2'] }))
  for (const [i, block] of c.blocks.entries())
    x = legacyBlock(w.at(`block${i + 1}`), x, { block, first: i === 0 })
  x = relu(batchNorm(w.at('bn3'), separable(w.at('conv3'), x, 1536)))
  x = relu(batchNorm(w.at('bn4'), separable(w.at('conv4'), x, 2048)))
  return pooledHead(w.at('fc'), x, c.classes)
}

const separable: Block<number> = (w, x, out) =>
  conv(w.at('pointwise'), depthwiseConv(w.at('conv1'), x, { kernel: 3 }), { out })

/** Separable convolutions with an activation before each, but for the network's first; a pooling subsamples. */
const legacyBlock: Block<{ block: XceptionBlock; first: boolean }> = (
  w,
  x,
  { block: [widths, stride], first },
) => {
  let y = x
  let layer = 0
  for (const [i, out] of widths.entries()) {
    if (i > 0 || !first) {
      y = relu(y)
      layer += 1
    }
    y = batchNorm(w.at(`rep.${layer + 1}`), separable(w.at(`rep.${layer}`), y, out))
    layer += 2
  }
  if (stride > 1) y = maxPool(y, 3, { stride, padding: 1 })
  const out = widths.at(-1)!
  if (stride === 1 && x.shape[1] === out) return add(y, x)
  return add(y, convNorm(w, x, { out, stride, names: ['skip', 'skipbn'] }))
}

export const xceptions = {
  ...classifiers({ family: 'xception', rows, build: xception }),
  ...classifiers({ family: 'xception', rows: legacyRows, build: legacyXception }),
}
