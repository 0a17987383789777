import { appendNode, type ParameterScope, type Tensor } from '../graph.ts'
import { concat, reshape, split, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'

/**
 * Applies a bidirectional LSTM of one layer with PyTorch's parameter names: x [length, n, width] to [length, n, 2 · hidden], forward
 * then backward.
 */
export function bidirectionalLstm(w: ParameterScope, x: Tensor, hidden: number): Tensor {
  const [length, n, dim] = x.shape
  const width = fixedSize(dim, 'lstm')
  const directions = ['', '_reverse']
  const stacked = (kind: string, columns: number): Tensor =>
    concat(
      directions.map(direction => {
        const weight = w.get(`weight_${kind}_l0${direction}`, [4 * hidden, columns])
        return reshape(onnxGates(weight, hidden), [1, 4 * hidden, columns])
      }),
      0,
    )
  const biases = directions.map(direction => {
    const both = ['ih', 'hh'].map(kind =>
      onnxGates(w.get(`bias_${kind}_l0${direction}`, [4 * hidden], 'bias'), hidden),
    )
    return reshape(concat(both, 0), [1, 8 * hidden])
  })
  const [y] = appendNode(
    'LSTM',
    [x, stacked('ih', width), stacked('hh', hidden), concat(biases, 0)],
    {
      outputs: [{ dtype: x.dtype, shape: [length!, 2, n!, hidden] }],
      attributes: { hidden_size: hidden, direction: 'bidirectional' },
    },
  )
  return reshape(transpose(y!, [0, 2, 1, 3]), [length!, n!, 2 * hidden])
}

/** PyTorch has the gates in the order input, forget, cell, output; ONNX input, output, forget, cell. */
function onnxGates(parameters: Tensor, hidden: number): Tensor {
  const [input, forget, cell, output] = split(parameters, Array<number>(4).fill(hidden), 0)
  return concat([input!, output!, forget!, cell!], 0)
}
