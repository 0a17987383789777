import { inputError } from '../../lib/errors.ts'
import { linear } from '../../lib/onnx/blocks/linear.ts'
import {
  createGraph,
  addInput,
  addOutput,
  type Tensor,
  type ParameterScope,
  parameterScope,
} from '../../lib/onnx/graph.ts'
import { type ParameterBinding, encodeModel } from '../../lib/onnx/encode.ts'
import { createSession, type SessionOptions } from './session.ts'
import {
  type NamedTensor,
  readSafetensors,
  writeSafetensors,
} from '../../lib/tensors/safetensors.ts'
import { asBytes, readFloat32 } from '../../lib/tensors/tensors.ts'
import { loadOnnxRuntime } from '../../lib/onnx/runtime.ts'

/** Features of images: rows of `width` values, one after the other. */
export interface FeatureMatrix {
  width: number
  data: Float32Array
}

/** Returns copies of some rows. */
export function selectRows(
  { width, data }: FeatureMatrix,
  rows: readonly number[] | Int32Array,
): FeatureMatrix {
  const some = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries())
    some.set(data.subarray(row * width, (row + 1) * width), i * width)
  return { width, data: some }
}

/** A linear classifier: weight [classes, width] and bias [classes]. */
export interface LinearHead {
  classes: number
  width: number
  weight: Float32Array
  bias: Float32Array
}

/** features [n, width] to logits [n, classes]. */
export const classify = (w: ParameterScope, features: Tensor, head: LinearHead): Tensor =>
  linear(w.at('head'), features, head.classes)

export const headTensors = ({ classes, width, weight, bias }: LinearHead): NamedTensor[] => [
  { name: 'head.weight', shape: [classes, width], data: weight },
  { name: 'head.bias', shape: [classes], data: bias },
]

/** Returns the number of rows. @throws GeogapError `bad-features` if the features do not fit the head. */
export function countRows({ width, data }: FeatureMatrix, head: LinearHead): number {
  if (width !== head.width)
    throw inputError('bad-features', `features of width ${width}, a head of width ${head.width}`)
  if (data.length === 0 || data.length % width !== 0)
    throw inputError(
      'bad-features',
      `${data.length} values are not one or more rows of width ${width}`,
    )
  return data.length / width
}

export interface HeadSession {
  /** features [n, width] -> logits [n, classes]. @throws GeogapError `bad-features` */
  run(features: Float32Array): Promise<Float32Array>
  release(): Promise<void>
}

/** Loads a head into ONNX Runtime. */
export async function createHeadSession(
  head: LinearHead,
  options: SessionOptions = {},
): Promise<HeadSession> {
  const { Tensor } = await loadOnnxRuntime()
  const graph = createGraph()
  addOutput(
    'logits',
    classify(
      parameterScope(graph),
      addInput(graph, 'features', { shape: ['n', head.width] }),
      head,
    ),
  )
  const values = new Map(headTensors(head).map(({ name, data }) => [name, asBytes(data)]))
  const bind = (name: string): ParameterBinding => ({ dtype: 'float32', values: values.get(name)! })
  const session = await createSession(encodeModel(graph, { bind }), options)
  return {
    run: async data => {
      const rows = countRows({ width: head.width, data }, head)
      const { logits } = await session.run({
        features: new Tensor('float32', data, [rows, head.width]),
      })
      return logits!.data as Float32Array
    },
    release: () => session.release(),
  }
}

/** Yields a head's logits [rows, classes] in blocks of rows. @throws GeogapError `bad-features` */
export async function* applyHead(
  features: FeatureMatrix,
  head: LinearHead,
  block = 4096,
): AsyncGenerator<{ start: number; rows: number; logits: Float32Array }> {
  const count = countRows(features, head)
  const classifier = await createHeadSession(head)
  try {
    for (let start = 0; start < count; start += block) {
      const rows = Math.min(block, count - start)
      const part = features.data.subarray(start * head.width, (start + rows) * head.width)
      yield { start, rows, logits: await classifier.run(part) }
    }
  } finally {
    await classifier.release()
  }
}

/** Writes a head as `head.weight` and `head.bias`, atomically. */
export const saveHead = (file: string, head: LinearHead): Promise<void> =>
  writeSafetensors(file, headTensors(head))

/**
 * Reads the classifier `head` of a safetensors file, which may hold a whole model.
 * @throws GeogapError `no-head`
 */
export async function loadHead(file: string): Promise<LinearHead> {
  const { tensors } = await readSafetensors(file)
  const weight = tensors.get('head.weight')
  const bias = tensors.get('head.bias')
  const [classes, width, ...more] = weight?.shape ?? []
  if (
    !weight ||
    !bias ||
    !classes ||
    !width ||
    more.length > 0 ||
    String(bias.shape) !== String([classes])
  )
    throw inputError(
      'no-head',
      `no classifier head.weight [classes, width] with head.bias in ${file}`,
    )
  return {
    classes,
    width,
    weight: await readFloat32(weight),
    bias: await readFloat32(bias),
  }
}
