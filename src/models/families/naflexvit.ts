/** NaFlexViT, a ViT for images of any aspect (Dehghani et al. 2023), as timm's naflexvit.py computes it on square images. */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { latentPool } from '../../lib/onnx/blocks/attention.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { toTokens, patchTokens, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { partitionWindows } from '../../lib/onnx/blocks/windows.ts'
import {
  add,
  channelsFirst,
  channelsLast,
  gelu,
  geluTanh,
  mean,
  reshape,
  resize,
  transpose,
} from '../../lib/onnx/ops.ts'
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface NaflexVitConfig {
  dim: number
  blocks: number
  heads: number
  /** Width inside the MLP, four times `dim` by default. */
  hidden?: number
  /** One table of positions for rows and one for columns, not one for places. */
  factorized?: boolean
  /** SigLIP 2's tower: no registers and no factors per channel, attention over the patches in place of their mean. */
  siglip?: boolean
}

const base = { dim: 768, blocks: 12, heads: 12 }

const rows: Rows<NaflexVitConfig> = {
  naflexvit_base_patch16_gap: base,
  naflexvit_base_patch16_par_gap: base,
  naflexvit_base_patch16_parfac_gap: { ...base, factorized: true },
  naflexvit_base_patch16_siglip: { ...base, siglip: true },
  naflexvit_so400m_patch16_siglip: { dim: 1152, blocks: 27, heads: 16, hidden: 4304, siglip: true },
}

const patch = 16
const registers = 4
/** Rows and columns of the tables of positions, which are resized to the image's. */
const side = 16

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const naflexVit: ClassifierBuilder<NaflexVitConfig> = (w, image, c) => {
  const embeds = w.at('embeds')
  const grid = image.shape.slice(2).map(size => fixedSize(size, 'naflexvit') / patch)
  const windows = partitionWindows(channelsLast(image), patch)
  const patches = reshape(windows, [image.shape[0]!, grid[0]! * grid[1]!, patch * patch * 3])
  const placed = add(linear(embeds.at('proj'), patches, c.dim), positions(embeds, grid, c))
  const activation = c.siglip ? geluTanh : gelu
  const x = transformer(
    w.each('blocks', c.blocks),
    c.siglip ? placed : prependTokens(embeds.get('reg_token', [1, registers, c.dim]), placed),
    { ...c, activation, layerScale: !c.siglip },
  )
  const features = c.siglip
    ? latentPool(w.at('attn_pool'), layerNorm(w.at('norm'), x), { ...c, activation })
    : layerNorm(w.at('fc_norm'), mean(patchTokens(x, registers), [1]))
  return linearHead(w.at('head'), features, c.classes)
}

/** Positions of all patches, [1, rows · columns, dim]. */
function positions(
  w: ParameterScope,
  [high, wide]: readonly number[],
  { dim, factorized, siglip }: NaflexVitConfig,
): Tensor {
  if (factorized) {
    const table = (name: string): Tensor => transpose(w.get(name, [1, side, dim]), [0, 2, 1])
    const down = resize(reshape(table('pos_embed_y'), [1, dim, side, 1]), [1, dim, high!, 1], {
      mode: 'linear',
    })
    const across = resize(reshape(table('pos_embed_x'), [1, dim, 1, side]), [1, dim, 1, wide!], {
      mode: 'linear',
    })
    return toTokens(add(down, across))
  }
  const table = channelsFirst(w.get('pos_embed', [1, side, side, dim]))
  if (high === side && wide === side) return toTokens(table)
  return toTokens(
    resize(table, [1, dim, high!, wide!], { mode: siglip ? 'linear' : 'cubic', antialias: true }),
  )
}

export const naflexVits = classifiers({ family: 'naflexvit', rows, build: naflexVit })
