/** Global context vision transformers (Hatamizadeh et al. 2022), as timm's gcvit.py computes them. */
import { type Block, type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { joinHeads, selfAttention, splitHeads } from '../../lib/onnx/blocks/attention.ts'
import { divisibleWidth, squeezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { inWindows, windowBias } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  gelu,
  halves,
  matmul,
  maxPool,
  mean,
  mul,
  reshape,
  softmax,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, volumeAt, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface GcVitConfig {
  width: number
  depths: readonly number[]
  /** Heads of the first stage, doubled by each stage. */
  heads: number
  /** Width inside the MLPs as a multiple of the tokens'. */
  expand: number
  layerScale?: boolean
}

const slim = { width: 64, heads: 2, expand: 3 }
const tiny = { ...slim, depths: [3, 4, 19, 5] }
const scaled = { depths: [3, 4, 19, 5], expand: 2, layerScale: true }

const rows: Rows<GcVitConfig> = {
  gcvit_xxtiny: { ...slim, depths: [2, 2, 6, 2] },
  gcvit_xtiny: { ...slim, depths: [3, 4, 6, 5] },
  gcvit_tiny: tiny,
  gcvit_small: { ...scaled, width: 96, heads: 3 },
  gcvit_base: { ...scaled, width: 128, heads: 4 },
}

const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const gcVit: ClassifierBuilder<GcVitConfig> = (w, image, c) => {
  const size = sizeAt(image, 2)
  const halve = { out: c.width, kernel: 3, stride: 2, padding: 1, bias: true }
  let x = downsample(w.at('stem.down'), conv(w.at('stem.conv1'), image, halve), c.width)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const [width, heads] = [c.width * 2 ** i, c.heads * 2 ** i]
    if (i > 0) x = downsample(stage.at('downsample'), x, width)
    const side = size / (i === 2 ? 16 : 32)
    const query = globalQuery(stage.at('global_block.blocks'), x, side)
    let grid = channelsLast(x)
    for (const [j, block] of stage.each('blocks', c.depths[i]!).entries())
      grid = preNormBlock(block, grid, {
        attention: (scope, y) =>
          windowAttention(scope, y, { side, heads, query: j % 2 === 1 ? query : undefined }),
        mlp: (scope, y) => mlp(scope, y, { hidden: c.expand * width }),
        layerScale: c.layerScale ? 'ls' : undefined,
        epsilon,
      })
    if (i === c.depths.length - 1) grid = layerNorm(stage.at('norm'), grid, epsilon)
    x = channelsFirst(grid)
  }
  return linearHead(w.at('head.fc'), mean(x, [2, 3]), c.classes)
}

/** Halves [n, c, h, w] between two norms. */
const downsample: Block<number> = (w, x, out) => {
  const mixed = convBlock(w.at('conv_block'), layerNorm2d(w.at('norm1'), x, epsilon))
  const smaller = conv(w.at('reduction'), mixed, { out, kernel: 3, stride: 2, padding: 1 })
  return layerNorm2d(w.at('norm2'), smaller, epsilon)
}

/** A depthwise convolution with squeeze-and-excitation, added to [n, c, h, w]. */
const convBlock: Layer = (w, x) => {
  const out = channelsOf(x)
  const local = gelu(depthwiseConv(w.at('conv_dw'), x, { kernel: 3 }))
  const gate = { inner: divisibleWidth(out / 4), activation: gelu, bias: false }
  return add(x, conv(w.at('conv_pw'), squeezeExcite(w.at('se'), local, gate), { out }))
}

/** Returns the queries [n, side², width] that all windows share: x [n, width, h, w] made as small as a window. */
const globalQuery: Block<number> = (w, x, side) => {
  const halvings = Math.log2(sizeAt(x, 2) / side)
  let y = x
  for (let i = 1; i <= Math.max(1, halvings); i++) {
    y = convBlock(w.at(`conv${i}`), y)
    if (i <= halvings) y = maxPool(y, 3, { stride: 2, padding: 1 })
  }
  const [n, width] = y.shape
  return reshape(channelsLast(y), [n!, side * side, width!])
}

interface WindowSettings {
  side: number
  heads: number
  /** The queries of every window; by default a window's own tokens ask. */
  query: Tensor | undefined
}

const windowAttention: Block<WindowSettings> = (w, x, c) => {
  const { side, heads, query } = c
  const table = w.get('rel_pos.relative_position_bias_table', [(2 * side - 1) ** 2, heads])
  const mask = windowBias(table, side)
  return inWindows(x, side, windows =>
    query === undefined
      ? selfAttention(w, windows, { heads, mask })
      : globalAttention(w, windows, { heads, mask, query }),
  )
}

/** Attention of an image's queries [n, side², width] to its windows [n · count, side², width]: to the windows' shape. */
const globalAttention: Block<{ heads: number; mask: Tensor; query: Tensor }> = (
  w,
  windows,
  { heads, mask, query },
) => {
  const [n, length, dim] = query.shape
  const width = fixedSize(dim, 'gcvit')
  const headWidth = width / heads
  const count = volumeAt(windows.shape, 1) / volumeAt(query.shape, 1)
  const perWindow = [n!, count, heads, length!, headWidth]
  const [k, v] = halves(linear(w.at('qkv'), windows, 2 * width)).map(part =>
    reshape(splitHeads(part, heads), perWindow),
  )
  const q = reshape(splitHeads(mul(query, headWidth ** -0.5), heads), perWindow.with(1, 1))
  const scores = matmul(q, transpose(k!, [0, 1, 2, 4, 3]))
  const mixed = matmul(softmax(add(scores, mask)), v!)
  const joined = joinHeads(reshape(mixed, [windows.shape[0]!, heads, length!, headWidth]))
  return linear(w.at('proj'), joined, width)
}

export const gcVits = classifiers({ family: 'gcvit', rows, build: gcVit })
