import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  createGraph,
  addInput,
  addOutput,
  type Tensor,
  parameterScope,
} from '../../../src/lib/onnx/graph.ts'
import { toHalfPrecision } from '../../../src/lib/onnx/toHalfPrecision.ts'
import { add, cast, mul, resize, shapeOf } from '../../../src/lib/onnx/ops.ts'
import { nonDefaultEngine } from '../../../src/lib/onnx/engine.ts'
import { loadModel } from '../../../src/models/runtime/loadModel.ts'
import { nativeSteps } from '../../../src/lib/pixels/steps.ts'
import { runtimeVersion } from '../../../src/lib/onnx/engine.ts'
import { classes, writeModel } from '../../helpers/world.ts'

let folder: string
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'geogap-half-'))))
afterAll(() => rm(folder, { recursive: true, force: true }))

it('takes half precision from the first parameter on', () => {
  const graph = createGraph()
  const image = addInput(graph, 'image', { dtype: 'uint8', shape: ['n', 3, 4, 4] })
  const scaled = mul(cast(image, 'float32'), 1 / 255)
  const sum = add(scaled, parameterScope(graph).get('bias', [3, 1, 1]))
  addOutput('y', resize(sum, ['n', 3, 8, 8], { mode: 'linear', scales: [1, 1, 2, 2] }))
  addOutput('shape', shapeOf(sum))
  const half = toHalfPrecision(graph)
  const types = half.nodes.map(({ op, inputs, outputs }) =>
    [op, ...[...inputs, ...outputs].map(typeOf)].join(' '),
  )
  expect(types).toEqual([
    'Cast uint8 float32',
    'Mul float32 float32 float32',
    'Cast float32 float16',
    'Add float16 float16 float16',
    'Resize float16 none float32 none float16',
    'Shape float16 int64',
    'Cast float16 float32',
  ])
  expect([...half.outputs.values()].map(typeOf)).toEqual(['float32', 'int64'])
  expect(half.parameters.get('bias')!.tensor.dtype).toBe('float16')
  expect(graph.parameters.get('bias')!.tensor.dtype).toBe('float32')
})

const typeOf = (tensor: Tensor | undefined): string => tensor?.dtype ?? 'none'

it('a model gives nearly the same in fp16, under another key', async () => {
  const { name, architecture, recipe, weights: from } = await writeModel(folder)
  const model = {
    name,
    architecture,
    classes: classes.length,
    files: from.from === 'files' ? from.files : [],
  }
  const crops = new Uint8Array(2 * 3 * 224 * 224).map((_, i) => (i * 31) % 251)
  const logits = async (precision: 'fp32' | 'fp16') => {
    const loaded = await loadModel(model, nativeSteps(recipe), {
      outputs: ['logits'],
      precision,
      threads: 1,
    })
    const { logits } = await loaded.run(crops, 2)
    await loaded.release()
    return [...logits!]
  }
  const [whole, half] = [await logits('fp32'), await logits('fp16')]
  expect(half).not.toEqual(whole)
  const size = Math.max(...whole.map(Math.abs))
  expect(Math.max(...whole.map((value, i) => Math.abs(value - half[i]!)))).toBeLessThan(size / 100)
  expect(runtimeVersion({ precision: 'fp16' })).toBe(`${runtimeVersion()} fp16`)
  expect(runtimeVersion({ device: 'cpu', precision: 'fp32' })).toBe(runtimeVersion())
  expect(nonDefaultEngine({ device: 'cuda', precision: 'fp16' })).toEqual({
    device: 'cuda',
    precision: 'fp16',
  })
})

it('refuses to change the precision of a foreign graph', async () => {
  const graph = {
    input: 'image',
    output: 'scores',
    kind: 'logits',
    dtype: 'float32',
    layout: 'NCHW',
  } as const
  const model = { name: 'theirs', architecture: '', classes: 3, files: ['model.onnx'], graph }
  const { recipe } = await writeModel(folder)
  await expect(
    loadModel(model, nativeSteps(recipe), { outputs: ['logits'], precision: 'fp16' }),
  ).rejects.toThrow('theirs is a foreign ONNX graph')
})
