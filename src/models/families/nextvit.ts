/** Next-ViT (Li et al. 2022), as timm's nextvit.py computes it: convolutional attention, and attention to averaged tokens. */
import { type Block, type Layer } from '../../lib/onnx/graph.ts'
import { attend } from '../../lib/onnx/blocks/attention.ts'
import { convNorm, divisibleWidth } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens, toImage } from '../../lib/onnx/blocks/tokens.ts'
import { convMlp } from '../../lib/onnx/blocks/mlp.ts'
import { add, avgPool, concat, mean, relu, reshape, slice, transpose } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'

interface NextViTConfig {
  /** How often the third stage repeats four convolutional blocks and a transformer block. */
  repeats: number
}

const rows: Rows<NextViTConfig> = {
  nextvit_small: { repeats: 2 },
  nextvit_base: { repeats: 4 },
  nextvit_large: { repeats: 6 },
}

const headWidth = 32
const names = ['conv', 'norm'] as const

/** image [n, 3, h, w] -> features [n, 1024], logits [n, classes] */
const nextViT: ClassifierBuilder<NextViTConfig> = (w, image, c) => {
  let x = image
  for (const [i, out] of [64, 32, 64, 64].entries()) {
    const stride = i === 0 || i === 3 ? 2 : 1
    x = relu(convNorm(w.at(`stem.${i}`), x, { out, kernel: 3, stride, names }))
  }
  for (const [i, { blocks, ratio }] of stagesOf(c).entries()) {
    for (const [j, { out, attends }] of blocks.entries()) {
      const scope = w.at(`stages.${i}.blocks.${j}`)
      const stride = i > 0 && j === 0 ? 2 : 1
      x = attends
        ? transformerBlock(scope, x, { out, stride, ratio })
        : convolutionBlock(scope, x, { out, stride })
    }
  }
  return pooledHead(w.at('head.fc'), batchNorm(w.at('norm'), x), c.classes)
}

/** The blocks of each stage, and how many tokens a side its attention averages. */
const stagesOf = ({ repeats }: NextViTConfig) => {
  const convolutions = (out: number, count: number) =>
    Array.from({ length: count }, () => ({ out, attends: false }))
  const transformer = (out: number) => ({ out, attends: true })
  const third = [...convolutions(384, 4), transformer(512)]
  return [
    { ratio: 8, blocks: convolutions(96, 3) },
    { ratio: 4, blocks: [...convolutions(192, 3), transformer(256)] },
    { ratio: 2, blocks: Array.from({ length: repeats }, () => third).flat() },
    { ratio: 1, blocks: [...convolutions(768, 2), transformer(1024)] },
  ]
}

interface BlockSettings {
  out: number
  stride: number
}

const convolutionBlock: Block<BlockSettings> = (w, x, c) => {
  let y = embedded(w.at('patch_embed'), x, c)
  y = add(y, convolutionalAttention(w.at('mhca'), y))
  return add(y, mlp(w.at('mlp'), batchNorm(w.at('norm'), y), 3))
}

/** Applies attention to most channels and convolutional attention to the others. */
const transformerBlock: Block<BlockSettings & { ratio: number }> = (
  w,
  x,
  { out, stride, ratio },
) => {
  const attending = divisibleWidth(out * 0.75, { divisor: 32 })
  let y = embedded(w.at('patch_embed'), x, { out: attending, stride })
  const attended = attention(w.at('e_mhsa'), toTokens(batchNorm(w.at('norm1'), y)), ratio)
  y = add(y, toImage(attended, y.shape.slice(2)))
  const rest = embedded(w.at('projection'), y, { out: out - attending, stride: 1 })
  y = concat([y, add(rest, convolutionalAttention(w.at('mhca'), rest))], 1)
  return add(y, mlp(w.at('mlp'), batchNorm(w.at('norm2'), y), 2))
}

/** Subsamples x by averages and projects it where its shape must change. */
const embedded: Block<BlockSettings> = (w, x, { out, stride }) => {
  if (stride === 1 && x.shape[1] === out) return x
  const smaller = stride === 1 ? x : avgPool(x, 2, { stride, ceil: true })
  return convNorm(w, smaller, { out, names })
}

const convolutionalAttention: Layer = (w, x) => {
  const out = channelsOf(x)
  const local = {
    out,
    kernel: 3,
    groups: out / headWidth,
    names: ['group_conv3x3', 'norm'] as const,
  }
  return conv(w.at('projection'), relu(convNorm(w, x, local)), { out })
}

/** Computes attention of tokens [n, length, width] to averages of `ratio`² consecutive tokens. */
const attention: Block<number> = (w, x, ratio) => {
  const [n, tokens, dim] = x.shape
  const width = fixedSize(dim, 'attention')
  const run = ratio ** 2
  const length = Math.floor(fixedSize(tokens, 'attention') / run)
  let seen = x
  if (run > 1) {
    const runs = reshape(slice(x, 1, [0, length * run]), [n!, length, run, width])
    const means = transpose(mean(runs, [2]), [0, 2, 1])
    seen = transpose(batchNorm(w.at('norm'), means), [0, 2, 1])
  }
  const q = linear(w.at('q'), x, width)
  const k = linear(w.at('k'), seen, width)
  const v = linear(w.at('v'), seen, width)
  return linear(w.at('proj'), attend([q, k, v], { heads: width / headWidth }), width)
}

const mlp: Block<number> = (w, x, ratio) =>
  convMlp(w, x, { hidden: ratio * channelsOf(x), activation: relu })

export const nextViTs = classifiers({ family: 'nextvit', rows, build: nextViT })
