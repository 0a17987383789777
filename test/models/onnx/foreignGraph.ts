/** Tiny ONNX files as others might have made them: the class of an image is its strongest colour channel. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  addInput,
  addOutput,
  appendNode,
  appendOp,
  createGraph,
  parameterScope,
  type Tensor,
} from '../../../src/lib/onnx/graph.ts'
import { type ParameterBinding, encodeModel } from '../../../src/lib/onnx/encode.ts'
import { cast, gemm, mean, mul, softmax } from '../../../src/lib/onnx/ops.ts'

export interface Form {
  input?: string
  layout?: 'NCHW' | 'NHWC'
  dtype?: 'float32' | 'float16' | 'uint8'
  kind?: 'logits' | 'probabilities' | 'embedding'
  batch?: number | string
  size?: number | string
  classes?: number
  /** Keeps the weights in this file, as the ONNX file shall name it. */
  external?: string
  /** Rounds the pixels to 255 steps of the range of the whole batch. */
  quantized?: boolean
}

const outputName = { logits: 'logits', probabilities: 'scores', embedding: 'image_embeds' } as const

/** The bytes of a graph `pixels` -> means of the channels [n, 3], times ten, maybe as probabilities. */
export function colourGraph({
  layout = 'NCHW',
  dtype = 'float32',
  kind = 'logits',
  ...form
}: Form = {}): Uint8Array {
  const { batch = 'n', size = 32, external, classes = 3, input: name = 'pixels', quantized } = form
  const graph = createGraph()
  const shape = layout === 'NCHW' ? [batch, 3, size, size] : [batch, size, size, 3]
  const pixels = addInput(graph, name, { dtype, shape })
  const channels = mean(
    quantized ? roundToBatch(pixels) : dtype === 'float32' ? pixels : cast(pixels, 'float32'),
    layout === 'NCHW' ? [2, 3] : [1, 2],
  )
  const logits = mul(
    gemm(channels, parameterScope(graph).at('head').get('weight', [classes, 3])),
    10,
  )
  const values = kind === 'probabilities' ? softmax(logits) : logits
  addOutput(outputName[kind], dtype === 'float16' ? cast(values, 'float16') : values)
  const bind = (): ParameterBinding =>
    external === undefined
      ? { dtype: 'float32', values: headBytes(classes) }
      : { dtype: 'float32', file: external, offset: 0, length: classes * 12 }
  return encodeModel(graph, { bind })
}

function roundToBatch(pixels: Tensor): Tensor {
  const outputs = [
    { dtype: 'uint8', shape: pixels.shape },
    { dtype: 'float32', shape: [] },
    { dtype: 'uint8', shape: [] },
  ] as const
  const [values, scale, zero] = appendNode('DynamicQuantizeLinear', [pixels], { outputs })
  return appendOp('DequantizeLinear', [values!, scale, zero], {
    shape: pixels.shape,
    dtype: 'float32',
  })
}

/** A row for each class; those beyond the three colours are never the strongest. */
export const headBytes = (classes = 3): Uint8Array =>
  new Uint8Array(
    Float32Array.from({ length: classes * 3 }, (_, i) =>
      i % 4 === 0 && i < 9 ? 1 : i < 9 ? 0 : -1,
    ).buffer,
  )

/** Writes the file and its model.json into `folder`. */
export async function writeForeign(
  folder: string,
  form: Form = {},
  more: object = {},
): Promise<string> {
  const { layout = 'NCHW', dtype = 'float32', kind = 'logits', external } = form
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'colours.onnx'), colourGraph(form))
  if (external !== undefined) {
    await mkdir(dirname(join(folder, external)), { recursive: true })
    await writeFile(join(folder, external), headBytes(form.classes))
  }
  const file = join(folder, 'model.json')
  const description = {
    onnx: 'colours.onnx',
    input: { name: 'pixels', layout, dtype },
    preprocessing: [
      { step: 'resize', size: 36, interpolation: 'bilinear' },
      { step: 'centerCrop', size: 32 },
      { step: 'normalize', mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    ],
    classes: ['red', 'green', 'blue'],
    output: { name: outputName[kind], kind },
    ...more,
  }
  await writeFile(file, JSON.stringify(description))
  return file
}
