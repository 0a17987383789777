/** High-resolution network (Wang et al. 2019), as timm's hrnet.py computes it. */
import { type Block, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { add, relu, resize } from '../../lib/onnx/ops.ts'
import { channelsOf, fixedSize } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, pooledHead } from './family.ts'
import { basicBlock, bottleneckBlock } from './resnet.ts'

interface HrNetConfig {
  /** Channels at stride 4; every branch of half the size has twice as many. */
  width: number
  /** Bottleneck blocks before the branches, and their inner channels. */
  first: { blocks: number; width: number }
  /** Modules of the stages with two, three and four branches. */
  modules: readonly [number, number, number]
  /** Blocks of each branch in a module. */
  blocks: number
  /** Whether the head's convolutions have a bias; true by default. */
  headBias?: boolean
}

const hrnetConfig = (width: number): HrNetConfig => ({
  width,
  first: { blocks: 4, width: 64 },
  modules: [1, 4, 3],
  blocks: 4,
})

const rows: Rows<HrNetConfig> = {
  hrnet_w18_small: { width: 16, first: { blocks: 1, width: 32 }, modules: [1, 1, 1], blocks: 2 },
  hrnet_w18_small_v2: { width: 18, first: { blocks: 2, width: 64 }, modules: [1, 3, 2], blocks: 2 },
  hrnet_w18: hrnetConfig(18),
  hrnet_w18_ssld: { ...hrnetConfig(18), headBias: false },
  hrnet_w30: hrnetConfig(30),
  hrnet_w32: hrnetConfig(32),
  hrnet_w40: hrnetConfig(40),
  hrnet_w44: hrnetConfig(44),
  hrnet_w48: hrnetConfig(48),
  hrnet_w48_ssld: { ...hrnetConfig(48), headBias: false },
  hrnet_w64: hrnetConfig(64),
}

const pair = ['0', '1'] as const

/** image [n, 3, h, w] with h, w multiples of 32 -> features [n, 2048], logits [n, classes] */
const hrnet: ClassifierBuilder<HrNetConfig> = (w, image, c) => {
  let x = relu(convNorm(w, image, { out: 64, kernel: 3, stride: 2, names: ['conv1', 'bn1'] }))
  x = relu(convNorm(w, x, { out: 64, kernel: 3, stride: 2, names: ['conv2', 'bn2'] }))
  for (const block of w.each('layer1', c.first.blocks))
    x = bottleneckBlock(block, x, { width: c.first.width, stride: 1 })
  let branches = [
    relu(convNorm(w.at('transition1.0'), x, { out: c.width, kernel: 3, names: pair })),
  ]
  for (const [i, modules] of c.modules.entries()) {
    const deepest = i === 0 ? x : branches.at(-1)!
    const added = w.at(`transition${i + 1}.${i + 1}.0`)
    branches.push(
      relu(
        convNorm(added, deepest, {
          out: c.width * 2 ** (i + 1),
          kernel: 3,
          stride: 2,
          names: pair,
        }),
      ),
    )
    for (const module of w.each(`stage${i + 2}`, modules))
      branches = exchange(module, branches, c.blocks)
  }
  return pooledHead(w.at('classifier'), head(w, branches, c.headBias), c.classes)
}

/** Applies residual blocks to every branch, then gives each the sum of all branches, brought to its size and width. */
function exchange(w: ParameterScope, inputs: readonly Tensor[], blocks: number): Tensor[] {
  const branches = inputs.map((input, i) =>
    w
      .each(`branches.${i}`, blocks)
      .reduce((x, block) => basicBlock(block, x, { width: channelsOf(x), stride: 1 }), input),
  )
  return branches.map((own, i) => {
    const width = channelsOf(own)
    const parts = branches.map((x, j) => {
      const scope = w.at(`fuse_layers.${i}.${j}`)
      if (j === i) return x
      return j > i
        ? enlarged(scope, x, { width, factor: 2 ** (j - i) })
        : reduced(scope, x, { width, times: i - j })
    })
    return relu(parts.reduce((sum, part) => add(sum, part)))
  })
}

const enlarged: Block<{ width: number; factor: number }> = (w, x, { width, factor }) => {
  const y = convNorm(w, x, { out: width, names: pair })
  const [n, , height, across] = y.shape
  const shape = [
    n!,
    width,
    fixedSize(height, 'enlarged') * factor,
    fixedSize(across, 'enlarged') * factor,
  ]
  return resize(y, shape, {
    mode: 'nearest',
    coordinates: 'asymmetric',
    scales: [1, 1, factor, factor],
  })
}

/** Halves x `times` times; only the last convolution changes the width and has no activation. */
const reduced: Block<{ width: number; times: number }> = (w, x, { width, times }) => {
  let y = x
  for (let i = 0; i < times - 1; i++) {
    y = relu(convNorm(w.at(i), y, { out: channelsOf(x), kernel: 3, stride: 2, names: pair }))
  }
  return convNorm(w.at(times - 1), y, { out: width, kernel: 3, stride: 2, names: pair })
}

/** Widens each branch and adds it, from the largest to the smallest, to the reduced sum so far: [n, 2048, h/32, w/32]. */
function head(w: ParameterScope, branches: readonly Tensor[], bias = true): Tensor {
  const wider = branches.map((x, i) =>
    bottleneckBlock(w.at(`incre_modules.${i}.0`), x, { width: 32 * 2 ** i, stride: 1 }),
  )
  const layer = (scope: ParameterScope, x: Tensor, c: { out: number; kernel: number }): Tensor => {
    const window = { stride: c.kernel === 3 ? 2 : 1, padding: (c.kernel - 1) / 2 }
    return relu(batchNorm(scope.at(1), conv(scope.at(0), x, { ...c, ...window, bias })))
  }
  const sum = wider.reduce((y, x, i) =>
    add(x, layer(w.at(`downsamp_modules.${i - 1}`), y, { out: 128 * 2 ** i, kernel: 3 })),
  )
  return layer(w.at('final_layer'), sum, { out: 2048, kernel: 1 })
}

export const hrnets = classifiers({ family: 'hrnet', rows, build: hrnet })
