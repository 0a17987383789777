/** ResMLP (Touvron et al. 2021), as timm's mlp_mixer.py computes it: learned factors in place of norms. */
import { type Layer, type Tensor } from '../../lib/onnx/graph.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { patchEmbed } from '../../lib/onnx/blocks/tokens.ts'
import { add, mean, mul, transpose } from '../../lib/onnx/ops.ts'
import { fixedSize, sizeAt } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface ResmlpConfig {
  patch: number
  dim: number
  blocks: number
}

const rows: Rows<ResmlpConfig> = {
  resmlp_12_224: { patch: 16, dim: 384, blocks: 12 },
  resmlp_24_224: { patch: 16, dim: 384, blocks: 24 },
  resmlp_36_224: { patch: 16, dim: 384, blocks: 36 },
  resmlp_big_24_224: { patch: 8, dim: 768, blocks: 24 },
}

/** image [n, 3, h, w] -> features [n, dim], logits [n, classes] */
const resmlp: ClassifierBuilder<ResmlpConfig> = (w, image, c) => {
  let x = patchEmbed(w.at('stem.proj'), image, c)
  for (const block of w.each('blocks', c.blocks)) x = residualBlock(block, x)
  return linearHead(w.at('head'), mean(scaleAndShift(w.at('norm'), x), [1]), c.classes)
}

/** A linear layer across tokens and an MLP across channels, each scaled and added to x [n, length, width]. */
const residualBlock: Layer = (w, x) => {
  const [length, width] = x.shape.slice(1).map(dim => fixedSize(dim, 'resmlp'))
  const scaled = (y: Tensor, name: string): Tensor => mul(y, w.get(name, [width!], 'scale'))
  const swapped = transpose(scaleAndShift(w.at('norm1'), x), [0, 2, 1])
  const across = transpose(linear(w.at('linear_tokens'), swapped, length!), [0, 2, 1])
  const y = add(x, scaled(across, 'ls1'))
  const inner = mlp(w.at('mlp_channels'), scaleAndShift(w.at('norm2'), y), { hidden: 4 * width! })
  return add(y, scaled(inner, 'ls2'))
}

/** Multiplies and shifts each channel by learned values. */
const scaleAndShift: Layer = (w, x) => {
  const shape = [1, 1, sizeAt(x, 2)]
  return add(mul(x, w.get('alpha', shape, 'scale')), w.get('beta', shape, 'bias'))
}

export const resmlps = classifiers({ family: 'resmlp', rows, build: resmlp })
