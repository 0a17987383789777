/** Visformer, convolutions first and attention later (Chen et al. 2021), as timm's visformer.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { attend, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { add, gelu, relu } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface VisformerConfig {
  stem: number
  /** Width of the second stage. */
  width: number
  heads: number
}

const rows: Rows<VisformerConfig> = {
  visformer_tiny: { stem: 16, width: 192, heads: 3 },
  visformer_small: { stem: 32, width: 384, heads: 6 },
}

const depths = [7, 4, 4]

/** image [n, 3, h, w] -> features [n, 2 · width], logits [n, classes] */
const visformer: ClassifierBuilder<VisformerConfig> = (w, image, c) => {
  const window = { out: c.stem, kernel: 7, stride: 2 }
  let x = relu(convNorm(w.at('stem'), image, { ...window, names: ['0', '1'] }))
  for (const [i, depth] of depths.entries()) {
    x = embed(w, x, { place: i + 1, out: (c.width / 2) * 2 ** i })
    for (const block of w.each(`stage${i + 1}`, depth)) {
      if (i > 0) x = add(x, attention(block.at('attn'), batchNorm(block.at('norm1'), x), c.heads))
      x = add(x, convolutionalMlp(block.at('mlp'), batchNorm(block.at('norm2'), x), i === 0))
    }
  }
  return pooledHead(w.at('head'), batchNorm(w.at('norm'), x), c.classes)
}

/** Patches of 4 × 4 places (of the stem) or 2 × 2, normalized, with positions. */
const embed: Block<{ place: number; out: number }> = (w, x, { place, out }) => {
  const layers = w.at(`patch_embed${place}`)
  const kernel = place === 1 ? 4 : 2
  const patches = conv(layers.at('proj'), x, { out, kernel, stride: kernel, bias: true })
  const size = patches.shape.slice(2).map(length => fixedSize(length, 'visformer'))
  return add(batchNorm(layers.at('norm'), patches), w.get(`pos_embed${place}`, [1, out, ...size]))
}

const attention: Block<number> = (w, x, heads) => {
  const out = channelsOf(x)
  const qkv = splitQkv(toTokens(conv(w.at('qkv'), x, { out: 3 * out })))
  return conv(w.at('proj'), toImage(attend(qkv, { heads }), x.shape.slice(2)), { out })
}

/** Two 1 × 1 convolutions; `spatial` has a 3 × 3 convolution in 8 groups between them. */
const convolutionalMlp: Block<boolean> = (w, x, spatial) => {
  const width = channelsOf(x)
  const inner = (spatial ? 2 : 4) * width
  let y = gelu(conv(w.at('conv1'), x, { out: inner }))
  if (spatial) y = gelu(conv(w.at('conv2'), y, { out: inner, kernel: 3, padding: 1, groups: 8 }))
  return conv(w.at('conv3'), y, { out: width })
}

export const visformers = classifiers({ family: 'visformer', rows, build: visformer })
