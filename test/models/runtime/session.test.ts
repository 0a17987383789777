import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tensor } from 'onnxruntime-node'
import { expect, it } from 'vitest'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import { addInput, addOutput, createGraph } from '../../../src/lib/onnx/graph.ts'
import { maxPool, pad2d } from '../../../src/lib/onnx/ops.ts'
import { createSession } from '../../../src/models/runtime/session.ts'
import { geogap } from '../../helpers/cli.ts'

it('leaves no trace of ONNX Runtime reporting to its maker', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'geogap-session-'))
  try {
    // Without what the runtime itself keeps silent by, such as CI.
    const { PATH } = process.env
    const { stdout } = await geogap(['doctor'], { env: { PATH, HOME: folder, TMPDIR: folder } })
    expect(stdout).toMatch(/inference +onnxruntime \S+ on cpu/)
    expect(await readdir(folder)).toEqual([])
  } finally {
    await rm(folder, { recursive: true })
  }
})

it('counts a border of zeros in the max pooling behind it', async () => {
  const graph = createGraph()
  const x = addInput(graph, 'x', { shape: ['n', 1, 4, 4] })
  addOutput('y', maxPool(pad2d(x, [1, 1, 1, 1]), 3, { stride: 2 }))
  const none = (): never => expect.unreachable('there are no parameters')
  const session = await createSession(encodeModel(graph, { bind: none }))
  const negative = new Float32Array(16).fill(-1)
  const { y } = await session.run({ x: new Tensor('float32', negative, [1, 1, 4, 4]) })
  expect(Array.from(y!.data as Float32Array)).toEqual([0, 0, 0, -1])
  await session.release()
})
