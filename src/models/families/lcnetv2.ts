/**
 * PP-LCNetV2 (PaddleClas 2022, distilled as in Cui et al. 2021), as timm's lcnetv2.py computes it: depthwise separable blocks for
 * processors, in the last stages with branches of several kernels.
 */
import { type Block } from '../../lib/onnx/graph.ts'
import { branchedConv, convBranch } from '../../lib/onnx/blocks/branches.ts'
import {
  convNorm,
  depthwiseConvNorm,
  divisibleWidth,
  squeezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { add, flatten, globalAvgPool, relu } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface LcNetV2Config {
  /** Factor of all widths but the head's. */
  scale: number
  depths: readonly [number, number, number, number]
}

const rows: Rows<LcNetV2Config> = {
  lcnetv2_small: { scale: 0.75, depths: [2, 2, 4, 2] },
  lcnetv2_base: { scale: 1, depths: [2, 2, 6, 2] },
  lcnetv2_large: { scale: 1.25, depths: [2, 2, 8, 2] },
}

interface BlockSettings {
  out: number
  kernel: number
  stride?: number
  /** Whether kernels of all odd sides up to `kernel` are summed. */
  branched?: boolean
  squeezed?: boolean
  /** Whether a bottleneck of half the channels mixes the channels. */
  bottleneck?: boolean
  shortcut?: boolean
}

const stages: readonly BlockSettings[] = [
  { out: 128, kernel: 3 },
  { out: 256, kernel: 3 },
  { out: 512, kernel: 5, branched: true, squeezed: true, bottleneck: true },
  { out: 1024, kernel: 5, branched: true, shortcut: true },
]

/** image [n, 3, h, w] -> features [n, 1280], logits [n, classes] */
const lcNetV2: ClassifierBuilder<LcNetV2Config> = (w, image, c) => {
  const width = (channels: number): number => divisibleWidth(channels * c.scale, { limit: 0.9 })
  let x = relu(convNorm(w.at('stem.0'), image, { out: width(32), kernel: 3, stride: 2 }))
  x = separable(w.at('stem.1'), x, { out: width(64), kernel: 3 })
  for (const [i, settings] of stages.entries())
    for (const [j, block] of w.each(`stages.${i}`, c.depths[i]!).entries())
      x = separable(block, x, { ...settings, out: width(settings.out), stride: j === 0 ? 2 : 1 })
  const features = flatten(relu(conv(w.at('conv_head'), globalAvgPool(x), { out: 1280 })))
  return linearHead(w.at('classifier'), features, c.classes)
}

const separable: Block<BlockSettings> = (w, x, c) => {
  const { out, stride = 1 } = c
  const width = channelsOf(x)
  let y = relu(depthwise(w, x, c))
  if (c.squeezed) y = squeezeExcite(w.at('se'), y, { inner: Math.floor(width / 4) })
  const mixed = w.at('pw_conv')
  if (c.bottleneck) y = relu(convNorm(mixed.at(0), y, { out: Math.floor(out / 2) }))
  y = relu(convNorm(c.bottleneck ? mixed.at(1) : mixed, y, { out }))
  return c.shortcut && stride === 1 && width === out ? add(x, y) : y
}

/** Applies a depthwise convolution, or the sum of several with smaller kernels; one of side 1 is left out where the size halves. */
const depthwise: Block<BlockSettings> = (w, x, c) => {
  const { kernel, stride = 1, branched } = c
  if (!branched) return depthwiseConvNorm(w.at('dw_conv'), x, { kernel, stride })
  const width = channelsOf(x)
  const branches: Parameters<typeof branchedConv>[1][number][] = []
  for (let side = kernel; side >= (stride === 1 ? 1 : 3); side -= 2)
    branches.push(convBranch(w.at('dw_conv_list').at(branches.length), side))
  return branchedConv(x, branches, { out: width, groups: width, stride })
}

export const lcNetV2s = classifiers({ family: 'lcnetv2', rows, build: lcNetV2 })
