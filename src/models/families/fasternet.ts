/** FasterNet (Chen et al. 2023) as timm's fasternet.py computes it: convolutions over a quarter of the channels. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { convNorm } from '../../lib/onnx/blocks/convNorm.ts'
import { conv } from '../../lib/onnx/blocks/linear.ts'
import { add, concat, flatten, gelu, globalAvgPool, relu, split } from '../../lib/onnx/ops.ts'
import { channelsOf } from '../../lib/onnx/shapes.ts'
import { type Rows, type ClassifierBuilder, classifiers, linearHead } from './family.ts'

interface FasterNetConfig {
  /** Channels of the first stage, doubled in each that follows. */
  dim: number
  depths: readonly number[]
  /** ReLU by default. */
  activation?: (x: Tensor) => Tensor
}

const shallow = [1, 2, 8, 2]
const deep = [3, 4, 18, 3]

const rows: Rows<FasterNetConfig> = {
  fasternet_t0: { dim: 40, depths: shallow, activation: gelu },
  fasternet_t1: { dim: 64, depths: shallow, activation: gelu },
  fasternet_t2: { dim: 96, depths: shallow },
  fasternet_s: { dim: 128, depths: [1, 2, 13, 2] },
  fasternet_m: { dim: 144, depths: deep },
  fasternet_l: { dim: 192, depths: deep },
}

/** image [n, 3, h, w] -> features [n, 1280], logits [n, classes] */
const fasterNet: ClassifierBuilder<FasterNetConfig> = (w, image, c) => {
  const { activation = relu } = c
  const patches = (name: string, norm: string) => ({ names: [name, norm] as const, padding: 0 })
  let x = convNorm(w.at('patch_embed'), image, {
    out: c.dim,
    kernel: 4,
    stride: 4,
    ...patches('proj', 'norm'),
  })
  for (const [i, stage] of w.each('stages', c.depths.length).entries()) {
    const merging = { out: c.dim * 2 ** i, kernel: 2, stride: 2, ...patches('reduction', 'norm') }
    if (i > 0) x = convNorm(stage.at('downsample'), x, merging)
    for (const block of stage.each('blocks', c.depths[i]!)) x = partialBlock(block, x, activation)
  }
  const pooled = globalAvgPool(x)
  const features = flatten(activation(conv(w.at('conv_head'), pooled, { out: 1280 })))
  return linearHead(w.at('classifier'), features, c.classes)
}

const partialBlock: Block<(x: Tensor) => Tensor> = (w, x, activation) => {
  const width = channelsOf(x)
  const quarter = Math.floor(width / 4)
  const [moving, still] = split(x, [quarter, width - quarter], 1)
  const layer = w.at('spatial_mixing.partial_conv3')
  const y = concat([conv(layer, moving!, { out: quarter, kernel: 3, padding: 1 }), still!], 1)
  const inner = activation(convNorm(w.at('mlp'), y, { out: 2 * width, names: ['0', '1'] }))
  return add(x, conv(w.at('mlp.3'), inner, { out: width }))
}

export const fasterNets = classifiers({ family: 'fasternet', rows, build: fasterNet })
