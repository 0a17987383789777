import { type Tensor, type ParameterScope } from '../graph.ts'
import { batchNormalization, layerNormalization, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'

/** Batch normalization at inference, over the channels of [n, c, h, w], with PyTorch's parameter names. */
export function batchNorm(w: ParameterScope, x: Tensor, epsilon = 1e-5): Tensor {
  const shape = [fixedSize(x.shape[1], 'batchNorm')]
  const scale = w.get('weight', shape, 'scale')
  const bias = w.get('bias', shape, 'bias')
  const mean = w.get('running_mean', shape, 'mean')
  const variance = w.get('running_var', shape, 'variance')
  return batchNormalization(x, { scale, bias, mean, variance }, epsilon)
}

/** Layer normalization over the last axis. */
export function layerNorm(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  const shape = [fixedSize(x.shape.at(-1), 'layerNorm')]
  return layerNormalization(
    x,
    { scale: w.get('weight', shape, 'scale'), bias: w.get('bias', shape, 'bias') },
    epsilon,
  )
}

/** Layer normalization over the channels of [n, c, h, w]. */
export function layerNorm2d(w: ParameterScope, x: Tensor, epsilon = 1e-6): Tensor {
  return transpose(layerNorm(w, transpose(x, [0, 2, 3, 1]), epsilon), [0, 3, 1, 2])
}
