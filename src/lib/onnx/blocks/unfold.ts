/** Overlapping patches of images as columns, and back. */
import { appendOp, constant, integers, type Tensor } from '../graph.ts'
import { conv2d, reshape } from '../ops.ts'
import { channelsOf, product, sizeAt } from '../shapes.ts'

interface UnfoldOptions {
  kernel: number
  stride: number
  padding: number
}

/** Extracts the values under every position of a kernel from [n, c, h, w], as PyTorch's unfold: [n, c · kernel², positions]. */
export function unfold(x: Tensor, { kernel, stride, padding }: UnfoldOptions): Tensor {
  const width = channelsOf(x)
  const area = kernel * kernel
  const picks = Float32Array.from({ length: width * area * area }, (_, i) =>
    Math.floor(i / area) % area === i % area ? 1 : 0,
  )
  const weight = constant(x.graph, picks, [width * area, 1, kernel, kernel])
  const y = conv2d(x, { weight }, { groups: width, stride, padding })
  return reshape(y, [x.shape[0]!, width * area, product(y.shape.slice(2))])
}

/** Adds up columns [n, c · kernel², positions] where they overlap, as PyTorch's fold: [n, c, ...size]. */
export function fold(
  x: Tensor,
  { size, kernel, stride, padding }: UnfoldOptions & { size: readonly [number, number] },
): Tensor {
  const width = sizeAt(x, 1) / (kernel * kernel)
  return appendOp('Col2Im', [x, integers(x.graph, size), integers(x.graph, [kernel, kernel])], {
    shape: [x.shape[0]!, width, ...size],
    attributes: {
      pads: [padding, padding, padding, padding],
      strides: [stride, stride],
    },
  })
}
