/**
 * CSATv2 (a convolutional network with spatial attention over cosine coefficients), as timm's csatv2.py computes it. The stem
 * takes the discrete cosine transform of 8 × 8 pixels in each channel of YCbCr, as JPEG does.
 */
import { type Block, type Layer, constant, integers, type Tensor } from '../../lib/onnx/graph.ts'
import { readTsv } from '../../lib/archive/tsv.ts'
import { attend, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { adaptiveAvgPool } from '../../lib/onnx/blocks/convNorm.ts'
import { globalResponseNorm } from '../../lib/onnx/blocks/convnext.ts'
import { conv, depthwiseConv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { addConvPositions, toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  concat,
  conv2d,
  div,
  flatten,
  gather,
  gelu,
  globalAvgPool,
  matmul,
  max,
  mean,
  mul,
  pick,
  reshape,
  resize,
  split,
  sub,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { imagenetMean, imagenetStd } from '../../lib/pixels/steps.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface CsatV2Config {
  widths: readonly number[]
  /** Convolutional blocks of each stage. */
  depths: readonly number[]
  /** Transformer blocks that follow them. */
  transformers: readonly number[]
}

const rows: Rows<CsatV2Config> = {
  csatv2: { widths: [32, 72, 168, 386], depths: [2, 2, 6, 4], transformers: [0, 0, 2, 2] },
  csatv2_21m: { widths: [48, 96, 224, 448], depths: [3, 3, 6, 5], transformers: [0, 0, 4, 3] },
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const csatV2: ClassifierBuilder<CsatV2Config> = (w, image, c) => {
  let x = frequencyStem(w.at('stem_dct'), image, c.widths[0]!)
  for (const [i, width] of c.widths.entries()) {
    const stage = w.at('stages').at(i)
    let at = 0
    if (i > 0) x = conv(stage.at(at++), x, { out: width, kernel: 2, stride: 2, bias: true })
    for (let j = 0; j < c.depths[i]!; j++) x = gatedBlock(stage.at(at++), x)
    for (let j = 0; j < c.transformers[i]!; j++) x = transformerBlock(stage.at(at++), x)
    if (i < c.widths.length - 1) x = layerNorm2d(stage.at(at), x)
  }
  const features = flatten(layerNorm2d(w.at('head.norm'), globalAvgPool(x)))
  return linearHead(w.at('head.fc'), features, c.classes)
}

/** Side of the squares whose cosine coefficients are taken. */
const side = 8

const channels = ['Y', 'Cb', 'Cr'] as const

/** Means and variances of the coefficients over ImageNet, in zigzag order. */
const coefficients = readTsv<`${'mean' | 'variance'}${(typeof channels)[number]}`>(
  new URL('./csatv2.tsv', import.meta.url),
)
const coefficientsOf = (statistic: 'mean' | 'variance'): number[] =>
  channels.flatMap(channel => coefficients.map(row => Number(row[`${statistic}${channel}`])))

/** Normalized image [n, 3, h, w] to [n, out, h / 8, w / 8]: three quarters of the channels see Y, an eighth Cb and Cr each. */
const frequencyStem: Block<number> = (w, image, out) => {
  const { graph } = image
  const [n, , height, width] = image.shape
  const [down, across] = [
    fixedSize(height, 'frequencyStem') / side,
    fixedSize(width, 'frequencyStem') / side,
  ]
  const squares = reshape(toYCbCr(image), [n!, 3, down, side, across, side])
  const pixels = reshape(transpose(squares, [0, 1, 2, 4, 3, 5]), [
    n!,
    3,
    down * across,
    side * side,
  ])
  const basis = transpose(w.at('transform.transform').get('weights', [side, side], 'fixed'), [1, 0])
  const product = mul(reshape(basis, [side, 1, side, 1]), reshape(basis, [1, side, 1, side]))
  const both = gather(reshape(product, [side * side, side * side]), integers(graph, zigzag), 1)
  const means = constant(graph, Float32Array.from(coefficientsOf('mean')), [3, 1, side * side])
  const deviations = Float32Array.from(coefficientsOf('variance'), value => Math.sqrt(value) + 1e-8)
  const spread = constant(graph, deviations, [3, 1, side * side])
  const normal = div(sub(matmul(pixels, both), means), spread)
  const widths = [out * 0.75, out / 8, out / 8]
  const layers = ['conv_y', 'conv_cb', 'conv_cr'].map((name, i) => {
    const tokens = pick(normal, 1, i)
    return conv(w.at(name), toImage(tokens, [down, across]), { out: widths[i]!, bias: true })
  })
  return concat(layers, 1)
}

/** Positions of an 8 × 8 square in the order of its diagonals, as JPEG runs through them. */
const zigzag = Array.from({ length: side * side }, (_, i) => i).sort((a, b) => {
  const [rowA, rowB] = [Math.floor(a / side), Math.floor(b / side)]
  const [sumA, sumB] = [rowA + (a % side), rowB + (b % side)]
  return sumA - sumB || (sumA % 2 === 0 ? rowB - rowA : rowA - rowB)
})

/** Returns Y, Cb and Cr in 0 … 255 of an image that is normalized by ImageNet's means and deviations. */
function toYCbCr(image: Tensor): Tensor {
  const luma = [0.299, 0.587, 0.114] as const
  const difference = (factor: number, channel: number): number[] =>
    luma.map((share, i) => factor * ((i === channel ? 1 : 0) - share))
  const mixes = [[...luma], difference(0.564, 2), difference(0.713, 0)]
  const weight = mixes.flatMap(mix => mix.map((share, i) => share * 255 * imagenetStd[i]!))
  const bias = mixes.map(
    (mix, k) =>
      (k === 0 ? 0 : 128) +
      mix.reduce((total, share, i) => total + share * 255 * imagenetMean[i]!, 0),
  )
  return conv2d(image, {
    weight: constant(image.graph, Float32Array.from(weight), [3, 3, 1, 1]),
    bias: constant(image.graph, Float32Array.from(bias), [3]),
  })
}

/** A ConvNeXt V2 block whose result is scaled at every position. */
const gatedBlock: Layer = (w, x) => {
  const width = channelsOf(x)
  const local = channelsLast(depthwiseConv(w.at('dwconv'), x, { kernel: 7, bias: true }))
  const inner = gelu(linear(w.at('pwconv1'), layerNorm(w.at('norm'), local), 4 * width))
  const mixed = globalResponseNorm(w.at('grn'), inner, { spatial: [1, 2], at: 3 })
  const y = channelsFirst(linear(w.at('pwconv2'), mixed, width))
  const size = [y.shape[0]!, 1, ...y.shape.slice(2)]
  const gate = resize(spatialGate(w.at('attn'), y), size, {
    mode: 'linear',
    coordinates: 'align_corners',
  })
  return add(x, mul(y, gate))
}

/** Returns a factor for each of 7 × 7 parts of an image: [n, 1, 7, 7]. */
const spatialGate: Layer = (w, x) => {
  const extremes = concat([mean(x, [1], true), max(x, [1], true)], 1)
  const pooled = adaptiveAvgPool(extremes, 7)
  const scores = conv(w.at('conv'), pooled, { out: 1, kernel: 7, padding: 3, bias: true })
  const layers = w.at('attn')
  // Every norm has one channel, so that it gives its bias whatever it sees: all images have equal values, which attention keeps.
  const places = positioned(layers, layerNorm(layers.at('norm1'), toTokens(scores), 1e-5), [7, 7])
  const [, , values] = split(unbiasedLinear(layers.at('qkv'), places, 3), [1, 1, 1], -1)
  const y = add(scores, toImage(values!, [7, 7]))
  const tokens = layerNorm(layers.at('norm2'), toTokens(y), 1e-5)
  return add(y, toImage(mlp(layers.at('mlp'), tokens, { hidden: 4 }), [7, 7]))
}

/** Adds convolutional positions to tokens [n, rows · columns, width]. */
const positioned: Block<readonly [number, number]> = (w, tokens, size) => {
  const [n, , width] = tokens.shape
  const grid = reshape(tokens, [n!, ...size, width!])
  return reshape(addConvPositions(w.at('pos_embed.proj'), grid), tokens.shape)
}

const heads = 8
const headWidth = 32

const transformerBlock: Layer = (w, x) => {
  const width = channelsOf(x)
  const size = x.shape.slice(2).map(dim => fixedSize(dim, 'transformerBlock')) as [number, number]
  const tokens = positioned(w, layerNorm(w.at('norm1'), toTokens(x), 1e-5), size)
  const qkv = splitQkv(unbiasedLinear(w.at('attn.qkv'), tokens, 3 * heads * headWidth))
  const attended = linear(w.at('attn.proj'), attend(qkv, { heads }), width)
  const y = add(toTokens(x), attended)
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm2'), y, 1e-5), { hidden: 4 * width })
  return toImage(add(y, mixed), size)
}

export const csatV2s = classifiers({ family: 'csatv2', rows, build: csatV2 })
