/** Multiscale Vision Transformers V2 (Li et al. 2021), as timm's mvitv2.py computes them. */
import {
  type Block,
  sharedConstant,
  type Tensor,
  type ParameterScope,
} from '../../lib/onnx/graph.ts'
import { joinHeads, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { conv, depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  gather,
  matmul,
  maxPool,
  mean,
  mul,
  reshape,
  softmax,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize, needMultiple, product } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface MvitConfig {
  depths: readonly number[]
  /** Width and heads of the first stage, doubled by each stage. */
  width: number
  heads: number
  /** Whether tokens widen in the MLP of a stage's last block, not in the attention of the next stage's first. */
  late?: boolean
}

const slim = { width: 96, heads: 1 }

const rows: Rows<MvitConfig> = {
  mvitv2_tiny: { ...slim, depths: [1, 2, 5, 2] },
  mvitv2_small: { ...slim, depths: [1, 2, 11, 2] },
  mvitv2_base: { ...slim, depths: [2, 3, 16, 3] },
  mvitv2_large: { width: 144, heads: 2, depths: [2, 6, 36, 4], late: true },
}

/** How many rows and columns become one of the keys and values, for each stage. */
const keyStrides = [4, 2, 1, 1]

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const mvit: ClassifierBuilder<MvitConfig> = (w, image, c) => {
  needMultiple(image, 32)
  const embed = { out: c.width, kernel: 7, stride: 4, padding: 3, bias: true }
  let x = channelsLast(conv(w.at('patch_embed.proj'), image, embed))
  const last = c.depths.length - 1
  for (const [i, depth] of c.depths.entries()) {
    const [width, heads] = [c.width, c.heads].map(first => first * 2 ** i) as [number, number]
    for (const [j, block] of w.each(`stages.${i}.blocks`, depth).entries()) {
      const widens = c.late === true && i < last && j === depth - 1
      const stride = i > 0 && j === 0 ? 2 : 1
      const out = widens ? 2 * width : width
      x = mvitBlock(block, x, { width, heads, stride, keyStride: keyStrides[i]!, out })
    }
  }
  return linearHead(w.at('head.fc'), mean(layerNorm(w.at('norm'), x), [1, 2]), c.classes)
}

interface BlockSettings {
  /** Width of the attention. */
  width: number
  heads: number
  stride: number
  keyStride: number
  /** Width of the result. */
  out: number
}

/** Pooling attention and an MLP over a grid [n, h, w, width]; a shortcut that widens sees the normalized grid. */
const mvitBlock: Block<BlockSettings> = (w, x, c) => {
  const normal = layerNorm(w.at('norm1'), x)
  const wide = x.shape[3] === c.width ? x : linear(w.at('shortcut_proj_attn'), normal, c.width)
  const y = add(halved(wide, c.stride), poolingAttention(w.at('attn'), normal, c))
  const seen = layerNorm(w.at('norm2'), y)
  const kept = c.out === c.width ? y : linear(w.at('shortcut_proj_mlp'), seen, c.out)
  return add(kept, mlp(w.at('mlp'), seen, { hidden: 4 * c.width, out: c.out }))
}

function halved(x: Tensor, stride: number): Tensor {
  if (stride === 1) return x
  return channelsLast(maxPool(channelsFirst(x), 3, { stride, padding: 1 }))
}

/** Attention between convolved queries, keys and values, to whose result the queries are added. */
const poolingAttention: Block<BlockSettings> = (w, x, c) => {
  const { width, heads, stride, keyStride } = c
  const qkv = splitQkv(linear(w.at('qkv'), x, 3 * width))
  const [q, k, v] = (['q', 'k', 'v'] as const).map((name, i) =>
    pooled(w, qkv[i]!, { name, heads, stride: name === 'q' ? stride : keyStride }),
  ) as [Tensor, Tensor, Tensor]
  const [n, , rows, columns, headWidth] = q.shape
  const rowsOf = (part: Tensor): Tensor =>
    reshape(part, [n!, heads, product(part.shape.slice(2, 4)), headWidth!])
  const [queries, keys, values] = [rowsOf(q), rowsOf(k), rowsOf(v)]
  const scale = fixedSize(headWidth, 'mvit') ** -0.5
  const scores = matmul(mul(queries, scale), transpose(keys, [0, 1, 3, 2]))
  const weights = softmax(add(scores, relativePositions(w, q, k)))
  const mixed = joinHeads(add(matmul(weights, values), queries))
  return reshape(linear(w.at('proj'), mixed, width), [n!, rows!, columns!, width])
}

/** A grid [n, h, w, width] as heads [n, heads, h / stride, w / stride, head width], convolved and normalized. */
const pooled: Block<{ name: 'q' | 'k' | 'v'; heads: number; stride: number }> = (
  w,
  x,
  { name, heads, stride },
) => {
  const [n, rows, columns, width] = x.shape
  const out = fixedSize(width, 'mvit') / heads
  const apart = transpose(reshape(x, [n!, rows!, columns!, heads, out]), [0, 3, 4, 1, 2])
  const images = reshape(apart, [product([n!, heads]), out, rows!, columns!])
  const smaller = channelsLast(depthwiseConv(w.at(`pool_${name}`), images, { kernel: 3, stride }))
  const normal = layerNorm(w.at(`norm_${name}`), smaller)
  return reshape(normal, [n!, heads, ...normal.shape.slice(1)])
}

/** Returns an addend of the scores: products of queries with learned offsets between rows and between columns. */
const relativePositions: Block<Tensor> = (w, q, k) => {
  const [n, heads, rows, columns] = q.shape
  const [keyRows, keyColumns] = k.shape.slice(2, 4)
  const down = matmul(q, offsets(w, 'rel_pos_h', [rows!, keyRows!, q.shape[4]!]))
  const turned = transpose(q, [0, 1, 3, 2, 4])
  const right = matmul(turned, offsets(w, 'rel_pos_w', [columns!, keyColumns!, q.shape[4]!]))
  const both = add(
    reshape(down, [n!, heads!, rows!, columns!, keyRows!, 1]),
    reshape(transpose(right, [0, 1, 3, 2, 4]), [n!, heads!, rows!, columns!, 1, keyColumns!]),
  )
  return reshape(both, [n!, heads!, product([rows!, columns!]), product([keyRows!, keyColumns!])])
}

/** Returns the rows [q, width, k] of a table for each query and key along an axis, whose positions are scaled to the longer one. */
function offsets(w: ParameterScope, name: string, shape: Tensor['shape']): Tensor {
  const [queries, keys, width] = shape.map(size => fixedSize(size, 'mvit')) as [
    number,
    number,
    number,
  ]
  const [queryStep, keyStep] = [Math.max(keys / queries, 1), Math.max(queries / keys, 1)]
  const index = sharedConstant(w.graph, `offsets_${queries}_${keys}`, () => ({
    data: BigInt64Array.from({ length: queries * keys }, (_, i) => {
      const [query, key] = [Math.floor(i / keys), i % keys]
      return BigInt(Math.floor(query * queryStep + (keys - 1 - key) * keyStep))
    }),
    shape: [queries, keys],
  }))
  const table = w.get(name, [2 * Math.max(queries, keys) - 1, width])
  return transpose(gather(table, index), [0, 2, 1])
}

const names = { positions: [[/\.rel_pos_[hw]$/, 'axis offsets']] as const }

export const mvits = classifiers({ family: 'mvit', rows, build: mvit, names })
