import { addInput, type ParameterScope, type Tensor } from '../lib/onnx/graph.ts'
import { type Architecture, type DualEncoder } from './families/family.ts'

/** The images that a graph is built for: pixels of a side, and the classes of a classifier's head. */
export interface ImageInput {
  size: number
  classes?: number
}

/** Adds the input `image` [n, 3, size, size] and what is computed from it; returns the features [n, width]. */
export function imageTower(
  w: ParameterScope,
  architecture: Architecture,
  { size, classes = 1000 }: ImageInput,
): Tensor {
  const image = addInput(w.graph, 'image', { shape: ['n', 3, size, size] })
  return architecture.kind === 'classifier'
    ? architecture.build(w, image, classes).features
    : architecture.encodeImage(w, image)
}

/** Adds the inputs `tokens` and `mask`, int64 [t, length]; returns the embeddings of texts [t, embedding]. */
export function textTower(
  w: ParameterScope,
  encoder: DualEncoder,
  length = encoder.tokenizer.contextLength,
): Tensor {
  const input = { dtype: 'int64', shape: ['t', length] } as const
  const tokens = addInput(w.graph, 'tokens', input)
  return encoder.encodeText(w, tokens, addInput(w.graph, 'mask', input))
}
