/**
 * PoolFormer (Yu et al. 2021) and the MetaFormer baselines PoolFormerV2, ConvFormer and CAFormer (Yu et al. 2022), as
 * timm's metaformer.py computes them.
 */
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { attend, unbiasedProjection } from '../../lib/onnx/blocks/attention.ts'
import { conv, depthwiseConv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { convMlp, mlp } from '../../lib/onnx/blocks/mlp.ts'
import {
  channelValues,
  groupNorm,
  layerNorm,
  unbiasedLayerNorm,
  unbiasedLayerNorm2d,
} from '../../lib/onnx/blocks/norm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { add, avgPool, gelu, globalMean, mul, relu, sub } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface MetaFormerConfig {
  depths: readonly number[]
  widths: readonly number[]
  /** How each stage mixes tokens. */
  mixers: readonly ('pool' | 'convolution' | 'attention')[]
  /** PoolFormer's first version: biases everywhere, GELU, factors on every branch, no norms between stages. */
  first?: boolean
  /** Whether the classifier has a hidden layer. */
  hiddenLayer?: boolean
}

const small = [64, 128, 320, 512]
const medium = [96, 192, 384, 768]
const s12 = { depths: [2, 2, 6, 2], widths: small }
const s24 = { depths: [4, 4, 12, 4], widths: small }
const s36 = { depths: [6, 6, 18, 6], widths: small }
const m36 = { depths: [6, 6, 18, 6], widths: medium }
const m48 = { depths: [8, 8, 24, 8], widths: medium }
const baselines = {
  s18: { depths: [3, 3, 9, 3], widths: small },
  s36: { depths: [3, 12, 18, 3], widths: small },
  m36: { depths: [3, 12, 18, 3], widths: [96, 192, 384, 576] },
  b36: { depths: [3, 12, 18, 3], widths: [128, 256, 512, 768] },
}

/** The models of one name in their sizes. */
const sized = (
  name: string,
  sizes: Record<string, Pick<MetaFormerConfig, 'depths' | 'widths'>>,
  rest: Omit<MetaFormerConfig, 'depths' | 'widths'>,
): Rows<MetaFormerConfig> =>
  Object.fromEntries(
    Object.entries(sizes).map(([size, row]) => [`${name}_${size}`, { ...row, ...rest }]),
  )

const pools = ['pool', 'pool', 'pool', 'pool'] as const
const convolutions = ['convolution', 'convolution', 'convolution', 'convolution'] as const
const attentionLast = ['convolution', 'convolution', 'attention', 'attention'] as const

const rows: Rows<MetaFormerConfig> = {
  ...sized('poolformer', { s12, s24, s36, m36, m48 }, { mixers: pools, first: true }),
  ...sized('poolformerv2', { s12, s24, s36, m36, m48 }, { mixers: pools }),
  ...sized('convformer', baselines, { mixers: convolutions, hiddenLayer: true }),
  ...sized('caformer', baselines, { mixers: attentionLast, hiddenLayer: true }),
}

/** image [n, 3, h, w] -> features [n, hidden or last width], logits [n, classes] */
const metaFormer: ClassifierBuilder<MetaFormerConfig> = (w, image, c) => {
  const embed = { out: c.widths[0]!, kernel: 7, stride: 4, padding: 2, bias: true }
  const patches = conv(w.at('stem.conv'), image, embed)
  let x = c.first ? patches : unbiasedLayerNorm2d(w.at('stem.norm'), patches)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    if (i > 0) {
      const normal = c.first ? x : unbiasedLayerNorm2d(stage.at('downsample.norm'), x)
      const halve = { out: c.widths[i]!, kernel: 3, stride: 2, padding: 1, bias: true }
      x = conv(stage.at('downsample.conv'), normal, halve)
    }
    const block = { mixer: c.mixers[i]!, first: c.first === true, scaled: i > 1 }
    x = stageOf(stage.each('blocks', c.depths[i]!), x, block)
  }
  const pooled = layerNorm(w.at('head.norm'), globalMean(x))
  const head = w.at('head.fc')
  if (!c.hiddenLayer) return linearHead(head, pooled, c.classes)
  const hidden = relu(linear(head.at('fc1'), pooled, 4 * c.widths.at(-1)!))
  return linearHead(head.at('fc2'), layerNorm(head.at('norm'), mul(hidden, hidden)), c.classes)
}

