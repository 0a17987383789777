/** CLIP's ResNets (Radford et al. 2021), as OpenCLIP's modified_resnet.py computes them. */
import { type Block, type Tensor } from '../../lib/onnx/graph.ts'
import { attend } from '../../lib/onnx/blocks/attention.ts'
import { conv, linear } from '../../lib/onnx/blocks/linear.ts'
import { batchNorm } from '../../lib/onnx/blocks/norm.ts'
import { toTokens } from '../../lib/onnx/blocks/tokens.ts'
import { add, avgPool, concat, mean, relu, reshape, slice } from '../../lib/onnx/ops.ts'
import { channelsOf, sizeAt } from '../../lib/onnx/shapes.ts'

export interface ClipResNetConfig {
  depths: readonly number[]
  width: number
}

interface ClipBottleneck {
  width: number
  stride: number
}

/** image [n, 3, h, w] -> [n, embedding] */
export const clipResNet: Block<ClipResNetConfig & { embedding: number }> = (
  w,
  image,
  { depths, width, embedding },
) => {
  let x = relu(
    batchNorm(
      w.at('bn1'),
      conv(w.at('conv1'), image, { out: width / 2, kernel: 3, stride: 2, padding: 1 }),
    ),
  )
  x = relu(
    batchNorm(w.at('bn2'), conv(w.at('conv2'), x, { out: width / 2, kernel: 3, padding: 1 })),
  )
  x = avgPool(
    relu(batchNorm(w.at('bn3'), conv(w.at('conv3'), x, { out: width, kernel: 3, padding: 1 }))),
    2,
    { stride: 2 },
  )
  for (const [stage, depth] of depths.entries()) {
    for (const [i, scope] of w.each(`layer${stage + 1}`, depth).entries()) {
      x = bottleneck(scope, x, { width: width * 2 ** stage, stride: i === 0 && stage > 0 ? 2 : 1 })
    }
  }
  return attentionPool(w.at('attnpool'), x, embedding)
}

/** A bottleneck block whose convolutions have stride 1: an average pool shrinks the image instead. */
const bottleneck: Block<ClipBottleneck> = (w, x, { width, stride }) => {
  const shrink = (y: Tensor): Tensor => (stride === 1 ? y : avgPool(y, stride, { stride }))
  let y = relu(batchNorm(w.at('bn1'), conv(w.at('conv1'), x, { out: width })))
  y = relu(batchNorm(w.at('bn2'), conv(w.at('conv2'), y, { out: width, kernel: 3, padding: 1 })))
  y = batchNorm(w.at('bn3'), conv(w.at('conv3'), shrink(y), { out: 4 * width }))
  if (stride === 1 && x.shape[1] === 4 * width) return relu(add(y, x))
  return relu(
    add(
      y,
      batchNorm(w.at('downsample.1'), conv(w.at('downsample.0'), shrink(x), { out: 4 * width })),
    ),
  )
}

/** Attends from the mean of all positions to itself and every position: [n, c, h, w] to [n, embedding]; 64 channels a head. */
const attentionPool: Block<number> = (w, x, embedding) => {
  const width = channelsOf(x)
  const patches = toTokens(x)
  const placed = concat([mean(patches, [1], true), patches], 1)
  const tokens = add(placed, w.get('positional_embedding', [sizeAt(placed, 1), width]))
  const [q, k, v] = [slice(tokens, 1, [0, 1]), tokens, tokens].map((y, i) =>
    linear(w.at(projections[i]!), y, width),
  )
  const pooled = attend([q!, k!, v!], { heads: width / 64 })
  return linear(w.at('c_proj'), reshape(pooled, [x.shape[0]!, width]), embedding)
}

const projections = ['q_proj', 'k_proj', 'v_proj'] as const
