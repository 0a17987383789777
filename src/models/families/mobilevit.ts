/**
 * MobileViT (Mehta and Rastegari 2021) and MobileViT V2 (2022) as timm's mobilevit.py computes them: networks of
 * byobnet.py whose last stages end in a transformer over the pixels that have one place in their patches of 2 × 2.
 */
import { type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { groupNorm, layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import {
  add,
  concat,
  mul,
  relu,
  reshape,
  resize,
  type ResizeOptions,
  silu,
  softmax,
  split,
  sum,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, product } from '../../lib/onnx/shapes.ts'
import { bottleneck, type ByobBlock, type ByobBlocks, byobLayer } from './byobBlocks.ts'
import { byobNet, type ByobNetConfig, singleStem } from './byobnet.ts'
import { type Rows, classifiers } from './family.ts'

/** x [n, c, h, w] resized to even sides, or to `sides`. */
function resized(
  x: Tensor,
  coordinates: NonNullable<ResizeOptions['coordinates']>,
  sides = x.shape.slice(2).map(side => 2 * Math.ceil(fixedSize(side, 'mobilevit') / 2)),
): Tensor {
  const shape = [...x.shape.slice(0, 2), ...sides]
  return String(shape) === String(x.shape) ? x : resize(x, shape, { mode: 'linear', coordinates })
}

/** x [n, c, h, w] as [n, c, h / 2, 2, w / 2, 2]. */
const inPatches = (x: Tensor): Tensor => {
  const [n, channels, ...sides] = x.shape
  const [rows, columns] = sides.map(side => fixedSize(side, 'inPatches') / 2)
  return reshape(x, [n!, channels!, rows!, 2, columns!, 2])
}

interface TransformerSize {
  dim: number
  depth: number
}

/** MobileViT's block: attention between the pixels at one place of all patches, fused with the input. */
const attentionBlock =
  ({ dim, depth }: TransformerSize): ByobBlock =>
  (w, x, c) => {
    const width = channelsOf(x)
    let y = byobLayer(w.at('conv_kxk'), x, { net: c, out: width, kernel: 3 })
    y = resized(conv(w.at('conv_1x1'), y, { out: dim }), 'half_pixel')
    const patches = transpose(inPatches(y), [0, 3, 5, 2, 4, 1])
    const [n, , , rows, columns] = patches.shape
    const tokens = reshape(patches, [product([n!, 4]), product([rows!, columns!]), dim])
    const settings = { heads: 4, hidden: 2 * dim, epsilon: 1e-5, activation: silu }
    const mixed = transformer(w.each('transformer', depth), tokens, settings)
    const normal = reshape(layerNorm(w.at('norm'), mixed, 1e-5), patches.shape)
    const image = reshape(transpose(normal, [0, 5, 3, 1, 4, 2]), y.shape)
    const back = resized(image, 'half_pixel', x.shape.slice(2).map(Number))
    const projected = byobLayer(w.at('conv_proj'), back, { net: c, out: c.width })
    const both = concat([x, projected], 1)
    return byobLayer(w.at('conv_fusion'), both, { net: c, out: c.width, kernel: 3 })
  }

/** The pre-norm block of MobileViT V2 over [n, c, pixels of a patch, patches], whose attention is linear in the patches. */
const linearBlock: Layer = (w, x) => {
  const width = channelsOf(x)
  const layers = w.at('attn')
  const normal = groupNorm(w.at('norm1'), x, { groups: 1 })
  const qkv = conv(layers.at('qkv_proj'), normal, { out: 1 + 2 * width, bias: true })
  const [query, key, value] = split(qkv, [1, width, width], 1)
  const context = sum(mul(key!, softmax(query!)), [-1], true)
  const mixed = mul(relu(value!), context)
  const y = add(x, conv(layers.at('out_proj'), mixed, { out: width, bias: true }))
  const settings = { hidden: 2 * width, activation: silu }
  return add(y, convMlp(w.at('mlp'), groupNorm(w.at('norm2'), y, { groups: 1 }), settings))
}

const linearAttentionBlock =
  (depth: number): ByobBlock =>
  (w, input, c) => {
    const x = resized(input, 'align_corners')
    const out = channelsOf(x)
    const y = byobLayer(w.at('conv_kxk'), x, { net: c, out, kernel: 3, groups: out })
    const patches = inPatches(
      conv(w.at('conv_1x1'), y, { out: divisibleWidth(out / 2, { limit: 0.9 }) }),
    )
    const apart = transpose(patches, [0, 1, 3, 5, 2, 4])
    const [n, width, , , rows, columns] = apart.shape
    const tokens = reshape(apart, [n!, width!, 4, product([rows!, columns!])])
    const mixed = w.each('transformer', depth).reduce((z, scope) => linearBlock(scope, z), tokens)
    const normal = reshape(groupNorm(w.at('norm'), mixed, { groups: 1 }), apart.shape)
    const image = reshape(transpose(normal, [0, 1, 4, 2, 5, 3]), [n!, width!, ...x.shape.slice(2)])
    return byobLayer(w.at('conv_proj'), image, { net: c, out: c.width, linear: true })
  }

const inverted = (
  width: number,
  c: { depth?: number; stride?: number; ratio: number },
): ByobBlocks => ({ block: bottleneck, width, groupWidth: 1, inverted: true, ...c })

const common = { activation: silu, shortcut: 'none' } as const

/** Widths of the stages and of their transformers, and by what the inner layers are wider. */
const first = (
  widths: readonly number[],
  dims: readonly number[],
  { ratio, head }: { ratio: number; head: number },
): ByobNetConfig => ({
  ...common,
  stem: singleStem(16),
  head,
  stages: widths.map((width, stage) => {
    if (stage === 0) return [inverted(width, { stride: 1, ratio })]
    if (stage === 1) return [inverted(width, { depth: 3, ratio })]
    const size = { dim: dims[stage - 2]!, depth: [2, 4, 3][stage - 2]! }
    return [inverted(width, { ratio }), { block: attentionBlock(size), width }]
  }),
})

const second = (factor: number): ByobNetConfig => ({
  ...common,
  stem: singleStem(32 * factor),
  stages: [64, 128, 256, 384, 512].map((full, stage) => {
    const width = Math.floor(full * factor)
    if (stage === 0) return [inverted(width, { stride: 1, ratio: 2 })]
    if (stage === 1) return [inverted(width, { depth: 2, ratio: 2 })]
    const block = linearAttentionBlock([2, 4, 3][stage - 2]!)
    return [inverted(width, { ratio: 2 }), { block, width }]
  }),
})

const rows: Rows<ByobNetConfig> = {
  mobilevit_xxs: first([16, 24, 48, 64, 80], [64, 80, 96], { ratio: 2, head: 320 }),
  mobilevit_xs: first([32, 48, 64, 80, 96], [96, 120, 144], { ratio: 4, head: 384 }),
  mobilevit_s: first([32, 64, 96, 128, 160], [144, 192, 240], { ratio: 4, head: 640 }),
  mobilevitv2_050: second(0.5),
  mobilevitv2_075: second(0.75),
  mobilevitv2_100: second(1),
  mobilevitv2_125: second(1.25),
  mobilevitv2_150: second(1.5),
  mobilevitv2_175: second(1.75),
  mobilevitv2_200: second(2),
}

export const mobileViTs = classifiers({ family: 'mobilevit', rows, build: byobNet })
