import { appendOp, constant, integers, type Tensor } from '../graph.ts'
import { logSoftmax, mul, neg, sum } from '../ops.ts'

/** int64 classes [n] as float32 rows [n, count] with a single 1. */
function oneHot(classes: Tensor, count: number): Tensor {
  const { graph } = classes
  const offAndOn = constant(graph, Float32Array.of(0, 1), [2])
  return appendOp('OneHot', [classes, integers(graph, [count]), offAndOn], {
    shape: [...classes.shape, count],
    dtype: 'float32',
    attributes: { axis: -1 },
  })
}

/** Cross-entropy of each row: logits [n, classes] and int64 labels [n] to [n], as PyTorch's without reduction. */
export function crossEntropies(logits: Tensor, labels: Tensor): Tensor {
  return neg(sum(mul(logSoftmax(logits), oneHot(labels, logits.shape[1] as number)), [1]))
}
