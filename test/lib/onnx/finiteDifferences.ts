import { Tensor as Value } from 'onnxruntime-node'
import { gradients } from '../../../src/lib/onnx/gradient.ts'
import {
  createGraph,
  type Dim,
  type Graph,
  addInput,
  addOutput,
  type Tensor,
} from '../../../src/lib/onnx/graph.ts'
import { encodeModel } from '../../../src/lib/onnx/encode.ts'
import { mul, sum } from '../../../src/lib/onnx/ops.ts'
import { createSession } from '../../../src/models/runtime/session.ts'
import { randomFor } from '../../../src/lib/random.ts'

export interface Operand {
  /** Sizes at run time. */
  shape: readonly number[]
  /** The first size is declared as `n`; it must be the same for all such operands. */
  open?: boolean
  /** Range of the values, -2 … 2 by default. */
  range?: readonly [low: number, high: number]
}

const volume = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)

/** Values evenly spread over the range, none near zero, where Relu has its corner. */
function values({ shape, range = [-2, 2] }: Operand, draw: () => number): Float32Array {
  return Float32Array.from({ length: volume(shape) }, () => {
    const value = range[0] + (range[1] - range[0]) * draw()
    return Math.abs(value) < 0.05 ? value + 0.1 : value
  })
}

/** Declares the operands, what `build` makes of them, and the gradients of Σ weight · y as outputs `d0`, `d1`, … */
function differentiated(
  operands: readonly Operand[],
  build: (...inputs: Tensor[]) => Tensor,
): Graph {
  const graph = createGraph()
  const inputs = operands.map(({ shape, open }, i) => {
    const dims: readonly Dim[] = open === true ? ['n', ...shape.slice(1)] : shape
    return addInput(graph, `x${i}`, { shape: dims })
  })
  const y = addOutput('y', build(...inputs))
  const weighted = mul(y, addInput(graph, 'weight', { shape: y.shape }))
  const axes = y.shape.map((_, i) => i)
  for (const [i, gradient] of gradients(sum(weighted, axes), inputs).entries())
    addOutput(`d${i}`, gradient)
  return graph
}

/**
 * The largest difference between the gradients by the rules and central differences (extrapolated from two widths), over
 * every value of every operand of a function, relative to the largest gradient of the case (at least 1).
 */
export async function gradientError(
  operands: readonly Operand[],
  build: (...inputs: Tensor[]) => Tensor,
  seed = 1,
): Promise<number> {
  const draw = randomFor(seed, 'operands')
  const graph = differentiated(operands, build)
  const bind = (name: string): never => {
    throw new Error(`no parameter expected: ${name}`)
  }
  const session = await createSession(encodeModel(graph, { bind }), { threads: 1 })
  const points = operands.map(operand => values(operand, draw))
  const n = operands.find(({ open }) => open)?.shape[0] ?? 1
  const sizes = graph.outputs.get('y')!.shape.map(dim =>
    volume(
      String(dim)
        .split('*')
        .map(f => (f === 'n' ? n : +f)),
    ),
  )
  const weight = values({ shape: sizes }, draw)
  const all: Record<string, Value> = { weight: new Value('float32', weight, sizes) }
  for (const [i, { shape }] of operands.entries())
    all[`x${i}`] = new Value('float32', points[i]!, [...shape])
  const feeds = Object.fromEntries(session.inputNames.map(name => [name, all[name]!]))
  const loss = async (): Promise<number> => {
    const y = (await session.run(feeds, ['y'])).y!.data as Float32Array
    return y.reduce((total, value, i) => total + value * weight[i]!, 0)
  }
  const slope = async (data: Float32Array, at: number, width: number): Promise<number> => {
    const value = data[at]!
    data[at] = value + width
    const [above, up] = [data[at], await loss()]
    data[at] = value - width
    const [below, down] = [data[at], await loss()]
    data[at] = value
    return (up - down) / (above - below)
  }
  try {
    const found = await session.run(feeds)
    let [worst, scale] = [0, 1]
    for (const [i, data] of points.entries()) {
      const ours = found[`d${i}`]!
      if (String(ours.dims) !== String(operands[i]!.shape)) return Infinity
      for (let at = 0; at < data.length; at++) {
        const expected = (4 * (await slope(data, at, 0.02)) - (await slope(data, at, 0.04))) / 3
        const error = Math.abs(expected - (ours.data as Float32Array)[at]!)
        if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error
        scale = Math.max(scale, Math.abs(expected))
      }
    }
    return worst / scale
  } finally {
    await session.release()
  }
}
