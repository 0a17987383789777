/** InceptionNeXt (Yu et al. 2023), as timm's inception_next.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { batchNorm, layerNorm, layerScale2d } from '../../lib/onnx/blocks/norm.ts'
import { add, concat, gelu, globalMean, split } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface InceptionNextConfig {
  width: number
  depths: readonly number[]
  /** The share of the channels that each of the three convolutions has, and the length of the two flat ones. */
  branch: { share: number; length: number }
}

const branch = { share: 1 / 8, length: 11 }

const rows: Rows<InceptionNextConfig> = {
  inception_next_atto: { width: 40, depths: [2, 2, 6, 2], branch: { share: 1 / 4, length: 9 } },
  inception_next_tiny: { width: 96, depths: [3, 3, 9, 3], branch },
  inception_next_small: { width: 96, depths: [3, 3, 27, 3], branch },
  inception_next_base: { width: 128, depths: [3, 3, 27, 3], branch },
}

/** image [n, 3, h, w] -> features [n, 3 · width of the last stage], logits [n, classes] */
const inceptionNext: ClassifierBuilder<InceptionNextConfig> = (w, image, c) => {
  const patches = { out: c.width, kernel: 4, stride: 4, bias: true }
  let x = batchNorm(w.at('stem.1'), conv(w.at('stem.0'), image, patches))
  for (const [i, stage] of w.each('stages', 4).entries()) {
    const out = c.width * 2 ** i
    if (i > 0) {
      const normal = batchNorm(stage.at('downsample.0'), x)
      x = conv(stage.at('downsample.1'), normal, { out, kernel: 2, stride: 2, bias: true })
    }
    const hidden = (i === 3 ? 3 : 4) * out
    for (const block of stage.each('blocks', c.depths[i]!)) {
      const local = inceptionConv(block.at('token_mixer'), x, c.branch)
      const mixed = convMlp(block.at('mlp'), batchNorm(block.at('norm'), local), { hidden })
      x = add(x, layerScale2d(block, mixed))
    }
  }
  const head = w.at('head')
  const pooled = globalMean(x)
  const hidden = gelu(linear(head.at('fc1'), pooled, 3 * channelsOf(pooled)))
  return linearHead(head.at('fc2'), layerNorm(head.at('norm'), hidden), c.classes)
}

/** Depthwise convolutions of three shapes, each over its share of the channels of [n, c, h, w]; the others stay. */
const inceptionConv: Block<InceptionNextConfig['branch']> = (w, x, { share, length }) => {
  const width = channelsOf(x)
  const out = Math.floor(width * share)
  const [rest, square, wide, tall] = split(x, [width - 3 * out, out, out, out], 1)
  const reach = (length - 1) / 2
  const layer = { out, groups: out, bias: true }
  return concat(
    [
      rest!,
      conv(w.at('dwconv_hw'), square!, { ...layer, kernel: 3, padding: 1 }),
      conv(w.at('dwconv_w'), wide!, {
        ...layer,
        kernel: [1, length],
        padding: [0, reach, 0, reach],
      }),
      conv(w.at('dwconv_h'), tall!, {
        ...layer,
        kernel: [length, 1],
        padding: [reach, 0, reach, 0],
      }),
    ],
    1,
  )
}

export const inceptionNexts = classifiers({ family: 'inception-next', rows, build: inceptionNext })
