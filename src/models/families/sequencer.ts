/** Sequencer, LSTMs along rows and columns (Tatsunami and Taki 2022), as timm's sequencer.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { bidirectionalLstm } from '../../lib/onnx/blocks/lstm.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  concat,
  mean,
  reshape,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, product } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface SequencerConfig {
  depths: readonly [number, number, number, number]
}

const rows: Rows<SequencerConfig> = {
  sequencer2d_s: { depths: [4, 3, 8, 3] },
  sequencer2d_m: { depths: [4, 3, 14, 3] },
  sequencer2d_l: { depths: [8, 8, 16, 4] },
}

/** Sides of the patches that a stage begins with, and its width, four times the LSTMs'. */
const stages = [
  { patch: 7, width: 192 },
  { patch: 2, width: 384 },
  { patch: 1, width: 384 },
  { patch: 1, width: 384 },
]

/** image [n, 3, h, w] -> features [n, 384], logits [n, classes] */
const sequencer: ClassifierBuilder<SequencerConfig> = (w, image, c) => {
  let x = channelsLast(image)
  for (const [i, { patch, width }] of stages.entries()) {
    const stage = w.at(`stages.${i}`)
    const embed = i === 0 ? w.at('stem.proj') : stage.at('downsample.down')
    const patches = { out: width, kernel: patch, stride: patch, bias: true }
    x = channelsLast(conv(embed, channelsFirst(x), patches))
    for (const block of stage.each('blocks', c.depths[i]!)) x = sequencerBlock(block, x, width)
  }
  return linearHead(w.at('head.fc'), mean(layerNorm(w.at('norm'), x), [1, 2]), c.classes)
}

const sequencerBlock: Block<number> = (w, x, width) => {
  const layers = w.at('rnn_tokens')
  const normal = layerNorm(w.at('norm1'), x)
  const both = [
    alongAxis(layers.at('rnn_v'), normal, { axis: 1, hidden: width / 4 }),
    alongAxis(layers.at('rnn_h'), normal, { axis: 2, hidden: width / 4 }),
  ]
  const y = add(x, linear(layers.at('fc'), concat(both, 3), width))
  return add(y, mlp(w.at('mlp_channels'), layerNorm(w.at('norm2'), y), { hidden: 3 * width }))
}

/** An LSTM along rows (axis 2) or columns (axis 1) of x [n, h, w, width], both ways: [n, h, w, 2 · hidden]. */
const alongAxis: Block<{ axis: 1 | 2; hidden: number }> = (w, x, { axis, hidden }) => {
  const ahead = transpose(x, axis === 1 ? [1, 0, 2, 3] : [2, 0, 1, 3])
  const [length, n, lines, width] = ahead.shape
  const sequences = reshape(ahead, [length!, product([n!, lines!]), width!])
  const y = bidirectionalLstm(w, sequences, hidden)
  const grid = reshape(y, [fixedSize(length, 'sequencer'), n!, lines!, 2 * hidden])
  return transpose(grid, axis === 1 ? [1, 0, 2, 3] : [1, 2, 0, 3])
}

export const sequencers = classifiers({ family: 'sequencer', rows, build: sequencer })
