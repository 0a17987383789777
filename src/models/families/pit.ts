/** PiT, a transformer that pools its tokens between stages (Heo et al. 2021), as timm's pit.py computes it. */
import { type Layer } from '../../lib/onnx/graph.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { toTokens, patchTokens, prependTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { add, average, concat, pick, slice } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface PitConfig {
  patch: number
  stride: number
  /** Channels of a head. */
  width: number
  depths: readonly number[]
  heads: readonly number[]
  /** DeiT's second token with a classifier of its own; both classifiers are averaged. */
  distilled?: boolean
}

const overlapping = { patch: 16, stride: 8, depths: [2, 6, 4] }
const tiny: PitConfig = { ...overlapping, width: 32, heads: [2, 4, 8] }
const extraSmall: PitConfig = { ...overlapping, width: 48, heads: [2, 4, 8] }
const small: PitConfig = { ...overlapping, width: 48, heads: [3, 6, 12] }
const base: PitConfig = { patch: 14, stride: 7, width: 64, depths: [3, 6, 4], heads: [4, 8, 16] }
const distilled = { distilled: true }

const rows: Rows<PitConfig> = {
  pit_ti_224: tiny,
  pit_xs_224: extraSmall,
  pit_s_224: small,
  pit_b_224: base,
  pit_ti_distilled_224: { ...tiny, ...distilled },
  pit_xs_distilled_224: { ...extraSmall, ...distilled },
  pit_s_distilled_224: { ...small, ...distilled },
  pit_b_distilled_224: { ...base, ...distilled },
}

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const pit: ClassifierBuilder<PitConfig> = (w, image, c) => {
  const first = c.distilled ? 2 : 1
  const dim = c.width * c.heads[0]!
  let grid = conv(w.at('patch_embed.conv'), image, {
    out: dim,
    kernel: c.patch,
    stride: c.stride,
    bias: true,
  })
  const [high, wide] = grid.shape.slice(2).map(size => fixedSize(size, 'pit'))
  grid = add(grid, w.get('pos_embed', [1, dim, high!, wide!]))
  let x = prependTokens(w.get('cls_token', [1, first, dim]), toTokens(grid))
  for (const [i, stage] of w.each('transformers', c.depths.length).entries()) {
    const heads = c.heads[i]!
    if (i > 0) {
      grid = pool(stage.at('pool.conv'), toImage(patchTokens(x, first), grid.shape.slice(2)))
      const tokens = linear(stage.at('pool.fc'), slice(x, 1, [0, first]), c.width * heads)
      x = concat([tokens, toTokens(grid)], 1)
    }
    x = transformer(stage.each('blocks', c.depths[i]!), x, { heads })
  }
  const tokens = layerNorm(w.at('norm'), slice(x, 1, [0, first]))
  const seen = Array.from({ length: first }, (_, i) => pick(tokens, 1, i))
  const logits = seen.map((y, i) => linear(w.at(i === 0 ? 'head' : 'head_dist'), y, c.classes))
  return { features: average(seen), logits: average(logits) }
}

/** Halves x [n, c, h, w] to twice the channels; each channel becomes two. */
const pool: Layer = (w, x) => {
  const groups = channelsOf(x)
  return conv(w, x, { out: 2 * groups, kernel: 3, stride: 2, padding: 1, groups, bias: true })
}

export const pits = classifiers({ family: 'pit', rows, build: pit })