interface BlockSettings {
  mixer: MetaFormerConfig['mixers'][number]
  first: boolean
  /** Whether the shortcuts have a learned factor per channel. */
  scaled: boolean
}

/** Applies the blocks of a stage to [n, c, h, w]; those with attention compute on tokens. */
function stageOf(scopes: readonly ParameterScope[], x: Tensor, c: BlockSettings): Tensor {
  const tokens = c.mixer === 'attention'
  const mixed = scopes.reduce((y, w) => metaFormerBlock(w, y, c), tokens ? toTokens(x) : x)
  return tokens ? toImage(mixed, x.shape.slice(2)) : mixed
}

/** Adds the token mixer, then the MLP, to [n, c, h, w] or, for attention, to [n, length, c]. */
const metaFormerBlock: Block<BlockSettings> = (w, x, c) => {
  const tokens = c.mixer === 'attention'
  const width = fixedSize(x.shape.at(tokens ? -1 : 1), 'metaformer')
  const factor = (name: string): Tensor =>
    tokens ? w.get(name, [width], 'scale') : channelValues(w, name, { width })
  const joined = (place: 1 | 2, y: Tensor, branch: Tensor): Tensor => {
    if (c.first) return add(y, mul(branch, factor(`layer_scale${place}.scale`)))
    return add(c.scaled ? mul(y, factor(`res_scale${place}.scale`)) : y, branch)
  }
  const normal = (name: string, y: Tensor): Tensor => normOf(w.at(name), y, c)
  const y = joined(1, x, mixers[c.mixer](w.at('token_mixer'), normal('norm1', x)))
  const mixed = (tokens ? mlp : convMlp)(w.at('mlp'), normal('norm2', y), {
    hidden: 4 * width,
    activation: c.first ? gelu : z => starRelu(w.at('mlp.act'), z),
    bias: c.first,
  })
  return joined(2, y, mixed)
}

const normOf: Block<BlockSettings> = (w, x, { mixer, first }) => {
  if (first) return groupNorm(w, x, { groups: 1 })
  if (mixer === 'pool') return groupNorm(w, x, { groups: 1, epsilon: 1e-6, bias: false })
  return (mixer === 'attention' ? unbiasedLayerNorm : unbiasedLayerNorm2d)(w, x)
}

const mixers: Record<BlockSettings['mixer'], Layer> = {
  pool: (_, x) => sub(avgPool(x, 3, { padding: 1 }), x),
  convolution: (w, x) => {
    const width = channelsOf(x)
    const y = starRelu(w.at('act1'), conv(w.at('pwconv1'), x, { out: 2 * width }))
    return conv(w.at('pwconv2'), depthwiseConv(w.at('dwconv'), y, { kernel: 7 }), { out: width })
  },
  attention: (w, x) => {
    const width = sizeAt(x, 2)
    const attended = attend(unbiasedProjection(w, x), { heads: width / 32 })
    return unbiasedLinear(w.at('proj'), attended, width)
  },
}

/** The square of ReLU, scaled and shifted by one learned number each. */
const starRelu: Layer = (w, x) => {
  const positive = relu(x)
  return add(mul(mul(positive, positive), w.get('scale', [1], 'scale')), w.get('bias', [1], 'bias'))
}

/** PoolFormer's checkpoints keep the names of their authors: stages and what halves between them in turns. */
const poolFormerNames: NameTable = {
  rename: [
    [/^patch_embed\.proj/, 'stem.conv'],
    ...[0, 1, 2, 3].flatMap(stage => {
      const [from, to] = [`^network\\.${2 * stage}\\.(\\d+)\\.`, `stages.${stage}.blocks.$1.`]
      return [
        [new RegExp(`${from}layer_scale_(\\d)$`), `${to}layer_scale$2.scale`],
        [new RegExp(from), to],
        [new RegExp(`^network\\.${2 * stage - 1}\\.proj`), `stages.${stage}.downsample.conv`],
      ] as const
    }),
    [/^norm\./, 'head.norm.'],
    [/^head\.(?=weight|bias)/, 'head.fc.'],
  ],
}

export const metaFormers = classifiers({
  family: 'metaformer',
  rows,
  build: metaFormer,
  names: ({ first }) => (first ? poolFormerNames : {}),
})
