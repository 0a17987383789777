/**
 * PP-HGNet and PP-HGNetV2 (PaddleClas, Cui et al. 2021 for their distillation), as timm's hgnet.py computes them: blocks
 * that join the outputs of all their layers.
 */
import { type Tensor, type ParameterScope } from '../../lib/onnx/graph.ts'
import { convNorm, effectiveSqueezeExcite } from '../../lib/onnx/blocks/convNorm.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
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
import { fixedSize } from '../../lib/onnx/shapes.ts'
import { type ArchitectureRows, type ClassifierBuilder, classifiers } from './family.ts'

interface HgNetConfig {
  version: 1 | 2
  stem: readonly number[]
  /** Per stage: channels of the layers, channels of the blocks, blocks. */
  inner: readonly number[]
  widths: readonly number[]
  depths: readonly number[]
  /** Layers of a block. */
  layers: number
  /** Whether activations are scaled and shifted by two learned numbers. */
  affine?: boolean | undefined
}

const v1 = (rest: Omit<HgNetConfig, 'version'>): HgNetConfig => ({ version: 1, ...rest })
const v2 = (rest: Omit<HgNetConfig, 'version'>): HgNetConfig => ({ version: 2, ...rest })

const rows: ArchitectureRows<HgNetConfig> = {
  hgnet_tiny: v1({
    stem: [48, 48, 96],
    inner: [96, 128, 160, 192],
    widths: [224, 448, 512, 768],
    depths: [1, 1, 2, 1],
    layers: 5,
  }),
  hgnet_small: v1({
    stem: [64, 64, 128],
    inner: [128, 160, 192, 224],
    widths: [256, 512, 768, 1024],
    depths: [1, 1, 2, 1],
    layers: 6,
  }),
  hgnet_base: v1({
    stem: [96, 96, 160],
    inner: [192, 224, 256, 288],
    widths: [320, 640, 960, 1280],
    depths: [1, 2, 3, 2],
    layers: 7,
  }),
  hgnetv2_b0: v2({
    stem: [16, 16],
    inner: [16, 32, 64, 128],
    widths: [64, 256, 512, 1024],
    depths: [1, 1, 2, 1],
    layers: 3,
    affine: true,
  }),
  hgnetv2_b1: v2({
    stem: [24, 32],
    inner: [32, 48, 96, 192],
    widths: [64, 256, 512, 1024],
    depths: [1, 1, 2, 1],
    layers: 3,
    affine: true,
  }),
  hgnetv2_b2: v2({
    stem: [24, 32],
    inner: [32, 64, 128, 256],
    widths: [96, 384, 768, 1536],
    depths: [1, 1, 3, 1],
    layers: 4,
    affine: true,
  }),
  hgnetv2_b3: v2({
    stem: [24, 32],
    inner: [32, 64, 128, 256],
    widths: [128, 512, 1024, 2048],
    depths: [1, 1, 3, 1],
    layers: 5,
    affine: true,
  }),
  hgnetv2_b4: v2({
    stem: [32, 48],
    inner: [48, 96, 192, 384],
    widths: [128, 512, 1024, 2048],
    depths: [1, 1, 3, 1],
    layers: 6,
  }),
  hgnetv2_b5: v2({
    stem: [32, 64],
    inner: [64, 128, 256, 512],
    widths: [128, 512, 1024, 2048],
    depths: [1, 2, 5, 2],
    layers: 6,
  }),
  hgnetv2_b6: v2({
    stem: [48, 96],
    inner: [96, 192, 384, 768],
    widths: [192, 512, 1024, 2048],
    depths: [2, 3, 6, 3],
    layers: 6,
  }),
}

/** image [n, 3, h, w] -> features [n, 2048], logits [n, classes] */
const hgNet: ClassifierBuilder<HgNetConfig> = (w, image, c) => {
  let x = c.version === 1 ? stemV1(w.at('stem'), image, c) : stemV2(w.at('stem'), image, c)
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const width = fixedSize(x.shape[1], 'hgNet')
    const halving = { out: width, kernel: 3, stride: 2, groups: width }
    if (i > 0) x = convNorm(stage.at('downsample'), x, halving)
    for (const [j, scope] of stage.each('blocks', c.depths[i]!).entries()) {
      const y = block(scope, x, { ...c, stage: i })
      x = j === 0 ? y : add(y, x)
    }
  }
  const last = w.at('head.last_conv')
  const hidden = relu(conv(last.at(0), globalAvgPool(x), { out: 2048 }))
  const features = flatten(c.affine ? affine(last.at(2), hidden) : hidden)
  return { features, logits: linear(w.at('head.fc'), features, c.classes) }
}

/** x times one learned number, plus another. */
const affine = (w: ParameterScope, x: Tensor): Tensor =>
  add(mul(x, w.get('scale', [1], 'scale')), w.get('bias', [1], 'bias'))

type Layer = Parameters<typeof convNorm>[2]

function layer(w: ParameterScope, x: Tensor, c: Layer & Pick<HgNetConfig, 'affine'>): Tensor {
  const { affine: scaled, ...options } = c
  const y = relu(convNorm(w, x, options))
  return scaled ? affine(w.at('lab'), y) : y
}

function stemV1(w: ParameterScope, image: Tensor, c: HgNetConfig): Tensor {
  const x = w
    .each('stem', c.stem.length)
    .reduce(
      (y, scope, i) => layer(scope, y, { out: c.stem[i]!, kernel: 3, stride: i === 0 ? 2 : 1 }),
      image,
    )
  return maxPool(x, 3, { stride: 2, padding: 1 })
}

/** Two ways side by side, a pool and two convolutions, over a border of zeros below and on the right. */
function stemV2(w: ParameterScope, image: Tensor, c: HgNetConfig): Tensor {
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

function block(w: ParameterScope, x: Tensor, c: HgNetConfig & { stage: number }): Tensor {
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
