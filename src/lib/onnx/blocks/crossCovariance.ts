/** Attention and positions of XCiT (El-Nouby et al. 2021), which EdgeNeXt (Maaz et al. 2022) has too. */
import { constant, type Tensor, type ParameterScope } from '../graph.ts'
import { matmul, mul, reshape, softmax, split, transpose } from '../ops.ts'
import { fixedSize } from '../shapes.ts'
import { conv, linear } from './linear.ts'
import { toTokens } from './tokens.ts'
import { unitLength } from './similarity.ts'

/** Computes attention among the channels of each head: x [n, length, width] to its shape. */
export function crossCovariance(w: ParameterScope, x: Tensor, heads: number): Tensor {
  const [n, length, dim] = x.shape
  const width = fixedSize(dim, 'crossCovariance')
  const channels = transpose(linear(w.at('qkv'), x, 3 * width), [0, 2, 1])
  const [q, k, v] = split(channels, [width, width, width], 1).map(part =>
    reshape(part, [n!, heads, width / heads, length!]),
  )
  const similarity = matmul(unitLength(q!), transpose(unitLength(k!), [0, 1, 3, 2]))
  const weights = softmax(mul(similarity, w.get('temperature', [heads, 1, 1], 'scale')))
  const attended = reshape(matmul(weights, v!), [n!, width, length!])
  return linear(w.at('proj'), transpose(attended, [0, 2, 1]), width)
}

/** Returns projected sines and cosines of the rows and columns of x [n, width, h, w]: [1, h·w, width]. */
export function fourierPositions(w: ParameterScope, x: Tensor): Tensor {
  const [, c, height, across] = x.shape
  const rows = fixedSize(height, 'positions')
  const columns = fixedSize(across, 'positions')
  const waves = new Float32Array(2 * waveCount * rows * columns)
  let at = 0
  for (let i = 0; i < 2 * waveCount; i++) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        waves[at++] = i < waveCount ? wave(i, row, rows) : wave(i - waveCount, column, columns)
      }
    }
  }
  const encoding = constant(x.graph, waves, [1, 2 * waveCount, rows, columns])
  return toTokens(
    conv(w.at('token_projection'), encoding, { out: fixedSize(c, 'positions'), bias: true }),
  )
}

const waveCount = 32

function wave(index: number, place: number, places: number): number {
  const angle =
    ((place + 1) / (places + 1e-6)) *
    2 *
    Math.PI *
    10000 ** (-(2 * Math.floor(index / 2)) / waveCount)
  return index % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
}
