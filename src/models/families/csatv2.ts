/**
 * CSATv2 (a convolutional network with spatial attention over cosine coefficients), as timm's csatv2.py computes it. The stem
 * takes the discrete cosine transform of 8 × 8 pixels in each channel of YCbCr, as JPEG does.
 */
import { constant, integers, type ParameterScope, type Tensor } from '../../lib/onnx/graph.ts'
import { attend, splitQkv } from '../../lib/onnx/blocks/attention.ts'
import { adaptiveAvgPool } from '../../lib/onnx/blocks/convNorm.ts'
import { globalResponseNorm } from '../../lib/onnx/blocks/convnext.ts'
import { conv, depthwiseConv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import { addConvPositions, flattenToTokens, tokensToImage } from '../../lib/onnx/blocks/tokens.ts'
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
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface CsatV2Config {
  widths: readonly number[]
  /** Convolutional blocks of each stage. */
  depths: readonly number[]
  /** Transformer blocks that follow them. */
  transformers: readonly number[]
}

const rows: ArchitectureRows<CsatV2Config> = {
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
  return { features, logits: linear(w.at('head.fc'), features, c.classes) }
}

/** Side of the squares whose cosine coefficients are taken. */
const side = 8

/** Means of the coefficients of Y, Cb and Cr over ImageNet, in zigzag order (timm's csatv2.py). */
const coefficientMeans = [
  [
    932.42657, -0.0026, 0.33415, -0.0284, 3e-5, -0.02792, -0.00183, 6e-5, 0.00032, 0.03402,
    -0.00571, 0.0002, 6e-5, -0.00038, -0.00558, -0.00116, 0, -0.00047, -8e-5, -0.0003, 0.00942,
    0.00161, -9e-5, -6e-5, -0.00014, -0.00035, 1e-5, -0.0022, 0.00033, -2e-5, -3e-5, -0.0002, 7e-5,
    0, 5e-5, 0.00293, -4e-5, 6e-5, 0.00019, 4e-5, 6e-5, -0.00015, -2e-5, 7e-5, 0.0001, -4e-5, 8e-5,
    0, 8e-5, -1e-5, 0.00015, 2e-5, 7e-5, 3e-5, 4e-5, -1e-5, 4e-5, 0, 2e-5, 0, -8e-5, 0, -3e-5, 3e-5,
  ],
  [
    962.34735, -0.00428, 0.09835, 0.00152, -9e-5, 0.00312, -0.00141, -1e-5, -0.00013, 0.0105,
    0.00065, 6e-5, 0, 3e-5, 0.00264, 0, 1e-5, 7e-5, -6e-5, 3e-5, 0.00341, 0.00163, 4e-5, 3e-5,
    -1e-5, 8e-5, 0, 0.0009, 0.00018, -6e-5, -1e-5, 7e-5, -3e-5, -1e-5, 6e-5, 0.00084, 0, -1e-5, 0,
    4e-5, -1e-5, -2e-5, 0, 1e-5, 2e-5, 1e-5, 4e-5, 0.00011, 0, -3e-5, 0.00011, -2e-5, 1e-5, 1e-5,
    1e-5, 1e-5, -7e-5, -3e-5, 1e-5, 0, 1e-5, 2e-5, 1e-5, 0,
  ],
  [
    1053.16101, -0.00213, -0.09207, 0.00186, 0.00013, 0.00034, -0.00119, 2e-5, 0.00011, -0.00984,
    0.00046, -7e-5, -1e-5, -5e-5, 0.0018, 0.00042, 2e-5, -0.0001, 4e-5, 3e-5, -0.00301, 0.00125,
    -2e-5, -3e-5, -1e-5, -1e-5, -1e-5, 0.00056, 0.00021, 1e-5, -1e-5, 2e-5, -1e-5, -1e-5, 5e-5,
    -0.0007, -2e-5, -2e-5, 5e-5, -4e-5, 0, 2e-5, -2e-5, 1e-5, 0, -3e-5, 4e-5, 7e-5, 1e-5, 0,
    0.00013, 0, 0, 2e-5, 0, -1e-5, -4e-5, -3e-5, 0, 1e-5, -1e-5, 1e-5, 0, 0,
  ],
]

/** Variances of the coefficients. */
const coefficientVariances = [
  [
    270372.375, 6287.10645, 5974.94043, 1653.10889, 1463.91748, 1832.58997, 755.92468, 692.41528,
    648.57184, 641.46881, 285.79288, 301.621, 380.43405, 349.84027, 374.15891, 190.3096, 190.76746,
    221.64578, 200.82646, 145.87979, 126.92046, 62.14622, 67.75562, 102.42001, 129.74922, 130.04631,
    103.12189, 97.76417, 53.17402, 54.81048, 73.48712, 81.04342, 69.351, 49.06024, 33.96053,
    37.03279, 20.48858, 24.9483, 33.90822, 44.54912, 47.56363, 40.0316, 30.43313, 22.63899,
    26.53739, 26.57114, 21.84404, 17.41557, 15.18253, 10.69678, 11.24111, 12.97229, 15.08971,
    15.31646, 8.90409, 7.44213, 6.66096, 6.97719, 4.17834, 3.83882, 4.51073, 2.36646, 2.41363,
    1.48266,
  ],
  [
    18839.21094, 321.70932, 300.15259, 77.4783, 76.02293, 89.04748, 33.99642, 34.74807, 32.12333,
    28.19588, 12.04675, 14.26871, 18.45779, 16.59588, 15.67892, 7.37718, 8.56312, 10.28946, 9.41013,
    6.6909, 5.16453, 2.55186, 3.03073, 4.66765, 5.85418, 5.74644, 4.33702, 3.66948, 1.95107,
    2.26034, 3.0638, 3.50705, 3.06359, 2.19284, 1.54454, 1.5786, 0.97078, 1.13941, 1.48653, 1.89996,
    1.95544, 1.6495, 1.24754, 0.93677, 1.09267, 1.09516, 0.94163, 0.78966, 0.72489, 0.50841,
    0.50909, 0.55664, 0.63111, 0.64125, 0.38847, 0.33378, 0.30918, 0.33463, 0.20875, 0.19298,
    0.21903, 0.1338, 0.13444, 0.09554,
  ],
  [
    17127.39844, 292.81421, 271.45209, 66.64056, 63.60253, 76.35437, 28.06587, 27.84831, 25.96656,
    23.6037, 9.99173, 11.34992, 14.46955, 12.92553, 12.69353, 5.91537, 6.60187, 7.90891, 7.32825,
    5.32785, 4.2966, 2.13459, 2.44135, 3.66021, 4.50335, 4.38959, 3.34888, 2.97181, 1.60633, 1.7701,
    2.35118, 2.69018, 2.38189, 1.74596, 1.26014, 1.31684, 0.79327, 0.92046, 1.1767, 1.47609,
    1.50914, 1.28725, 0.99898, 0.74832, 0.85736, 0.858, 0.74663, 0.63508, 0.58748, 0.41098, 0.41121,
    0.44663, 0.50277, 0.51519, 0.31729, 0.27336, 0.25399, 0.27241, 0.17353, 0.16255, 0.1844,
    0.11602, 0.11511, 0.0845,
  ],
]

/** Normalized image [n, 3, h, w] to [n, out, h / 8, w / 8]: three quarters of the channels see Y, an eighth Cb and Cr each. */
function frequencyStem(w: ParameterScope, image: Tensor, out: number): Tensor {
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
  const means = constant(graph, Float32Array.from(coefficientMeans.flat()), [3, 1, side * side])
  const deviations = Float32Array.from(
    coefficientVariances.flat(),
    value => Math.sqrt(value) + 1e-8,
  )
  const spread = constant(graph, deviations, [3, 1, side * side])
  const normal = div(sub(matmul(pixels, both), means), spread)
  const channels = [out * 0.75, out / 8, out / 8]
  const layers = ['conv_y', 'conv_cb', 'conv_cr'].map((name, i) => {
    const tokens = pick(normal, 1, i)
    return conv(w.at(name), tokensToImage(tokens, [down, across]), {
      out: channels[i]!,
      bias: true,
    })
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
function gatedBlock(w: ParameterScope, x: Tensor): Tensor {
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
function spatialGate(w: ParameterScope, x: Tensor): Tensor {
  const extremes = concat([mean(x, [1], true), max(x, [1], true)], 1)
  const pooled = adaptiveAvgPool(extremes, 7)
  const scores = conv(w.at('conv'), pooled, { out: 1, kernel: 7, padding: 3, bias: true })
  const layers = w.at('attn')
  // Every norm has one channel, so that it gives its bias whatever it sees: all images have equal values, which attention keeps.
  const places = positioned(
    layers,
    layerNorm(layers.at('norm1'), flattenToTokens(scores), 1e-5),
    [7, 7],
  )
  const [, , values] = split(unbiasedLinear(layers.at('qkv'), places, 3), [1, 1, 1], -1)
  const y = add(scores, tokensToImage(values!, [7, 7]))
  const tokens = layerNorm(layers.at('norm2'), flattenToTokens(y), 1e-5)
  return add(y, tokensToImage(mlp(layers.at('mlp'), tokens, { hidden: 4 }), [7, 7]))
}

/** Adds convolutional positions to tokens [n, rows · columns, width]. */
function positioned(w: ParameterScope, tokens: Tensor, size: readonly [number, number]): Tensor {
  const [n, , width] = tokens.shape
  const grid = reshape(tokens, [n!, ...size, width!])
  return reshape(addConvPositions(w.at('pos_embed.proj'), grid), tokens.shape)
}

const heads = 8
const headWidth = 32

function transformerBlock(w: ParameterScope, x: Tensor): Tensor {
  const width = channelsOf(x)
  const size = x.shape.slice(2).map(dim => fixedSize(dim, 'transformerBlock')) as [number, number]
  const tokens = positioned(w, layerNorm(w.at('norm1'), flattenToTokens(x), 1e-5), size)
  const qkv = splitQkv(unbiasedLinear(w.at('attn.qkv'), tokens, 3 * heads * headWidth))
  const attended = linear(w.at('attn.proj'), attend(qkv, { heads }), width)
  const y = add(flattenToTokens(x), attended)
  const mixed = mlp(w.at('mlp'), layerNorm(w.at('norm2'), y, 1e-5), { hidden: 4 * width })
  return tokensToImage(add(y, mixed), size)
}

export const csatV2s = classifiers({ family: 'csatv2', rows, build: csatV2 })
