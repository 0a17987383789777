/**
 * PP-HGNet and PP-HGNetV2 (PaddleClas, Cui et al. 2021 for their distillation), as timm's hgnet.py computes them: blocks
 * that join the outputs of all their layers.
 */
import { type Block, type Layer, type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import {
  convNorm,
  depthwiseConvNorm,
  effectiveSqueezeExcite,
} from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import {
  add,
  concat,
  flatten,
  globalAvgPool,
  maxPool,
  mul,
  pad2d,
  relu,
  sigmoid,
} from '../../lib/onnx/ops.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface HgNetConfig {
  version: 1 | 2
  /** Channels of the stem's layers. */
  stem: readonly number[]
  /** Channels of the layers inside the blocks of each stage. */
  inner: readonly number[]
  /** Channels of the blocks' results in each stage. */
  widths: readonly number[]
  /** Blocks of each stage. */
  depths: readonly number[]
  /** Layers of a block. */
  layers: number
  /** Whether activations are scaled and shifted by two learned numbers. */
  affine?: boolean | undefined
}

/** The numbers of a configuration, in its order. */
type HgNetRow = readonly [
  stem: readonly number[],
  inner: readonly number[],
  widths: readonly number[],
  depths: readonly number[],
  layers: number,
]

const v1 = ([stem, inner, widths, depths, layers]: HgNetRow): HgNetConfig => ({
  version: 1,
  stem,
  inner,
  widths,
  depths,
  layers,
})
const v2 = (row: HgNetRow): HgNetConfig => ({ ...v1(row), version: 2 })
const affineV2 = (row: HgNetRow): HgNetConfig => ({ ...v2(row), affine: true })

const rows: Rows<HgNetConfig> = {
  hgnet_tiny: v1([[48, 48, 96], [96, 128, 160, 192], [224, 448, 512, 768], [1, 1, 2, 1], 5]),
  hgnet_small: v1([[64, 64, 128], [128, 160, 192, 224], [256, 512, 768, 1024], [1, 1, 2, 1], 6]),
  hgnet_base: v1([[96, 96, 160], [192, 224, 256, 288], [320, 640, 960, 1280], [1, 2, 3, 2], 7]),
  hgnetv2_b0: affineV2([[16, 16], [16, 32, 64, 128], [64, 256, 512, 1024], [1, 1, 2, 1], 3]),
  hgnetv2_b1: affineV2([[24, 32], [32, 48, 96, 192], [64, 256, 512, 1024], [1, 1, 2, 1], 3]),
  hgnetv2_b2: affineV2([[24, 32], [32, 64, 128, 256], [96, 384, 768, 1536], [1, 1, 3, 1], 4]),
  hgnetv2_b3: affineV2([[24, 32], [32, 64, 128, 256], [128, 512, 1024, 2048], [1, 1, 3, 1], 5]),
  hgnetv2_b4: v2([[32, 48], [48, 96, 192, 384], [128, 512, 1024, 2048], [1, 1, 3, 1], 6]),
  hgnetv2_b5: v2([[32, 64], [64, 128, 256, 512], [128, 512, 1024, 2048], [1, 2, 5, 2], 6]),
  hgnetv2_b6: v2([[48, 96], [96, 192, 384, 768], [192, 512, 1024, 2048], [2, 3, 6, 3], 6]),
}

/** image [n, 3, h, w] -> features [n, 2048], logits [n, classes] */
const hgNet: ClassifierBuilder<HgNetConfig> = (w, image, c) => {
  let x = c.version === 1 ? stemV1(w.at('stem'), image, c) : stemV2(w.at('stem'), image, c)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    if (i > 0) x = depthwiseConvNorm(stage.at('downsample'), x, { kernel: 3, stride: 2 })
    for (const [j, scope] of stage.each('blocks', c.depths[i]!).entries()) {
      const y = block(scope, x, { ...c, stage: i })
      x = j === 0 ? y : add(y, x)
    }
  }
  const last = w.at('head.last_conv')
  const hidden = relu(conv(last.at(0), globalAvgPool(x), { out: 2048 }))
  const features = flatten(c.affine ? affine(last.at(2), hidden) : hidden)
  return linearHead(w.at('head.fc'), features, c.classes)
}

/** Scales and shifts x by one learned number each. */
const affine: Layer = (w, x) =>
  add(mul(x, w.get('scale', [1], 'scale')), w.get('bias', [1], 'bias'))

type LayerSettings = Parameters<typeof convNorm>[2] & Pick<HgNetConfig, 'affine'>

const layer: Block<LayerSettings> = (w, x, c) => {
  const { affine: scaled, ...options } = c
  const y = relu(convNorm(w, x, options))
  return scaled ? affine(w.at('lab'), y) : y
}

const stemV1: Block<HgNetConfig> = (w, image, c) => {
  const x = w
    .each('stem', c.stem.length)
    .reduce(
      (y, scope, i) => layer(scope, y, { out: c.stem[i]!, kernel: 3, stride: i === 0 ? 2 : 1 }),
      image,
    )
  return maxPool(x, 3, { stride: 2, padding: 1 })
}

/** Joins a pooling and two convolutions side by side; zeros are padded below and on the right. */
const stemV2: Block<HgNetConfig> = (w, image, c) => {
  const { affine } = c
  const [width, out] = c.stem as [number, number]
  const bordered = (x: Tensor): Tensor => pad2d(x, [0, 0, 1, 1])
  const halving = { affine, out: width, kernel: 3, stride: 2 }
  const pair = { affine, kernel: 2, padding: 0 }
  const x = bordered(layer(w.at('stem1'), image, halving))
  const y = layer(w.at('stem2a'), x, { ...pair, out: width / 2 })
  const convolved = layer(w.at('stem2b'), bordered(y), { ...pair, out: width })
  const joined = concat([maxPool(x, 2), convolved], 1)
  return layer(w.at('stem4'), layer(w.at('stem3'), joined, halving), { affine, out })
}

const block: Block<HgNetConfig & { stage: number }> = (w, x, c) => {
  const { affine } = c
  const out = c.inner[c.stage]!
  const light = c.version === 2 && c.stage >= 2
  const outputs = [x]
  for (const scope of w.each('layers', c.layers)) {
    const y = outputs.at(-1)!
    const next = light
      ? layer(scope.at('conv2'), convNorm(scope.at('conv1'), y, { out }), {
          affine,
          out,
          kernel: 5,
          groups: out,
        })
      : layer(scope, y, { affine, out, kernel: 3 })
    outputs.push(next)
  }
  const width = c.widths[c.stage]!
  const [first, second] = w.each('aggregation', 2) as [ParameterScope, ParameterScope]
  const joined = concat(outputs, 1)
  if (c.version === 2)
    return layer(second, layer(first, joined, { affine, out: width / 2 }), { affine, out: width })
  return effectiveSqueezeExcite(second.at('conv'), layer(first, joined, { out: width }), sigmoid)
}

export const hgNets = classifiers({ family: 'hgnet', rows, build: hgNet })
