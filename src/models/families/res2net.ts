/** Res2Net and Res2NeXt (Gao et al. 2019), as timm's res2net.py computes them: a block's convolutions follow one another. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { add, avgPoolWithPadding, concat, relu, split } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, classifiers } from './family.ts'
import { resnet, type ResidualBlockSettings, type ResNetConfig, shortcut } from './resnet.ts'

/** Parts that the channels of a block are split into, and channels of a part per 64. */
const res2net = (depth: 50 | 101, groupWidth: number, scale: number): ResNetConfig => ({
  block: (w, x, c) => splitBlock(w, x, { ...c, scale }),
  depths: [3, 4, depth === 50 ? 6 : 23, 3],
  groupWidth,
})
const variantD = { stem: [32, 32, 64], averageDown: true } as const

const rows: Rows<ResNetConfig> = {
  res2net50_14w_8s: res2net(50, 14, 8),
  res2net50_26w_4s: res2net(50, 26, 4),
  res2net50_26w_6s: res2net(50, 26, 6),
  res2net50_26w_8s: res2net(50, 26, 8),
  res2net50_48w_2s: res2net(50, 48, 2),
  res2net50d: { ...res2net(50, 26, 4), ...variantD },
  res2net101_26w_4s: res2net(101, 26, 4),
  res2net101d: { ...res2net(101, 26, 4), ...variantD },
  res2next50: { ...res2net(50, 4, 4), groups: 8 },
}

const splitBlock: Block<ResidualBlockSettings & { scale: number }> = (w, x, c) => {
  const { stride, groups = 1, groupWidth = 64 } = c
  const width = Math.floor((c.width * groupWidth) / 64) * groups
  const out = 4 * c.width
  const first = stride > 1 || x.shape[1] !== out
  const y = relu(convNorm(w, x, { out: c.scale * width, names: ['conv1', 'bn1'] }))
  const mixed = splitConvolutions(w, y, { width, groups, stride, first })
  const z = convNorm(w, mixed, { out, names: ['conv3', 'bn3'] })
  return relu(add(z, shortcut(w.at('downsample'), x, { ...c, out })))
}

interface SplitConvolutions {
  /** Channels of a part. */
  width: number
  groups: number
  stride: number
  /** Whether the block is the first of its stage, where the parts stay apart and the last is averaged. */
  first: boolean
}

/** Splits channels into parts, convolves all but the last, each with the result before it added, and joins them. */
export const splitConvolutions: Block<SplitConvolutions> = (w, x, c) => {
  const { width, groups, stride } = c
  const count = channelsOf(x) / width
  const parts = split(x, Array<number>(count).fill(width), 1)
  const last = parts.at(-1)!
  const results: Tensor[] = []
  for (const [i, part] of parts.slice(0, -1).entries()) {
    const y = i === 0 || c.first ? part : add(results[i - 1]!, part)
    const names = [`convs.${i}`, `bns.${i}`] as const
    results.push(relu(convNorm(w, y, { out: width, kernel: 3, stride, groups, names })))
  }
  const rest = c.first ? avgPoolWithPadding(last, 3, { stride, padding: 1 }) : last
  return concat([...results, rest], 1)
}

export const res2Nets = classifiers({ family: 'res2net', rows, build: resnet })
