/** EdgeNeXt (Maaz et al. 2022), as timm's edgenext.py computes it: ConvNeXt blocks and attention across channels. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNextBlock, downsample, patchStem, scaledMlp } from '../../lib/onnx/blocks/convnext.ts'
import { crossCovariance, fourierPositions } from '../../lib/onnx/blocks/crossCovariance.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { toTokens } from '../../lib/onnx/blocks/tokens.ts'
import { add, channelsLast, concat, globalMean, mul, reshape, split } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface EdgeNeXtConfig {
  depths: readonly [number, number, number, number]
  widths: readonly [number, number, number, number]
  heads: number
  /** Overlapping patches as the stem, stages that begin with a depthwise stride, and convolutions without bias. */
  overlapping?: boolean
}

const rows: Rows<EdgeNeXtConfig> = {
  edgenext_xx_small: { depths: [2, 2, 6, 2], widths: [24, 48, 88, 168], heads: 4 },
  edgenext_x_small: { depths: [3, 3, 9, 3], widths: [32, 64, 100, 192], heads: 4 },
  edgenext_small: { depths: [3, 3, 9, 3], widths: [48, 96, 160, 304], heads: 8 },
  edgenext_small_rw: {
    depths: [3, 3, 9, 3],
    widths: [48, 96, 192, 384],
    heads: 8,
    overlapping: true,
  },
  edgenext_base: { depths: [3, 3, 9, 3], widths: [80, 160, 288, 584], heads: 8 },
}

/** The differences between stages; the last block of a stage with `scales` attends across channels. */
const stages = [
  { kernel: 3, scales: 0, positions: false },
  { kernel: 5, scales: 2, positions: true },
  { kernel: 7, scales: 3, positions: false },
  { kernel: 9, scales: 4, positions: false },
]

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const edgeNeXt: ClassifierBuilder<EdgeNeXtConfig> = (w, image, c) => {
  let x = c.overlapping
    ? overlappingStem(w.at('stem'), image, c)
    : patchStem(w.at('stem'), image, c)
  for (const [i, { kernel, scales, positions }] of stages.entries()) {
    const stage = w.at(`stages.${i}`)
    const width = c.widths[i]!
    if (i > 0 && !c.overlapping) x = downsample(stage.at('downsample'), x, { width })
    for (const [j, block] of stage.each('blocks', c.depths[i]!).entries()) {
      const attends = scales > 0 && j === c.depths[i]! - 1
      if (attends) x = attentionBlock(block, x, { ...c, scales, positions })
      else if (c.overlapping) x = unbiasedBlock(block, x, { kernel, width })
      else x = convNextBlock(block, x, { kernel })
    }
  }
  const features = layerNorm(w.at('head.norm'), globalMean(x))
  return linearHead(w.at('head.fc'), features, c.classes)
}

const overlappingStem: Block<EdgeNeXtConfig> = (w, image, c) =>
  layerNorm2d(w.at(1), conv(w.at(0), image, { out: c.widths[0], kernel: 9, stride: 4, padding: 4 }))

/** A ConvNeXt block without bias; one that widens also subsamples, and adds to its convolution's result. */
const unbiasedBlock: Block<{ kernel: number; width: number }> = (w, x, { kernel, width: out }) => {
  const groups = channelsOf(x)
  const [stride, padding] = [groups === out ? 1 : 2, (kernel - 1) / 2]
  const local = conv(w.at('conv_dw'), x, { out, kernel, stride, groups, padding })
  return add(stride === 1 ? x : local, scaledMlp(w, channelsLast(local)))
}

type AttentionSettings = Pick<EdgeNeXtConfig, 'heads' | 'overlapping'> & {
  scales: number
  positions: boolean
}

const attentionBlock: Block<AttentionSettings> = (w, x, settings) => {
  const { scales, positions, heads, overlapping = false } = settings
  const [n, c, height, across] = x.shape
  const width = fixedSize(c, 'attentionBlock')
  let tokens = toTokens(multiScale(w, x, { scales, bias: !overlapping }))
  if (positions) tokens = add(tokens, fourierPositions(w.at('pos_embd'), x))
  const attended = crossCovariance(w.at('xca'), layerNorm(w.at('norm_xca'), tokens), heads)
  tokens = add(tokens, mul(w.get('gamma_xca', [width], 'scale'), attended))
  return add(x, scaledMlp(w, reshape(tokens, [n!, height!, across!, width])))
}

/** Convolves channel groups in a row, each together with the previous result; the last group stays as it is. */
const multiScale: Block<{ scales: number; bias: boolean }> = (w, x, { scales, bias }) => {
  const width = channelsOf(x)
  const size = Math.ceil(width / scales)
  const sizes = Array.from({ length: scales }, (_, i) => Math.min(size, width - i * size))
  const parts = split(x, sizes, 1)
  const mixed: Tensor[] = []
  for (const [i, part] of parts.slice(0, -1).entries()) {
    const sum = i === 0 ? part : add(mixed[i - 1]!, part)
    mixed.push(
      conv(w.at(`convs.${i}`), sum, { out: size, kernel: 3, groups: size, padding: 1, bias }),
    )
  }
  return concat([...mixed, parts.at(-1)!], 1)
}

export const edgeNeXts = classifiers({ family: 'edgenext', rows, build: edgeNeXt })
