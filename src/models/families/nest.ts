/** Nested Transformers (Zhang et al. 2021), as timm's nest.py computes the weights of their authors, with SAME padding. */
import { type Block } from '../../lib/onnx/graph.ts'
import { attendHeads, fusedProjection, splitHeads } from '../../lib/onnx/blocks/attention.ts'
import { samePadding } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { mergeWindows, partitionWindows } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  maxPool,
  mean,
  reshape,
  transpose,
} from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface NestConfig {
  width: number
  /** Blocks of the last level; the others have two. */
  depth: number
}

const rows: Rows<NestConfig> = {
  nest_tiny_jx: { width: 96, depth: 8 },
  nest_small_jx: { width: 96, depth: 20 },
  nest_base_jx: { width: 128, depth: 20 },
}

/** image [n, 3, h, w] -> features [n, width of the last level], logits [n, classes] */
const nest: ClassifierBuilder<NestConfig> = (w, image, c) => {
  const patches = { out: c.width, kernel: 4, stride: 4, bias: true }
  let grid = channelsLast(conv(w.at('patch_embed.proj'), image, patches))
  const side = sizeAt(grid, 1) / 4
  for (const [i, level] of w.each('levels', 3).entries()) {
    const width = c.width * 2 ** i
    if (i > 0) grid = aggregate(level.at('pool'), grid, width)
    const windows = partitionWindows(grid, side)
    const perImage = [4 ** (2 - i), side * side, width]
    const placed = add(
      reshape(windows, [grid.shape[0]!, ...perImage]),
      level.get('pos_embed', [1, ...perImage]),
    )
    const x = level
      .each('transformer_encoder', i === 2 ? c.depth : 2)
      .reduce((y, block) => nestBlock(block, y, width), reshape(placed, windows.shape))
    grid = mergeWindows(x, side, grid.shape)
  }
  return linearHead(w.at('head'), mean(layerNorm(w.at('norm'), grid), [1, 2]), c.classes)
}

/** Halves a grid [n, h, w, width] by a convolution and the maxima of 3 × 3 places. */
const aggregate: Block<number> = (w, grid, out) => {
  const x = channelsFirst(grid)
  const mixed = conv(w.at('conv'), x, { out, kernel: 3, padding: 1, bias: true })
  const normal = layerNorm(w.at('norm'), channelsLast(mixed))
  const image = channelsFirst(normal)
  const padding = samePadding(image, { kernel: 3, stride: 2 })
  return channelsLast(maxPool(image, 3, { stride: 2, padding }))
}

const nestBlock: Block<number> = (w, x, width) =>
  preNormBlock(w, x, {
    attention: (scope, y) => {
      const [q, k, v] = fusedProjection(scope, y).map(part => splitHeads(part, width / 32))
      const attended = transpose(attendHeads([q!, k!, v!]), [0, 2, 3, 1])
      return linear(scope.at('proj'), reshape(attended, y.shape), width)
    },
    mlp: (scope, y) => mlp(scope, y, { hidden: 4 * width }),
  })

export const nests = classifiers({ family: 'nest', rows, build: nest })
