/*
 * Preprocessing as two graphs, split where the image's own size stops mattering. The crop graph takes one image of any
 * size to a uint8 crop, exactly as Pillow and torchvision do; normalization joins the backbone's graph, so batches are
 * put together from bytes, a quarter of the float size.
 */
import { constant, createGraph, type Graph, input, output, type Tensor } from '../graph/graph.ts'
import { add, cast, cropTo, mul, reshape, resize, transpose } from '../graph/ops.ts'
import { imageError } from './decode.ts'
import { splitSteps, type Step, type Triple } from './steps.ts'

/** image uint8 [1, h, w, 3] and the run-time sizes of `cropFeeds` -> crop uint8 [3, size, size] */
export function cropGraph(steps: readonly Step[]): Graph {
  const { geometry, size } = splitSteps(steps)
  const graph = createGraph()
  const image = input(graph, 'image', 'uint8', [1, 'h', 'w', 3])
  let x = transpose(image, [0, 3, 1, 2])
  for (const [i, step] of geometry.entries()) {
    if (step.step === 'resize') {
      const sizes = input(graph, `sizes_${i}`, 'int64', [4])
      const cubic = step.interpolation === 'bicubic' ? { a: -0.5, excludeOutside: true } : undefined
      const mode = cubic ? 'cubic' : 'linear'
      x = resize(x, [1, 3, `h${i}`, `w${i}`], { mode, antialias: true, ...(cubic ? { cubic } : {}) }, sizes)
    } else {
      const bounds = ['starts', 'ends'].map(name => input(graph, `${name}_${i}`, 'int64', [2]))
      const side = step.step === 'centerCrop' ? [step.size, step.size] : [`h${i}`, `w${i}`]
      x = cropTo(x, bounds[0]!, bounds[1]!, [1, 3, ...side])
    }
  }
  output('crop', reshape(x, [3, size, size]))
  return graph
}

/** The crop graph's run-time sizes for an image of `height` × `width` pixels. */
export function cropFeeds(steps: readonly Step[], height: number, width: number): Record<string, number[]> {
  const feeds: Record<string, number[]> = {}
  let [h, w] = [height, width]
  for (const [i, step] of splitSteps(steps).geometry.entries()) {
    if (step.step === 'resize') {
      ;[h, w] = resized(step, h, w)
      feeds[`sizes_${i}`] = [1, 3, h, w]
    } else if (step.step === 'centerCrop') {
      if (h < step.size || w < step.size)
        throw imageError('too-small', `${w} x ${h} pixels, the crop needs ${step.size}`)
      const top = roundHalfToEven((h - step.size) / 2)
      const left = roundHalfToEven((w - step.size) / 2)
      feeds[`starts_${i}`] = [top, left]
      feeds[`ends_${i}`] = [top + step.size, left + step.size]
      ;[h, w] = [step.size, step.size]
    } else if (step.step === 'trim') {
      if (Math.min(h, w) <= 2 * step.pixels)
        throw imageError('too-small', `${w} x ${h} pixels, the border takes ${2 * step.pixels}`)
      feeds[`starts_${i}`] = [step.pixels, step.pixels]
      feeds[`ends_${i}`] = [h - step.pixels, w - step.pixels]
      ;[h, w] = [h - 2 * step.pixels, w - 2 * step.pixels]
    }
  }
  return feeds
}

function resized({ size, squash }: { size: number; squash?: boolean }, h: number, w: number): [number, number] {
  if (squash) return [size, size]
  return h <= w ? [size, Math.trunc((size * w) / h)] : [Math.trunc((size * h) / w), size]
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** uint8 [n, 3, h, w] -> float32 (x / 255 - mean) / std */
export function normalizeGraph(crops: Tensor, mean: Triple, std: Triple): Tensor {
  const channels = (values: readonly number[]): Tensor => constant(crops.graph, Float32Array.from(values), [1, 3, 1, 1])
  const scaled = mul(cast(crops, 'float32'), channels(std.map(s => 1 / (255 * s))))
  return add(scaled, channels(mean.map((m, i) => -m / std[i]!)))
}
