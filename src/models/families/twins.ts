/** Twins-PCPVT and Twins-SVT (Chu et al. 2021), as timm's twins.py computes them. */
import { reducedAttention, selfAttention } from '../../lib/onnx/blocks/attention.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { mlp } from '../../lib/onnx/blocks/mlp.ts'
import { layerNorm } from '../../lib/onnx/blocks/norm.ts'
import { addConvPositions } from '../../lib/onnx/blocks/tokens.ts'
import { preNormBlock } from '../../lib/onnx/blocks/transformer.ts'
import { inWindows } from '../../lib/onnx/blocks/windows.ts'
import { channelsFirst, channelsLast, mean } from '../../lib/onnx/ops.ts'
import { needMultiple } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface TwinsConfig {
  depths: readonly number[]
  widths: readonly number[]
  heads: readonly number[]
  /** Widths inside the MLPs as multiples of the tokens'. */
  expand: readonly number[]
  /** Whether every other block, from the first, attends in windows of 7 × 7 tokens. */
  windows?: boolean
}

const pcpvt = { widths: [64, 128, 320, 512], heads: [1, 2, 5, 8], expand: [8, 8, 4, 4] }
const svt = (first: number): Omit<TwinsConfig, 'depths'> => ({
  widths: [first, 2 * first, 4 * first, 8 * first],
  heads: [1, 2, 4, 8].map(factor => (factor * first) / 32),
  expand: [4, 4, 4, 4],
  windows: true,
})

const rows: Rows<TwinsConfig> = {
  twins_pcpvt_small: { ...pcpvt, depths: [3, 4, 6, 3] },
  twins_pcpvt_base: { ...pcpvt, depths: [3, 4, 18, 3] },
  twins_pcpvt_large: { ...pcpvt, depths: [3, 8, 27, 3] },
  twins_svt_small: { ...svt(64), depths: [2, 2, 10, 4] },
  twins_svt_base: { ...svt(96), depths: [2, 2, 18, 2] },
  twins_svt_large: { ...svt(128), depths: [2, 2, 18, 2] },
}

const ratios = [8, 4, 2, 1]

/** image [n, 3, h, w] -> features [n, width of the last stage], logits [n, classes] */
const twins: ClassifierBuilder<TwinsConfig> = (w, image, c) => {
  needMultiple(image, 32)
  let x = image
  for (const [stage, depth] of c.depths.entries()) {
    const [out, patch, heads] = [c.widths[stage]!, stage === 0 ? 4 : 2, c.heads[stage]!]
    const embed = w.at(`patch_embeds.${stage}`)
    const layer = { out, kernel: patch, stride: patch, bias: true }
    const patches = channelsLast(conv(embed.at('proj'), x, layer))
    let grid = layerNorm(embed.at('norm'), patches, 1e-5)
    for (const [i, block] of w.each(`blocks.${stage}`, depth).entries()) {
      grid = preNormBlock(block, grid, {
        attention: (scope, y) =>
          c.windows && i % 2 === 0
            ? inWindows(y, 7, windows => selfAttention(scope, windows, { heads }))
            : reducedAttention(scope, y, { heads, ratio: ratios[stage]! }),
        mlp: (scope, y) => mlp(scope, y, { hidden: c.expand[stage]! * out }),
      })
      if (i === 0) grid = addConvPositions(w.at(`pos_block.${stage}.proj.0`), grid)
    }
    x = channelsFirst(grid)
  }
  return linearHead(w.at('head'), mean(layerNorm(w.at('norm'), channelsLast(x)), [1, 2]), c.classes)
}

export const twinsModels = classifiers({ family: 'twins', rows, build: twins })
