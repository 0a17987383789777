/** ConViT, attention that begins as a convolution (d'Ascoli et al. 2021), as timm's convit.py computes it. */
import { type Block, sharedConstant, type Tensor } from '../../lib/onnx/graph.ts'
import {
  joinHeads,
  selfAttention,
  splitHeads,
  unbiasedProjection,
} from '../../lib/onnx/blocks/attention.ts'
import { linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { embedTokens, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  div,
  halves,
  matmul,
  mul,
  neg,
  pick,
  reshape,
  sigmoid,
  softmax,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface ConvitConfig {
  heads: number
}

const rows: Rows<ConvitConfig> = {
  convit_tiny: { heads: 4 },
  convit_small: { heads: 9 },
  convit_base: { heads: 16 },
}

/** Channels of a head. */
const width = 48
const blocks = 12
/** The first blocks, whose attention is gated; the others see the class token too. */
const gatedBlocks = 10

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const convit: ClassifierBuilder<ConvitConfig> = (w, image, { heads, classes }) => {
  const dim = heads * width
  let x = embedTokens(w, image, { patch: 16, dim, prefix: [], positions: 'patches' })
  for (const [i, block] of w.each('blocks', blocks).entries()) {
    if (i === gatedBlocks) x = prependTokens(w.get('cls_token', [1, 1, dim]), x)
    x = preNormBlock(block, x, {
      attention: (scope, y) =>
        i < gatedBlocks
          ? gatedAttention(scope, y, heads)
          : selfAttention(scope, y, { heads, project: unbiasedProjection }),
      mlp: (scope, y) => mlp(scope, y, { hidden: 4 * dim }),
    })
  }
  return linearHead(w.at('head'), layerNorm(w.at('norm'), pick(x, 1, 0)), classes)
}

/** Attention whose weights are a mixture of two: by the tokens, and by their offsets in the grid. */
const gatedAttention: Block<number> = (w, x, heads) => {
  const dim = heads * width
  const [q, k] = halves(unbiasedLinear(w.at('qk'), x, 2 * dim))
  const keys = transpose(splitHeads(k, heads), [0, 1, 3, 2])
  const byToken = softmax(mul(matmul(splitHeads(q, heads), keys), width ** -0.5))
  const offsets = gridOffsets(x)
  const byPlace = softmax(transpose(linear(w.at('pos_proj'), offsets, heads), [2, 0, 1]))
  const gate = reshape(w.get('gating_param', [heads], 'scale'), [heads, 1, 1])
  const mixed = add(mul(byToken, sigmoid(neg(gate))), mul(byPlace, sigmoid(gate)))
  const weights = div(mixed, sum(mixed, [-1], true))
  const values = splitHeads(unbiasedLinear(w.at('v'), x, dim), heads)
  return linear(w.at('proj'), joinHeads(matmul(weights, values)), dim)
}

/** Offsets across and down and their squared length, for each pair of tokens of a square grid: [length, length, 3]. */
function gridOffsets(x: Tensor): Tensor {
  const length = sizeAt(x, 1)
  const side = Math.sqrt(length)
  return sharedConstant(x.graph, 'grid_offsets', () => {
    const pairs = Array.from({ length: length * length }, (_, i) => {
      const [from, to] = [Math.floor(i / length), i % length]
      const across = (to % side) - (from % side)
      const down = Math.floor(to / side) - Math.floor(from / side)
      return [across, down, across ** 2 + down ** 2]
    })
    return { data: Float32Array.from(pairs.flat()), shape: [length, length, 3] }
  })
}

export const convits = classifiers({ family: 'convit', rows, build: convit })
