/** DaViT (Ding et al. 2022), as timm's davit.py computes it: attention in windows and across channels in turns. */
import { type Block, type Layer } from '../../lib/onnx/graph.ts'
import {
  fusedProjection,
  joinHeads,
  selfAttention,
  splitHeads,
} from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { addConvPositions } from '../../lib/onnx/blocks/tokens.ts'
import { inWindows } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  matmul,
  mean,
  mul,
  reshape,
  softmax,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, product, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface DavitConfig {
  width: number
  /** Pairs of blocks in the third stage; the other stages have one. */
  depth: number
}

const rows: Rows<DavitConfig> = {
  davit_tiny: { width: 96, depth: 3 },
  davit_small: { width: 96, depth: 9 },
  davit_base: { width: 128, depth: 9 },
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const davit: ClassifierBuilder<DavitConfig> = (w, image, c) => {
  const stem = { out: c.width, kernel: 7, stride: 4 }
  const patches = filled(w.at('stem.conv'), image, { ...stem, padding: 3 })
  let x = layerNorm2d(w.at('stem.norm'), patches, epsilon)
  for (const [i, stage] of w.each('stages', 4).entries()) {
    const out = c.width * 2 ** i
    if (i > 0) {
      const normal = layerNorm2d(stage.at('downsample.norm'), x, epsilon)
      x = filled(stage.at('downsample.conv'), normal, { out, kernel: 2, stride: 2, padding: 0 })
    }
    let grid = channelsLast(x)
    const heads = out / 32
    for (const pair of stage.each('blocks', i === 2 ? c.depth : 1)) {
      grid = davitBlock(pair.at(0), grid, (scope, y) =>
        inWindows(y, 7, windows => selfAttention(scope, windows, { heads })),
      )
      grid = davitBlock(pair.at(1), grid, (scope, y) => channelAttention(scope, y, heads))
    }
    x = channelsFirst(grid)
  }
  const features = layerNorm(w.at('head.norm'), mean(x, [2, 3]), epsilon)
  return linearHead(w.at('head.fc'), features, c.classes)
}

interface FilledConv {
  out: number
  kernel: number
  stride: number
  padding: number
}

/** A convolution of an image that is made a multiple of the stride by zeros at the bottom and the right. */
const filled: Block<FilledConv> = (w, x, { padding, ...layer }) => {
  const missing = (axis: 2 | 3): number => {
    const size = sizeAt(x, axis)
    return Math.ceil(size / layer.stride) * layer.stride - size
  }
  const pads = [padding, padding, padding + missing(2), padding + missing(3)] as const
  return conv(w, x, { ...layer, padding: pads, bias: true })
}

/** Adds attention and an MLP, each behind convolutional positions, to a grid [n, h, w, width]. */
const davitBlock: Block<Layer> = (w, x, attention) => {
  const placed = addConvPositions(w.at('cpe1.proj'), x)
  const attended = attention(w.at('attn'), layerNorm(w.at('norm1'), placed, epsilon))
  const y = addConvPositions(w.at('cpe2.proj'), add(placed, attended))
  const hidden = 4 * sizeAt(x, 3)
  return add(y, mlp(w.at('mlp'), layerNorm(w.at('norm2'), y, epsilon), { hidden }))
}

/** Attention across the channels of each head of a grid [n, h, w, width]; the queries are what is mixed. */
const channelAttention: Block<number> = (w, x, heads) => {
  const [n, rows, columns, dim] = x.shape
  const width = fixedSize(dim, 'davit')
  const tokens = reshape(x, [n!, product([rows!, columns!]), width])
  const [q, k, v] = fusedProjection(w, tokens).map(part => splitHeads(part, heads))
  const scaled = mul(k!, (width / heads) ** -0.5)
  const weights = softmax(matmul(transpose(scaled, [0, 1, 3, 2]), v!))
  const mixed = joinHeads(matmul(q!, transpose(weights, [0, 1, 3, 2])))
  return reshape(linear(w.at('proj'), mixed, width), x.shape)
}

export const davits = classifiers({ family: 'davit', rows, build: davit })
