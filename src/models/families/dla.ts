/** Deep Layer Aggregation (Yu et al. 2017), also with Res2Net's blocks (Gao et al. 2019), as timm's dla.py computes it. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { add, concat, flatten, globalAvgPool, maxPool, relu } from '../../lib/onnx/ops.ts'
import { type NameTable } from '../../lib/tensors/bindWeights.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'
import { splitConvolutions } from './res2net.ts'

interface DlaConfig {
  /** Depths of the trees at strides 4, 8, 16 and 32. */
  levels: readonly [number, number, number, number]
  widths: readonly [number, number, number, number]
  block: keyof typeof blocks
  /** Groups of the 3 × 3 convolutions, and channels of a group per 64; one of 64 by default. */
  groups?: number
  groupWidth?: number
  /** The aggregation nodes add their newest child to their output. */
  residualRoot?: boolean
}

const compact = [64, 64, 128, 256] as const
const wide = [128, 256, 512, 1024] as const
const x32x4 = { groups: 32, groupWidth: 4 }

const rows: Rows<DlaConfig> = {
  dla34: { levels: [1, 2, 2, 1], widths: [64, 128, 256, 512], block: 'basic' },
  dla46_c: { levels: [1, 2, 2, 1], widths: compact, block: 'bottleneck' },
  dla46x_c: { levels: [1, 2, 2, 1], widths: compact, block: 'bottleneck', ...x32x4 },
  dla60x_c: { levels: [1, 2, 3, 1], widths: compact, block: 'bottleneck', ...x32x4 },
  dla60: { levels: [1, 2, 3, 1], widths: wide, block: 'bottleneck' },
  dla60_res2net: { levels: [1, 2, 3, 1], widths: wide, block: 'split', groupWidth: 28 },
  dla60_res2next: { levels: [1, 2, 3, 1], widths: wide, block: 'split', groups: 8, groupWidth: 4 },
  dla60x: { levels: [1, 2, 3, 1], widths: wide, block: 'bottleneck', ...x32x4 },
  dla102: { levels: [1, 3, 4, 1], widths: wide, block: 'bottleneck', residualRoot: true },
  dla102x: {
    levels: [1, 3, 4, 1],
    widths: wide,
    block: 'bottleneck',
    residualRoot: true,
    ...x32x4,
  },
  dla102x2: {
    levels: [1, 3, 4, 1],
    widths: wide,
    block: 'bottleneck',
    residualRoot: true,
    groups: 64,
    groupWidth: 4,
  },
  dla169: { levels: [2, 3, 5, 1], widths: wide, block: 'bottleneck', residualRoot: true },
}

const pair = ['0', '1'] as const

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const dla: ClassifierBuilder<DlaConfig> = (w, image, c) => {
  let x = relu(convNorm(w.at('base_layer'), image, { out: 16, kernel: 7, names: pair }))
  x = relu(convNorm(w.at('level0'), x, { out: 16, kernel: 3, names: pair }))
  x = relu(convNorm(w.at('level1'), x, { out: 32, kernel: 3, stride: 2, names: pair }))
  for (const [i, out] of c.widths.entries()) {
    const children = i === 0 ? [] : [maxPool(x, 2, { stride: 2 })]
    x = tree(w.at(`level${i + 2}`), x, { ...c, levels: c.levels[i]!, out, stride: 2, children })
  }
  const pooled = globalAvgPool(x)
  return {
    features: flatten(pooled),
    logits: flatten(conv(w.at('fc'), pooled, { out: c.classes, bias: true })),
  }
}

interface DlaTree extends Omit<DlaConfig, 'levels' | 'widths'> {
  levels: number
  out: number
  stride: number
  /** Results from further up that the last root aggregates beside its own blocks. */
  children: readonly Tensor[]
}

/** Applies two blocks and their aggregation node, or two subtrees in a row. */
const tree: Block<DlaTree> = (w, x, t) => {
  if (t.levels > 1) {
    const levels = t.levels - 1
    const first = tree(w.at('tree1'), x, { ...t, levels, children: [] })
    return tree(w.at('tree2'), first, { ...t, levels, stride: 1, children: [...t.children, first] })
  }
  const bottom = t.stride > 1 ? maxPool(x, t.stride, { stride: t.stride }) : x
  const shortcut =
    x.shape[1] === t.out ? bottom : convNorm(w.at('project'), bottom, { out: t.out, names: pair })
  const first = blocks[t.block](w.at('tree1'), x, { ...t, shortcut })
  const second = blocks[t.block](w.at('tree2'), first, { ...t, shortcut: first, stride: 1 })
  const root = convNorm(w.at('root'), concat([second, first, ...t.children], 1), { out: t.out })
  return relu(t.residualRoot ? add(root, second) : root)
}

type DlaBlock = Pick<DlaTree, 'out' | 'stride' | 'groups' | 'groupWidth'> & { shortcut: Tensor }

const basic: Block<DlaBlock> = (w, x, { shortcut, out, stride }) => {
  const y = relu(convNorm(w, x, { out, kernel: 3, stride, names: ['conv1', 'bn1'] }))
  return relu(add(convNorm(w, y, { out, kernel: 3, names: ['conv2', 'bn2'] }), shortcut))
}

const innerWidth = ({ out, groups = 1, groupWidth = 64 }: DlaBlock): number =>
  Math.floor((Math.floor((out * groupWidth) / 64) * groups) / 2)

const bottleneck: Block<DlaBlock> = (w, x, c) => {
  const { shortcut, out, stride, groups = 1 } = c
  const inner = innerWidth(c)
  let y = relu(convNorm(w, x, { out: inner, names: ['conv1', 'bn1'] }))
  y = relu(convNorm(w, y, { out: inner, kernel: 3, stride, groups, names: ['conv2', 'bn2'] }))
  return relu(add(convNorm(w, y, { out, names: ['conv3', 'bn3'] }), shortcut))
}

const splitBottleneck: Block<DlaBlock> = (w, x, c) => {
  const { shortcut, out, stride, groups = 1 } = c
  const width = innerWidth(c)
  const y = relu(convNorm(w, x, { out: 4 * width, names: ['conv1', 'bn1'] }))
  const mixed = splitConvolutions(w, y, { width, groups, stride, first: stride > 1 })
  return relu(add(convNorm(w, mixed, { out, names: ['conv3', 'bn3'] }), shortcut))
}

const blocks = { basic, bottleneck, split: splitBottleneck }

/** The authors' checkpoints hold projections of trees deeper than one level, which the network does not use. */
const names = ({ levels }: DlaConfig): NameTable => ({
  ignore: levels.flatMap((depth, i) =>
    Array.from(
      { length: depth - 1 },
      (_, above) => new RegExp(`^level${i + 2}${'\\.tree1'.repeat(above)}\\.project\\.`),
    ),
  ),
})

export const dlas = classifiers({ family: 'dla', rows, build: dla, names })
