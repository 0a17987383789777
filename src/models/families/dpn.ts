/** Dual path network (Chen et al. 2017), as timm's dpn.py computes it: one path adds, the other concatenates. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, concat, flatten, globalAvgPool, maxPool, relu, split } from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers } from './family.ts'

interface DpnConfig {
  /** Channels of the stem, and side of its kernel. */
  stem: readonly [width: number, kernel: number]
  /** Channels that the first stage adds to; each further stage has twice as many. */
  width: number
  /** Channels inside the blocks of the first stage; each further stage has twice as many. */
  inner: number
  groups: number
  depths: readonly number[]
  /** Channels that a block of each stage concatenates. */
  increments: readonly number[]
  /** Whether the two paths have a last convolution each. */
  splitPaths?: boolean
}

const dpn68: DpnConfig = {
  stem: [10, 3],
  width: 64,
  inner: 128,
  groups: 32,
  depths: [3, 4, 12, 3],
  increments: [16, 32, 32, 64],
}

/** Returns a network with 256 channels in its first stage; `inner` and `groups` are those of its blocks. */
const wide = (
  [stem, inner, groups]: readonly [number, number, number],
  depths: readonly number[],
  increments: readonly number[],
): DpnConfig => ({ stem: [stem, 7], width: 256, inner, groups, depths, increments })

const rows: Rows<DpnConfig> = {
  dpn68,
  dpn68b: { ...dpn68, splitPaths: true },
  dpn92: wide([64, 96, 32], [3, 4, 20, 3], [16, 32, 24, 128]),
  dpn98: wide([96, 160, 40], [3, 6, 20, 3], [16, 32, 32, 128]),
  dpn107: wide([128, 200, 50], [4, 8, 20, 3], [20, 64, 64, 128]),
  dpn131: wide([128, 160, 40], [4, 8, 28, 3], [16, 32, 32, 128]),
}

const epsilon = 1e-3

/** image [n, 3, h, w] -> features [n, width], logits [n, classes] */
const dpn: ClassifierBuilder<DpnConfig> = (w, image, c) => {
  const body = w.at('features')
  const [out, kernel] = c.stem
  const stem = relu(convNorm(body.at('conv1_1'), image, { out, kernel, stride: 2, epsilon }))
  let paths: readonly Tensor[] = [maxPool(stem, 3, { stride: 2, padding: 1 })]
  for (const [stage, depth] of c.depths.entries()) {
    const sizes = { width: c.width * 2 ** stage, inner: c.inner * 2 ** stage }
    for (let i = 0; i < depth; i++)
      paths = dualPathBlock(body.at(`conv${stage + 2}_${i + 1}`), paths, {
        ...c,
        ...sizes,
        increment: c.increments[stage]!,
        shortcut: i > 0 ? 'none' : stage > 0 ? 'c1x1_w_s2' : 'c1x1_w_s1',
      })
  }
  const normal = batchNorm(body.at('conv5_bn_ac.bn'), concat(paths, 1), epsilon)
  const pooled = globalAvgPool(relu(normal))
  const logits = flatten(conv(w.at('classifier'), pooled, { out: c.classes, bias: true }))
  return { features: flatten(pooled), logits }
}

interface DualPathBlock extends Pick<DpnConfig, 'width' | 'inner' | 'groups' | 'splitPaths'> {
  increment: number
  /** The name of the layer that begins a stage. */
  shortcut: 'none' | 'c1x1_w_s1' | 'c1x1_w_s2'
}

/** Returns the path that is added to and the path that grows. */
function dualPathBlock(
  w: ParameterScope,
  paths: readonly Tensor[],
  c: DualPathBlock,
): [added: Tensor, grown: Tensor] {
  const { width, inner, increment } = c
  const x = concat(paths, 1)
  const stride = c.shortcut === 'c1x1_w_s2' ? 2 : 1
  const [first, second] =
    c.shortcut === 'none'
      ? paths
      : split(
          normConv(w.at(c.shortcut), x, { out: width + 2 * increment, stride }),
          [width, 2 * increment],
          1,
        )
  let y = normConv(w.at('c1x1_a'), x, { out: inner })
  y = normConv(w.at('c3x3_b'), y, { out: inner, kernel: 3, stride, groups: c.groups })
  const [sum, more] = lastConvolutions(w, y, c)
  return [add(first!, sum), concat([second!, more], 1)]
}

function lastConvolutions(
  w: ParameterScope,
  x: Tensor,
  { width, increment, splitPaths }: DualPathBlock,
): [Tensor, Tensor] {
  if (splitPaths) {
    const y = relu(batchNorm(w.at('c1x1_c.bn'), x, epsilon))
    return [conv(w.at('c1x1_c1'), y, { out: width }), conv(w.at('c1x1_c2'), y, { out: increment })]
  }
  const y = normConv(w.at('c1x1_c'), x, { out: width + increment })
  const [sum, more] = split(y, [width, increment], 1)
  return [sum!, more!]
}

interface NormConvOptions {
  out: number
  kernel?: number
  stride?: number
  groups?: number
}

const normConv: Block<NormConvOptions> = (w, x, c) => {
  const padding = ((c.kernel ?? 1) - 1) / 2
  return conv(w.at('conv'), relu(batchNorm(w.at('bn'), x, epsilon)), { ...c, padding })
}

export const dpns = classifiers({ family: 'dpn', rows, build: dpn })
