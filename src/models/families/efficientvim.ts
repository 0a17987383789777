/** EfficientViM (Lee et al. 2024), as timm's efficientvim.py computes it: state-space duality whose hidden states are mixed. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  addDepthwise,
  convNorm,
  depthwiseConvNorm,
  halvingStem,
  mergeByBottleneck,
} from '../../lib/onnx/blocks/convNorm.ts'
import { depthwiseConv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm, layerNorm2d } from '../../lib/onnx/blocks/norm.ts'
import {
  add,
  concat,
  globalMean,
  halves,
  matmul,
  mean,
  mul,
  pick,
  relu,
  reshape,
  sigmoid,
  silu,
  slice,
  softmax,
  split,
  sub,
  transpose,
} from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, product } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface EfficientViMConfig {
  widths: readonly [number, number, number]
  depths: readonly [number, number, number]
  /** Hidden states of the mixers of each stage. */
  states: readonly [number, number, number]
  /** A second set of heads; the sums of both are averaged. */
  distilled?: boolean
}

const plain = { depths: [2, 2, 2], states: [49, 25, 9] } as const
const sizes = {
  m1: { ...plain, widths: [128, 192, 320] },
  m2: { ...plain, widths: [128, 256, 512] },
  m3: { ...plain, widths: [224, 320, 512] },
  m4: { widths: [224, 320, 512], depths: [3, 4, 2], states: [64, 32, 16] },
} as const

const rows: Rows<EfficientViMConfig> = Object.fromEntries(
  Object.entries(sizes).flatMap(([size, config]) => [
    [`efficientvim_${size}`, config],
    [`efficientvim_${size}_dist`, { ...config, distilled: true }],
  ]),
)

const names = ['conv', 'norm'] as const
const epsilon = 1e-5

/** image [n, 3, h, w] -> features [n, joined inputs of the heads], logits [n, classes] */
const efficientViM: ClassifierBuilder<EfficientViMConfig> = (w, image, c) => {
  let x = halvingStem(w.each('patch_embed.conv', 4), image, {
    out: c.widths[0],
    activation: relu,
    names,
  })
  const inputs: Tensor[] = []
  for (const [i, stage] of w.each('stages', 3).entries()) {
    let hidden = x
    for (const scope of stage.each('blocks', c.depths[i]!)) {
      const result = block(scope, x, c.states[i]!)
      x = result.y
      hidden = result.hidden
    }
    inputs.push(mean(layerNorm(w.at(`norm.${i}`), transpose(hidden, [0, 2, 1]), epsilon), [1]))
    if (i < 2) x = merge(stage.at('downsample'), x, c.widths[i + 1]!)
  }
  inputs.push(globalMean(layerNorm2d(w.at('norm.3'), x, epsilon)))
  const logits = weighedHeads(w, inputs, { classes: c.classes, suffix: '' })
  const features = concat(inputs, 1)
  if (!c.distilled) return { features, logits }
  const others = weighedHeads(w, inputs, { classes: c.classes, suffix: '_dist' })
  return { features, logits: mul(add(logits, others), 0.5) }
}

/** The sum of the heads' logits, weighed by a softmax of learned numbers. */
function weighedHeads(
  w: ParameterScope,
  inputs: readonly Tensor[],
  { classes, suffix }: { classes: number; suffix: string },
): Tensor {
  const weights = softmax(w.get(`weights${suffix}`, [inputs.length], 'scale'))
  return inputs
    .map((x, i) =>
      mul(linear(w.at(`heads${suffix}.${i}`), x, classes), slice(weights, 0, [i, i + 1])),
    )
    .reduce((sum, logits) => add(sum, logits))
}

function block(w: ParameterScope, x: Tensor, states: number): { y: Tensor; hidden: Tensor } {
  const width = channelsOf(x)
  const depthwise = { kernel: 3, names }
  const alphas = sigmoid(w.get('alpha', [4, width], 'scale'))
  const toward = (from: Tensor, to: Tensor, i: number): Tensor =>
    add(from, mul(sub(to, from), reshape(pick(alphas, 0, i), [width, 1, 1])))
  let y = toward(x, depthwiseConvNorm(w.at('dwconv1'), x, depthwise), 0)
  const mixed = mixer(w.at('mixer'), layerNorm2d(w.at('norm'), y, epsilon), states)
  y = toward(y, mixed.y, 1)
  y = toward(y, depthwiseConvNorm(w.at('dwconv2'), y, depthwise), 2)
  const inner = relu(convNorm(w.at('ffn.fc1'), y, { out: 4 * width, names }))
  y = toward(y, convNorm(w.at('ffn.fc2'), inner, { out: width, names }), 3)
  return { y, hidden: mixed.hidden }
}

/** x [n, width, h, w] to `hidden` [n, width, states], mixed among channels, and to `y` of x's shape. */
function mixer(w: ParameterScope, x: Tensor, states: number): { y: Tensor; hidden: Tensor } {
  const [n, channels, height, across] = x.shape
  const width = fixedSize(channels, 'mixer')
  const places = product([height!, across!])
  const pointwise = (name: string, y: Tensor, out: number): Tensor => {
    const weight = w.at(name).get('conv.weight', [out, channelsOf(y), 1])
    return matmul(reshape(weight, [out, channelsOf(y)]), y)
  }
  const flat = reshape(x, [n!, width, places])
  const three = reshape(pointwise('BCdt_proj', flat, 3 * states), [
    n!,
    3 * states,
    height!,
    across!,
  ])
  const local = depthwiseConv(w.at('dw.conv'), three, { kernel: 3 })
  const parts = split(reshape(local, [n!, 3 * states, places]), [states, states, states], 1)
  const [b, c, steps] = parts as [Tensor, Tensor, Tensor]
  const start = reshape(w.get('A', [states], 'scale'), [states, 1])
  const taken = mul(softmax(add(steps, start)), b)
  const gathered = matmul(flat, transpose(taken, [0, 2, 1]))
  const [h, z] = halves(pointwise('hz_proj', gathered, 2 * width), 1)
  const gated = add(mul(h, silu(z)), mul(h, w.get('D', [1], 'scale')))
  const hidden = pointwise('out_proj', gated, width)
  return { y: reshape(matmul(hidden, c), x.shape), hidden }
}

/** Halves [n, c, h, w] to `out` channels by an inverted bottleneck between two depthwise convolutions. */
const merge: Block<number> = (w, x, out) => {
  const near = addDepthwise(w.at('dwconv1'), x, { names })
  const layers = ['0', '1', '2', '3'] as const
  const merged = mergeByBottleneck(w.at('conv'), near, { out, inner: 4 * out, layers, names })
  return addDepthwise(w.at('dwconv2'), merged, { names })
}

export const efficientViMs = classifiers({ family: 'efficientvim', rows, build: efficientViM })
