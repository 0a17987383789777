/** TNT, a transformer on pixels inside a transformer on patches (Han et al. 2021), as timm's tnt.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { type Projection, selfAttention } from '../../lib/onnx/blocks/attention.ts'
import { conv, linear, unbiasedLinear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, patchTokens, prependTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { partitionWindows } from '../../lib/onnx/blocks/windows.ts'
import { add, channelsLast, concat, halves, pick, reshape, slice } from '../../lib/onnx/ops.ts'
import { sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface TntConfig {
  /** Widths of the patches' tokens and of the pixels'. */
  dim: number
  inner: number
  heads: number
  /** The first published form: pixels from a convolution of the whole image, and one norm around a block's projection. */
  legacy?: boolean
}

const small = { dim: 384, inner: 24, heads: 6 }

const rows: Rows<TntConfig> = {
  tnt_s_legacy_patch16_224: { ...small, legacy: true },
  tnt_s_patch16_224: small,
  tnt_b_patch16_224: { dim: 640, inner: 40, heads: 10 },
}

const blocks = 12
const epsilon = 1e-5
/** Heads of the attention among the tokens of one patch. */
const innerHeads = 4
/** Side of a patch in pixels of the image, and in tokens of the inner transformer. */
const patch = 16
const side = 4

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const tnt: ClassifierBuilder<TntConfig> = (w, image, c) => {
  let pixels = embedPixels(w, image, c)
  const count = Math.floor(sizeAt(image, 2) / patch) ** 2
  const perPatch = [image.shape[0]!, count, side * side * c.inner]
  const norm = (name: string, y: Tensor): Tensor => layerNorm(w.at(name), y, epsilon)
  const projected = linear(w.at('proj'), norm('norm1_proj', reshape(pixels, perPatch)), c.dim)
  let x = prependTokens(w.get('cls_token', [1, 1, c.dim]), norm('norm2_proj', projected))
  x = add(x, w.get('patch_pos', [1, count + 1, c.dim]))
  const inner = {
    names: ['attn_in', 'norm_in', 'mlp_in', 'norm_mlp_in'],
    heads: innerHeads,
  } as const
  const outer = { names: ['attn_out', 'norm_out', 'mlp', 'norm_mlp'], heads: c.heads } as const
  for (const block of w.each('blocks', blocks)) {
    pixels = tokensBlock(block, pixels, inner)
    x = tokensBlock(block, addPixels(block, { x, pixels, perPatch }, c), outer)
  }
  return linearHead(w.at('head'), pick(norm('norm', x), 1, 0), c.classes)
}

/** image [n, 3, h, w] to 4 × 4 tokens of every patch, [n · patches, 16, inner] */
const embedPixels: Block<TntConfig> = (w, image, { inner, legacy }) => {
  const window = { out: inner, kernel: 7, stride: 4, padding: 3, bias: true }
  const embed = (x: Tensor): Tensor => conv(w.at('pixel_embed.proj'), x, window)
  const tokens = legacy
    ? wholeWindows(embed(image), side)
    : toTokens(embed(toImage(wholeWindows(image, patch), [patch, patch])))
  return add(tokens, toTokens(w.get('pixel_pos', [1, inner, side, side])))
}

/** Splits a square [n, c, h, w] into windows [n · count, size², c]; the rows and columns of no whole window are left out. */
function wholeWindows(x: Tensor, size: number): Tensor {
  const rows = sizeAt(x, 2)
  const seen = rows - (rows % size)
  const whole = seen === rows ? x : slice(slice(x, 2, [0, seen]), 3, [0, seen])
  return partitionWindows(channelsLast(whole), size)
}

/** Two layers without bias, `qk` and `v`. */
const pairedProjection: Projection = (w, x) => {
  const width = sizeAt(x, 2)
  const [q, k] = halves(unbiasedLinear(w.at('qk'), x, 2 * width))
  return [q, k, unbiasedLinear(w.at('v'), x, width)]
}

interface BlockSettings {
  /** Names of the attention with its norm, then of the MLP with its norm. */
  names: readonly [attention: string, norm: string, mlp: string, norm: string]
  heads: number
}

/** Adds attention and an MLP, each behind a norm, to x [n, length, width]. */
const tokensBlock: Block<BlockSettings> = (w, x, { names, heads }) => {
  const normal = (name: string, y: Tensor): Tensor => layerNorm(w.at(name), y, epsilon)
  const options = { heads, project: pairedProjection }
  const y = add(x, selfAttention(w.at(names[0]), normal(names[1], x), options))
  const hidden = 4 * sizeAt(x, 2)
  return add(y, mlp(w.at(names[2]), normal(names[3], y), { hidden }))
}

interface Tokens {
  x: Tensor
  pixels: Tensor
  /** The pixels' shape with a row for each patch. */
  perPatch: Tensor['shape']
}

/** Adds each patch's pixels, projected, to its token. */
function addPixels(w: ParameterScope, { x, pixels, perPatch }: Tokens, c: TntConfig): Tensor {
  const norm = (name: string, y: Tensor): Tensor => layerNorm(w.at(name), y, epsilon)
  const projected = c.legacy
    ? linear(w.at('proj'), reshape(norm('norm1_proj', pixels), perPatch), c.dim)
    : norm(
        'norm2_proj',
        unbiasedLinear(w.at('proj'), norm('norm1_proj', reshape(pixels, perPatch)), c.dim),
      )
  return concat([slice(x, 1, [0, 1]), add(patchTokens(x, 1), projected)], 1)
}

const names = { positions: [[/^patch_pos$/, 'grid']] as const }

export const tnts = classifiers({ family: 'tnt', rows, build: tnt, names })
