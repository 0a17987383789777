/** SHViT, attention of one head over a part of the channels (Yun and Ro 2024), as timm's shvit.py computes it. */
import { type Block } from '../../lib/onnx/graph.ts'
import { attendPlaces } from '../../lib/onnx/blocks/attention.ts'
import {
  addDepthwise,
  addPointwise,
  convNorm,
  halvingStem,
  mergeByBottleneck,
  normLinear,
} from '../../lib/onnx/blocks/convNorm.ts'
import { groupNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, concat, flatten, globalAvgPool, relu, split } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface ShvitConfig {
  depths: readonly [number, number, number]
  widths: readonly [number, number, number]
  /** Channels that attend, in the second and third stage. */
  attending: readonly [number, number]
}

const rows: Rows<ShvitConfig> = {
  shvit_s1: { depths: [2, 4, 5], widths: [128, 224, 320], attending: [48, 68] },
  shvit_s2: { depths: [2, 4, 5], widths: [128, 308, 448], attending: [66, 96] },
  shvit_s3: { depths: [3, 5, 5], widths: [192, 352, 448], attending: [75, 96] },
  shvit_s4: { depths: [4, 7, 6], widths: [224, 336, 448], attending: [72, 96] },
}

const key = 16
const names = ['c', 'bn'] as const

/** image [n, 3, h, w] -> features [n, last width], logits [n, classes] */
const shvit: ClassifierBuilder<ShvitConfig> = (w, image, c) => {
  let x = halvingStem(
    [0, 2, 4, 6].map(i => w.at(`patch_embed.${i}`)),
    image,
    { out: c.widths[0], activation: relu, names },
  )
  for (const [i, stage] of w.each('stages', 3).entries()) {
    const down = stage.at('downsample')
    if (i > 0) {
      x = addPointwise(down.at('1.m'), addDepthwise(down.at('0.m'), x, { names }), { names })
      x = mergeByBottleneck(down.at(2), x, { out: c.widths[i]!, names })
      x = addPointwise(down.at('4.m'), addDepthwise(down.at('3.m'), x, { names }), { names })
    }
    for (const block of stage.each('blocks', c.depths[i]!)) {
      x = addDepthwise(block.at('conv.m'), x, { names })
      if (i > 0) x = add(x, partialAttention(block.at('mixer.m'), x, c.attending[i - 1]!))
      x = addPointwise(block.at('ffn.m'), x, { names })
    }
  }
  const pooled = globalAvgPool(x)
  const logits = normLinear(w.at('head'), pooled, { out: c.classes, name: 'l' })
  return { features: flatten(pooled), logits }
}

/** Attention of the first `attending` channels over places; a layer mixes them with the rest. */
const partialAttention: Block<number> = (w, x, attending) => {
  const width = channelsOf(x)
  const [part, rest] = split(x, [attending, width - attending], 1)
  const normal = groupNorm(w.at('pre_norm'), part!, { groups: 1 })
  const joint = convNorm(w.at('qkv'), normal, { out: 2 * key + attending, names })
  const [q, k, v] = split(joint, [key, key, attending], 1)
  const attended = attendPlaces([q!, k!, v!], { heads: 1 })
  return convNorm(w.at('proj.1'), relu(concat([attended, rest!], 1)), { out: width, names })
}

export const shvits = classifiers({ family: 'shvit', rows, build: shvit })
