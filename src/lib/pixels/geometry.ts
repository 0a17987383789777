/*
 * Which source pixels a crop needs and with which weights, as Pillow and torchvision compute it: the short side goes to the
 * target, the long one to trunc(target * long / short), a crop's offset is rounded half to even.
 */
import { imageError } from './decode.ts'
import { type Interpolation, splitSteps, type PreprocessingStep } from './steps.ts'

/** Along one axis: results `0` … `count - 1` of the crop as weighted sums of source positions. */
export interface ResampleAxis {
  /** int32 [count, 2]: first source position, counted from `first`, and number of weights. */
  bounds: Int32Array
  /** int32 [count, room], 22 bits after the point. */
  weights: Int32Array
  maxTaps: number
  /** The source positions in use: `first` … `end - 1`. */
  first: number
  end: number
}

export interface CropGeometry {
  across: ResampleAxis
  down: ResampleAxis
  /** Columns are resized before rows, which matters for the rounding in between. */
  columnsFirst: boolean
  size: number
}

interface SourceSpan {
  /** Source positions that remain, counted from `from`. */
  from: number
  length: number
  /** What `length` is resized to. */
  target: number
  /** Where the crop begins in it. */
  at: number
}

/** @throws GeogapError `too-small` when the image has fewer pixels than a border or a crop takes */
export function cropGeometryOf(
  steps: readonly PreprocessingStep[],
  height: number,
  width: number,
): CropGeometry {
  const { geometry, size } = splitSteps(steps)
  let [x, y] = [width, height].map((length): SourceSpan => ({
    from: 0,
    length,
    target: length,
    at: 0,
  })) as [SourceSpan, SourceSpan]
  let interpolation: Interpolation = 'bilinear'
  for (const step of geometry) {
    if (step.step === 'resize') {
      interpolation = step.interpolation
      const [h, w] = resizedSides(step, y.length, x.length)
      ;[x, y] = [
        { ...x, target: w },
        { ...y, target: h },
      ]
    } else if (step.step === 'centerCrop')
      [x, y] = [cropSpan(x, y, step.size), cropSpan(y, x, step.size)]
    else if (step.step === 'trim')
      [x, y] = [trimSpan(x, y, step.pixels), trimSpan(y, x, step.pixels)]
  }
  return {
    across: resampleAxis(x, size, interpolation),
    down: resampleAxis(y, size, interpolation),
    columnsFirst: isColumnsFirst(x, y),
    size,
  }
}

function resizedSides(
  { size, squash }: { size: number; squash?: boolean },
  h: number,
  w: number,
): [number, number] {
  if (squash) return [size, size]
  return h <= w ? [size, Math.trunc((size * w) / h)] : [Math.trunc((size * h) / w), size]
}

function cropSpan(span: SourceSpan, other: SourceSpan, size: number): SourceSpan {
  if (Math.min(span.target, other.target) < size)
    throw imageError('too-small', `${span.target} x ${other.target} pixels, the crop needs ${size}`)
  return { ...span, at: roundHalfToEven((span.target - size) / 2) }
}

function trimSpan(span: SourceSpan, other: SourceSpan, pixels: number): SourceSpan {
  const length = span.length - 2 * pixels
  if (Math.min(length, other.length - 2 * pixels) <= 0)
    throw imageError(
      'too-small',
      `${span.length} x ${other.length} pixels, the border takes ${2 * pixels}`,
    )
  return { from: span.from + pixels, length, target: length, at: 0 }
}

/** When Pillow 13 takes columns first; found by trying sizes. */
const isColumnsFirst = (x: SourceSpan, y: SourceSpan): boolean =>
  y.length > y.target && y.length - y.target > 2 * (x.length - x.target)

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const linearFilter = (x: number): number => Math.max(0, 1 - Math.abs(x))

/** With a = -0.5. */
function cubicFilter(signed: number): number {
  const x = Math.abs(signed)
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0
}

/** Each filter and half its width. */
const filters = {
  bilinear: { filter: linearFilter, half: 1 },
  bicubic: { filter: cubicFilter, half: 2 },
}

/** Pillow's `precompute_coeffs`, for the results of the crop alone. */
function resampleAxis(
  { from, length, target, at }: SourceSpan,
  count: number,
  interpolation: Interpolation,
): ResampleAxis {
  const { filter, half } = filters[interpolation]
  const scale = length / target
  const shrink = 1 / Math.max(1, scale)
  const support = half * Math.max(1, scale)
  const room = 2 * Math.ceil(support) + 1
  const bounds = new Int32Array(2 * count)
  const weights = new Int32Array(count * room)
  const values = new Float64Array(room)
  for (let i = 0; i < count; i++) {
    const center = (at + i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const taps = Math.min(length, Math.trunc(center + support + 0.5)) - start
    let total = 0
    for (let k = 0; k < taps; k++) total += values[k] = filter((k + start - center + 0.5) * shrink)
    for (let k = 0; k < taps; k++)
      weights[i * room + k] = toFixedPoint(total === 0 ? values[k]! : values[k]! / total)
    bounds[2 * i] = start
    bounds[2 * i + 1] = taps
  }
  const first = bounds[0]!
  const end = bounds[2 * count - 2]! + bounds[2 * count - 1]!
  for (let i = 0; i < count; i++) bounds[2 * i]! -= first
  return { bounds, weights, maxTaps: room, first: from + first, end: from + end }
}

/** 22 bits after the point, halves away from zero. */
const toFixedPoint = (weight: number): number =>
  Math.trunc(weight * (1 << 22) + (weight < 0 ? -0.5 : 0.5))
