import { expect, it } from 'vitest'
import { branchedConv } from '../../../src/lib/onnx/blocks/branches.ts'
import { adaptiveAvgPool, convNorm } from '../../../src/lib/onnx/blocks/convNorm.ts'
import { batchNorm } from '../../../src/lib/onnx/blocks/norm.ts'
import { axialAngles, axialRotation } from '../../../src/lib/onnx/blocks/rotary.ts'
import { distanceBias, inWindows } from '../../../src/lib/onnx/blocks/windows.ts'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import {
  addOutput,
  constant,
  createGraph,
  type ParameterScope,
  type Tensor,
} from '../../../src/lib/onnx/graph.ts'
import { add, mul, resize, sum } from '../../../src/lib/onnx/ops.ts'
import { volume } from '../../../src/lib/onnx/shapes.ts'
import { createSession } from '../../../src/models/runtime/session.ts'

/** Runs what `build` makes of the numbers 0, 1, 2 … in the given shape. */
async function run(
  shape: readonly number[],
  build: (x: Tensor) => Tensor,
  graph = createGraph(),
): Promise<number[]> {
  const counted = Float32Array.from({ length: volume(shape) }, (_, i) => i)
  addOutput('y', build(constant(graph, counted, shape)))
  const session = await createSession(encodeModel(graph))
  try {
    return Array.from((await session.run({})).y!.data as Float32Array)
  } finally {
    await session.release()
  }
}

it('adaptive pooling averages parts that overlap where they do not divide the image', async () => {
  const rounded = (await run([1, 1, 5, 5], x => adaptiveAvgPool(x, 3))).map(
    value => Math.round(value * 1e4) / 1e4,
  )
  expect(rounded).toEqual([3, 4.5, 6, 10.5, 12, 13.5, 18, 19.5, 21])
})

// PyTorch 2.9.1: F.interpolate(torch.arange(16.).reshape(1, 1, 4, 4) ** 2, size, mode=mode, antialias=True)
it.each([
  { mode: 'linear', rows: 3, expected: [7.514, 16, 49.571, 73.143, 136.429, 175.086] },
  { mode: 'cubic', rows: 3, expected: [2.703, 10.958, 45.392, 72.788, 140.769, 187.308] },
  {
    mode: 'linear',
    rows: 6,
    expected: [
      1, 5.714, 11.857, 22.857, 31.667, 51.048, 67.476, 95.238, 119.286, 155.429, 162.143, 204.571,
    ],
  },
] as const)('resizing to $rows rows of 2, $mode, widens its window where it shrinks', async c => {
  const { mode, rows, expected } = c
  const values = await run([1, 1, 4, 4], x =>
    resize(mul(x, x), [1, 1, rows, 2], { mode, antialias: true }),
  )
  expect(values.map(value => Math.round(value * 1e3) / 1e3)).toEqual(expected)
})

it.each(['half', 'interleaved'] as const)(
  'the fused rotation of pairs %s is the plain one, and leaves the prefix as it is',
  async layout => {
    const settings = { grid: [2, 3] as const, headWidth: 8, prefix: 1, layout }
    const angles = axialAngles(settings, { temperature: 100 })
    const turned = (fused: boolean): Promise<number[]> =>
      run([2, 7, 16], x => axialRotation(x.graph, angles, settings)(x), createGraph({ fused }))
    const plain = await turned(false)
    const fused = await turned(true)
    expect(Math.max(...plain.map((value, i) => Math.abs(value - fused[i]!)))).toBeLessThan(1e-4)
    expect(plain.slice(0, 16)).toEqual(Array.from({ length: 16 }, (_, i) => i))
    expect(fused.slice(0, 16)).toEqual(plain.slice(0, 16))
    expect(plain.at(-8)).not.toBeCloseTo(2 * 7 * 16 - 8, 0)
  },
)

it('windows that reach past the grid are filled with zeros, which are cut off again', async () => {
  const windowSums = (windows: Tensor): Tensor => add(mul(windows, 0), sum(windows, [1], true))
  expect(await run([1, 3, 3, 1], x => inWindows(x, 2, windowSums))).toEqual([
    8, 8, 7, 8, 8, 7, 13, 13, 8,
  ])
})

it('biases by distance count from the places of coarser queries', async () => {
  const scopeOf = (table: Tensor): ParameterScope => ({
    graph: table.graph,
    path: '',
    at: () => scopeOf(table),
    each: () => [],
    get: () => table,
  })
  const biases = await run([1, 9], table =>
    distanceBias(scopeOf(table), { heads: 1, side: 3, stride: 2 }),
  )
  const places = [0, 1, 2].flatMap(row => [0, 1, 2].map(column => ({ row, column })))
  const queries = places.filter(({ row, column }) => row !== 1 && column !== 1)
  expect(biases).toEqual(
    queries.flatMap(query =>
      places.map(key => 3 * Math.abs(query.row - key.row) + Math.abs(query.column - key.column)),
    ),
  )
})

it.each([
  { kind: 'depthwise', groups: 4 },
  { kind: 'dense', groups: 1 },
])('$kind branches folded into one convolution give their sum', async ({ groups }) => {
  /** Parameters made of their names and places. */
  const scopeOf = (x: Tensor, path = ''): ParameterScope => ({
    graph: x.graph,
    path,
    at: name => scopeOf(x, `${path}.${name}`),
    each: () => [],
    get: (name, shape) => {
      const values = Float32Array.from(
        { length: volume(shape) },
        (_, i) => ((i * 7 + path.length * 3 + name.length) % 11) / 10 + 0.1,
      )
      return constant(x.graph, values, shape)
    },
  })
  const out = 4
  const whole = await run([1, out, 3, 3], x => {
    const w = scopeOf(x)
    const conv = (name: string, kernel: number) => ({
      conv: w.at(name).at('conv'),
      norm: w.at(name).at('bn'),
      kernel,
    })
    const branches = [conv('wide', 3), conv('small', 1), { norm: w.at('identity') }]
    return branchedConv(x, branches, { out, groups })
  })
  const parts = await run([1, out, 3, 3], x => {
    const w = scopeOf(x)
    const wide = convNorm(w.at('wide'), x, { out, kernel: 3, groups })
    const small = convNorm(w.at('small'), x, { out, groups })
    return add(add(wide, small), batchNorm(w.at('identity'), x))
  })
  for (const [i, value] of whole.entries()) expect(value).toBeCloseTo(parts[i]!, 3)
})
