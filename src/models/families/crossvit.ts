/** CrossViT, two transformers at two scales that attend to each other (Chen et al. 2021), as timm's crossvit.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { firstTokenProjection, selfAttention } from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { transformer } from '../../lib/onnx/blocks/transformer.ts'
import { toTokens, patchEmbed, patchTokens, prependTokens } from '../../lib/onnx/blocks/tokens.ts'
import { add, average, concat, gelu, pick, relu, resize, slice } from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface CrossVitConfig {
  /** Width of the branch of small patches; the other's is twice that. */
  dim: number
  heads: number
  /** Blocks of the branch of large patches between two exchanges; the other has one. */
  depth: number
  /** Width inside the MLP over the tokens'. */
  ratio: number
  /** Side of the image that the large patches are cut from, over the input's. */
  scale: number
  /** Whether patches are embedded by three convolutions. */
  convolutional?: boolean
}

const scale = 224 / 240
const nine = { dim: 128, heads: 4, depth: 3, ratio: 3, scale }
const fifteen = { dim: 192, heads: 6, depth: 5, ratio: 3, scale }
const eighteen = { dim: 224, heads: 7, depth: 6, ratio: 3, scale }
const dagger = { convolutional: true }
const finer = { ...dagger, scale: 384 / 408 }

const rows: Rows<CrossVitConfig> = {
  crossvit_tiny_240: { dim: 96, heads: 3, depth: 4, ratio: 4, scale },
  crossvit_small_240: { dim: 192, heads: 6, depth: 4, ratio: 4, scale },
  crossvit_base_240: { dim: 384, heads: 12, depth: 4, ratio: 4, scale },
  crossvit_9_240: nine,
  crossvit_15_240: fifteen,
  crossvit_18_240: eighteen,
  crossvit_9_dagger_240: { ...nine, ...dagger },
  crossvit_15_dagger_240: { ...fifteen, ...dagger },
  crossvit_15_dagger_408: { ...fifteen, ...finer },
  crossvit_18_dagger_240: { ...eighteen, ...dagger },
  crossvit_18_dagger_408: { ...eighteen, ...finer },
}

/** image [n, 3, h, w] -> features [n, 3 · dim], the class tokens of both branches; logits [n, classes] */
const crossVit: ClassifierBuilder<CrossVitConfig> = (w, image, c) => {
  let branches = [image, scaleImage(image, c.scale)].map((x, i) => embedBranch(w, x, { ...c, i }))
  for (const block of w.each('blocks', 3)) branches = exchange(block, branches, c)
  const features = branches.map((x, i) => layerNorm(w.at(`norm.${i}`), pick(x, 1, 0)))
  const logits = average(features.map((x, i) => linear(w.at(`head.${i}`), x, c.classes)))
  return { features: concat(features, 1), logits }
}

function scaleImage(image: Tensor, factor: number): Tensor {
  const [n, channels, h, w] = image.shape
  const [rows, columns] = [h, w].map(size => Math.floor(fixedSize(size, 'crossvit') * factor))
  return resize(image, [n!, channels!, rows!, columns!], { mode: 'cubic' })
}

/** Patches of 12 pixels (branch 0) or 16 (branch 1) behind a class token, with positions. */
const embedBranch: Block<CrossVitConfig & { i: number }> = (
  w,
  image,
  { i, dim, convolutional },
) => {
  const [width, patch] = i === 0 ? [dim, 12] : [2 * dim, 16]
  const proj = w.at(`patch_embed.${i}.proj`)
  const patches = convolutional
    ? convolutionalPatches(proj, image, { width, patch })
    : patchEmbed(proj, image, { patch, dim: width })
  const x = prependTokens(w.get(`cls_token_${i}`, [1, 1, width]), patches)
  return add(x, w.get(`pos_embed_${i}`, [1, sizeAt(x, 1), width]))
}

const padded = { padding: 1 }
const halving = { ...padded, stride: 2 }

const convolutionalPatches: Block<{ width: number; patch: number }> = (
  w,
  image,
  { width, patch },
) => {
  const first = { out: width / 4, kernel: 7, stride: 4, padding: 3, bias: true }
  const [second, third] = patch === 12 ? [{ stride: 3 }, padded] : [halving, halving]
  const x = relu(conv(w.at(0), image, first))
  const y = relu(conv(w.at(2), x, { out: width / 2, kernel: 3, bias: true, ...second }))
  return toTokens(conv(w.at(4), y, { out: width, kernel: 3, bias: true, ...third }))
}

/** Both branches' own blocks, then attention of each branch's class token over the other's patches. */
function exchange(w: ParameterScope, branches: readonly Tensor[], c: CrossVitConfig): Tensor[] {
  const { heads, ratio } = c
  const widths = [c.dim, 2 * c.dim]
  const first = (x: Tensor): Tensor => slice(x, 1, [0, 1])
  const project = (scope: ParameterScope, x: Tensor, out: number): Tensor =>
    linear(scope.at(2), gelu(layerNorm(scope.at(0), x)), out)
  const seen = branches.map((x, i) =>
    transformer(w.each(`blocks.${i}`, i === 0 ? 1 : c.depth), x, {
      heads,
      hidden: ratio * widths[i]!,
    }),
  )
  return seen.map((x, i) => {
    const asking = project(w.at(`projs.${i}`), first(x), widths[1 - i]!)
    const fusion = w.at(`fusion.${i}`)
    const normal = layerNorm(fusion.at('norm1'), concat([asking, patchTokens(seen[1 - i]!, 1)], 1))
    const options = { heads, project: firstTokenProjection(['wq', 'wk', 'wv']) }
    const fused = add(asking, selfAttention(fusion.at('attn'), normal, options))
    const token = project(w.at(`revert_projs.${i}`), fused, widths[i]!)
    return concat([token, patchTokens(x, 1)], 1)
  })
}

export const crossVits = classifiers({ family: 'crossvit', rows, build: crossVit })
