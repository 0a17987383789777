/** XCiT, a transformer whose attention mixes channels (El-Nouby et al. 2021), as timm's xcit.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { firstTokenProjection, selfAttention } from '../../lib/onnx/blocks/attention.ts'
import { halvingStem } from '../../lib/onnx/blocks/convNorm.ts'
import { crossCovariance, fourierPositions } from '../../lib/onnx/blocks/crossCovariance.ts'
import { depthwiseConv } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { batchNorm, layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, patchTokens, prependTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { add, concat, gelu, mul, pick, slice } from '../../lib/onnx/ops.ts'
import { needMultiple } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface XcitConfig {
  dim: number
  blocks: number
  heads: number
  patch: 8 | 16
  /** Whether class attention's second norm is of all tokens, not of the class token alone. */
  tokensNorm: boolean
}

const widths: Readonly<Record<string, readonly [dim: number, heads: number]>> = {
  nano: [128, 4],
  tiny: [192, 4],
  small: [384, 8],
  medium: [512, 8],
  large: [768, 16],
}

/** One model at both patches and at both sizes. */
const variants = (width: string, blocks: number): Rows<XcitConfig> => {
  const [dim, heads] = widths[width]!
  return Object.fromEntries(
    ([8, 16] as const).flatMap(patch =>
      [224, 384].map(size => [
        `xcit_${width}_${blocks}_p${patch}_${size}`,
        { dim, blocks, heads, patch, tokensNorm: width !== 'nano' },
      ]),
    ),
  )
}

const rows: Rows<XcitConfig> = {
  ...variants('nano', 12),
  ...variants('tiny', 12),
  ...variants('tiny', 24),
  ...variants('small', 12),
  ...variants('small', 24),
  ...variants('medium', 24),
  ...variants('large', 24),
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const xcit: ClassifierBuilder<XcitConfig> = (w, image, c) => {
  needMultiple(image, c.patch)
  const halvings = Math.log2(c.patch)
  const grid = halvingStem(
    Array.from({ length: halvings }, (_, i) => w.at(`patch_embed.proj.${2 * i}`)),
    image,
    { out: c.dim, activation: gelu, names: ['0', '1'] },
  )
  let x = add(toTokens(grid), fourierPositions(w.at('pos_embed'), grid))
  for (const block of w.each('blocks', c.blocks)) x = channelBlock(block, x, { ...c, grid })
  x = prependTokens(w.get('cls_token', [1, 1, c.dim]), x)
  for (const block of w.each('cls_attn_blocks', 2)) x = classBlock(block, x, c)
  return linearHead(w.at('head'), pick(layerNorm(w.at('norm'), x), 1, 0), c.classes)
}

/** Attention across channels, convolutions among neighbours and an MLP, each scaled and added to x [n, length, dim]. */
const channelBlock: Block<XcitConfig & { grid: Tensor }> = (w, x, c) => {
  const branch = (y: Tensor, place: number, layer: (normal: Tensor) => Tensor): Tensor => {
    const mixed = layer(layerNorm(w.at(`norm${place}`), y))
    return add(y, mul(mixed, w.get(`gamma${place}`, [c.dim], 'scale')))
  }
  const local = w.at('local_mp')
  const window = { kernel: 3, bias: true }
  const attended = branch(x, 1, y => crossCovariance(w.at('attn'), y, c.heads))
  const mixed = branch(attended, 3, y => {
    const image = depthwiseConv(local.at('conv1'), toImage(y, c.grid.shape.slice(2)), window)
    const normal = batchNorm(local.at('bn'), gelu(image))
    return toTokens(depthwiseConv(local.at('conv2'), normal, window))
  })
  return branch(mixed, 2, y => mlp(w.at('mlp'), y, { hidden: 4 * c.dim }))
}

/** Attention and MLP of the class token; the sums are of all tokens, so the patches change too. */
const classBlock: Block<XcitConfig> = (w, x, c) => {
  const gamma = (place: number): Tensor => w.get(`gamma${place}`, [c.dim], 'scale')
  const first = (y: Tensor): Tensor => slice(y, 1, [0, 1])
  const normal = layerNorm(w.at('norm1'), x)
  const attended = selfAttention(w.at('attn'), normal, {
    heads: c.heads,
    project: firstTokenProjection(),
  })
  const y = add(x, mul(concat([attended, patchTokens(normal, 1)], 1), gamma(1)))
  const norm2 = (z: Tensor): Tensor => layerNorm(w.at('norm2'), z)
  const z = c.tokensNorm ? norm2(y) : concat([norm2(first(y)), patchTokens(y, 1)], 1)
  const mixed = mul(mlp(w.at('mlp'), first(z), { hidden: 4 * c.dim }), gamma(2))
  return add(z, concat([mixed, patchTokens(z, 1)], 1))
}

export const xcits = classifiers({ family: 'xcit', rows, build: xcit })
