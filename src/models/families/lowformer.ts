/**
 * LowFormer (Nottebaum et al. 2024), as timm's lowformer.py computes it: fused inverted bottlenecks, and in the last two stages
 * attention at a lower resolution between two convolutions.
 */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { attendHeads, joinImageHeads, splitImageHeads } from '../../lib/onnx/blocks/attention.ts'
import { convNorm, depthwiseConvNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, transposedConv } from '../../lib/onnx/blocks/linear.ts'
import { groupNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, gelu, hardSwish, type Qkv, slice, split } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { invertedBlock, pooledHiddenLayer } from './efficientvit.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface LowFormerConfig {
  /** Channels of the stem and the four stages. */
  widths: readonly [number, number, number, number, number]
  /** Blocks of the stem and the four stages. */
  depths: readonly [number, number, number, number, number]
  /** Channels before and after the hidden layer of the classifier. */
  classifier: readonly [number, number]
  /** Factor of the channels inside the blocks of the stem. */
  stemExpand: number
  /** Factor of the channels inside the blocks that halve the size. */
  halvingExpand: number
  /** What a block of the last two stages has beside its convolutions. */
  mixers: 'both' | 'attention' | 'none'
}

const base = { classifier: [1536, 1600], stemExpand: 2, halvingExpand: 6, mixers: 'both' } as const
const b1 = { ...base, widths: [16, 32, 64, 128, 256] } as const
const b15 = { ...base, widths: [20, 40, 80, 160, 320], classifier: [2304, 2560] } as const
const b3 = { ...base, widths: [32, 64, 128, 256, 512], stemExpand: 4 } as const

const rows: Rows<LowFormerConfig> = {
  lowformer_b0: { ...b1, depths: [0, 1, 1, 3, 4], halvingExpand: 4 },
  lowformer_b1: { ...b1, depths: [0, 1, 1, 5, 5] },
  lowformer_b15: { ...b15, depths: [0, 1, 1, 6, 6] },
  lowformer_b3: { ...b3, depths: [1, 2, 3, 6, 6] },
  lowformer_e1: { ...b15, depths: [0, 1, 1, 4, 4], mixers: 'none' },
  lowformer_e2: { ...b3, depths: [1, 2, 3, 4, 4], mixers: 'none' },
  lowformer_e3: { ...b3, depths: [1, 2, 3, 6, 6], mixers: 'attention' },
}

const names = ['conv', 'norm'] as const
const block = { activation: hardSwish, epsilon: 1e-5, fused: true, stride: 1 }

/** image [n, 3, h, w] -> features [n, hidden layer of the classifier], logits [n, classes] */
const lowFormer: ClassifierBuilder<LowFormerConfig> = (w, image, c) => {
  const [width, ...widths] = c.widths
  let x = hardSwish(convNorm(w.at('stem.0'), image, { out: width, kernel: 3, stride: 2, names }))
  const stem = { ...block, out: width, expand: c.stemExpand }
  for (let i = 1; i <= c.depths[0]; i++)
    x = add(x, invertedBlock(w.at('stem').at(i).at('main'), x, stem))
  for (const [i, out] of widths.entries()) {
    const stage = w.at('stages').at(i)
    const halving = { ...block, out, stride: 2, expand: c.halvingExpand }
    x = invertedBlock(stage.at('0.main'), x, halving)
    const rest = c.depths[i + 1]! - (i < 2 ? 1 : 0)
    for (let j = 1; j <= rest; j++)
      x =
        i < 2
          ? add(x, invertedBlock(stage.at(j).at('main'), x, { ...block, out, expand: 4 }))
          : lowFormerBlock(stage.at(j), x, { ...c, stride: i === 2 ? 2 : 1 })
  }
  const hidden = [w.at('in_conv'), w.at('pre_classifier.0'), w.at('pre_classifier.1')] as const
  const features = pooledHiddenLayer(hidden, x, { ...block, classifier: c.classifier })
  return linearHead(w.at('classifier'), features, c.classes)
}

type MixerSettings = Pick<LowFormerConfig, 'mixers'> & { stride: number }

const lowFormerBlock: Block<MixerSettings> = (w, x, c) => {
  const width = channelsOf(x)
  const scope = w.at('attn.main')
  let y = x
  if (c.mixers === 'attention') y = add(y, lowAttention(scope, y, c))
  if (c.mixers === 'both') {
    y = add(y, lowAttention(scope.at(1), groupNorm(scope.at(0), y, { groups: 1 }), c))
    const normal = groupNorm(w.at('mlp.main.0'), y, { groups: 1 })
    const inner = gelu(conv(w.at('mlp.main.1'), normal, { out: 4 * width, bias: true }))
    y = add(y, conv(w.at('mlp.main.3'), inner, { out: width, bias: true }))
  }
  const fused = width < 256
  const local = { ...block, out: width, expand: 4, fused, bias: true, fewNorms: !fused }
  return add(y, invertedBlock(w.at('local.main'), y, local))
}

/** Attends between positions of [n, c, h, w] that a depthwise convolution thins out and a transposed one brings back. */
const lowAttention: Block<MixerSettings> = (w, x, { stride }) => {
  const width = channelsOf(x)
  const heads = Math.max(1, Math.floor(width / 2 / 30))
  const headWidth = Math.floor(Math.floor(width / heads) / 2)
  const window = { kernel: stride === 1 ? 3 : 5, stride, names }
  const thinned = depthwiseConvNorm(w.at('conv_proj'), x, window)
  const packed = conv(w.at('pwise'), thinned, { out: 3 * heads * headWidth })
  const qkv = split(splitImageHeads(packed, heads), [headWidth, headWidth, headWidth], -1)
  const mixed = joinImageHeads(attendHeads(qkv as unknown as Qkv), thinned.shape.slice(2))
  const kernel = stride === 1 ? 3 : 2 * stride
  const upsampled = transposedConv(w.at('upsampling'), mixed, {
    out: width,
    kernel,
    stride,
    padding: stride === 1 ? 1 : stride / 2,
  })
  return x.shape.slice(2).reduce<Tensor>((y, size, i) => {
    const wanted = fixedSize(size, 'lowAttention')
    return y.shape[2 + i] === wanted ? y : slice(y, 2 + i, [0, wanted])
  }, upsampled)
}

export const lowFormers = classifiers({ family: 'lowformer', rows, build: lowFormer })
