/*
 * Computes which source pixels a crop needs and with which weights, as Pillow and torchvision do: the short side is resized to
 * the target, the long one to trunc(target * long / short), and the offset of a crop is rounded half to even or down.
 */
import { createCache } from '../memoize.ts'
import { imageError } from './image.ts'
import { type Interpolation, splitSteps, type PreprocessingStep } from './steps.ts'

/** The results `0` to `count - 1` of the crop along one axis, as weighted sums of source positions. */
export interface ResampleAxis {
  /** int32 [count, 2]: first source position, counted from `first`, and number of weights. */
  bounds: Int32Array
  /** int32 [count, maxTaps], with 22 bits after the point. */
  weights: Int32Array
  maxTaps: number
  /** The source positions in use: `first` to `end - 1`. */
  first: number
  end: number
}

export interface CropGeometry {
  across: ResampleAxis
  down: ResampleAxis
  /** Whether columns are resized before rows, which changes the rounding in between. */
  columnsFirst: boolean
  size: number
}

/** One axis of the image after some of the steps. */
interface SourceSpan {
  /** Source positions that remain, counted from `from`. */
  from: number
  length: number
  /** The size that `length` is resized to. */
  target: number
  /** Where the crop begins in the target. */
  at: number
}

/**
 * Returns the geometry of an image's crop by its height and width.
 * @throws GeogapError `too-small` when the image has fewer pixels than a border or a crop takes
 */
export type GeometryOf = (height: number, width: number) => CropGeometry

/** Photographs of one source have few sizes. The weights of one size cost a hundredth of the time of a crop. */
const maxKeptGeometries = 64

/** Returns a function from an image's size to the geometry of the steps, which it keeps for the sizes seen last. */
export function createGeometryOf(steps: readonly PreprocessingStep[]): GeometryOf {
  const kept = createCache<CropGeometry>(maxKeptGeometries)
  return (height, width) =>
    kept.load(`${height} x ${width}`, () => cropGeometry(steps, height, width))
}

function cropGeometry(
  steps: readonly PreprocessingStep[],
  height: number,
  width: number,
): CropGeometry {
  const { geometry, size } = splitSteps(steps)
  let x: SourceSpan = { from: 0, length: width, target: width, at: 0 }
  let y: SourceSpan = { from: 0, length: height, target: height, at: 0 }
  let interpolation: Interpolation = 'bilinear'
  for (const step of geometry) {
    const before = { x, y }
    if (step.step === 'resize') {
      interpolation = step.interpolation
      x = { ...x, target: resizedSide(before.x.length, before.y.length, step) }
      y = { ...y, target: resizedSide(before.y.length, before.x.length, step) }
    } else if (step.step === 'centerCrop') {
      x = cropSpan(before.x, before.y, step)
      y = cropSpan(before.y, before.x, step)
    } else if (step.step === 'trim') {
      x = trimSpan(before.x, before.y, step.pixels)
      y = trimSpan(before.y, before.x, step.pixels)
    }
  }
  return {
    across: resampleAxis(x, size, interpolation),
    down: resampleAxis(y, size, interpolation),
    columnsFirst: isColumnsFirst(x, y),
    size,
  }
}

type ResizeStep = Extract<PreprocessingStep, { step: 'resize' }>

const resizedSide = (length: number, other: number, { size, squash }: ResizeStep): number =>
  squash || length <= other ? size : Math.trunc((size * length) / other)

type CropStep = Extract<PreprocessingStep, { step: 'centerCrop' }>

function cropSpan(span: SourceSpan, other: SourceSpan, { size, offset }: CropStep): SourceSpan {
  if (Math.min(span.target, other.target) < size)
    throw imageError('too-small', `${span.target} x ${other.target} pixels, the crop needs ${size}`)
  const at = (span.target - size) / 2
  return { ...span, at: offset === 'floor' ? Math.floor(at) : roundHalfToEven(at) }
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

/** Whether Pillow 13 resizes columns first; found by trying sizes. */
const isColumnsFirst = (x: SourceSpan, y: SourceSpan): boolean =>
  y.length > y.target && y.length - y.target > 2 * (x.length - x.target)

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

const linearFilter = (x: number): number => Math.max(0, 1 - Math.abs(x))

/** The cubic filter with a = -0.5. */
export function cubicFilter(signed: number): number {
  const x = Math.abs(signed)
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0
}

const boxFilter = (x: number): number => (x > -0.5 && x <= 0.5 ? 1 : 0)

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x))

const hammingFilter = (x: number): number =>
  Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(Math.PI * x)) : 0

const lanczosFilter = (x: number): number => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0)

/** Pillow's filters with half their width; `nearest` takes one pixel and has none. */
const filters: Record<Exclude<Interpolation, 'nearest'>, ResampleFilter> = {
  box: { filter: boxFilter, half: 0.5 },
  bilinear: { filter: linearFilter, half: 1 },
  hamming: { filter: hammingFilter, half: 1 },
  bicubic: { filter: cubicFilter, half: 2 },
  lanczos: { filter: lanczosFilter, half: 3 },
}

interface ResampleFilter {
  filter: (x: number) => number
  half: number
}

/** Takes the source pixel that the center of each result falls on; a sum of steps, as in Pillow, decides between two. */
function nearestAxis({ from, length, target, at }: SourceSpan, count: number): ResampleAxis {
  const scale = length / target
  const positions: number[] = []
  for (let i = 0, center = scale / 2; i < at + count; i++, center += scale)
    if (i >= at) positions.push(Math.min(length - 1, Math.floor(center)))
  const first = positions[0]!
  return {
    bounds: Int32Array.from(positions.flatMap(position => [position - first, 1])),
    weights: new Int32Array(count).fill(1 << 22),
    maxTaps: 1,
    first: from + first,
    end: from + positions.at(-1)! + 1,
  }
}

/** Computes what Pillow's `precompute_coeffs` does, for the results of the crop alone. */
function resampleAxis(span: SourceSpan, count: number, interpolation: Interpolation): ResampleAxis {
  if (interpolation === 'nearest') return nearestAxis(span, count)
  const { from, length, target, at } = span
  const { filter, half } = filters[interpolation]
  const scale = length / target
  const shrink = 1 / Math.max(1, scale)
  const support = half * Math.max(1, scale)
  const maxTaps = 2 * Math.ceil(support) + 1
  const bounds = new Int32Array(2 * count)
  const weights = new Int32Array(count * maxTaps)
  const values = new Float64Array(maxTaps)
  for (let i = 0; i < count; i++) {
    const center = (at + i + 0.5) * scale
    const start = Math.max(0, Math.trunc(center - support + 0.5))
    const taps = Math.min(length, Math.trunc(center + support + 0.5)) - start
    let total = 0
    for (let k = 0; k < taps; k++) total += values[k] = filter((k + start - center + 0.5) * shrink)
    for (let k = 0; k < taps; k++)
      weights[i * maxTaps + k] = toFixedPoint(total === 0 ? values[k]! : values[k]! / total)
    bounds[2 * i] = start
    bounds[2 * i + 1] = taps
  }
  const first = bounds[0]!
  const end = bounds[2 * count - 2]! + bounds[2 * count - 1]!
  for (let i = 0; i < count; i++) bounds[2 * i]! -= first
  return { bounds, weights, maxTaps, first: from + first, end: from + end }
}

/** Returns a weight with 22 bits after the point, halves rounded away from zero. */
const toFixedPoint = (weight: number): number =>
  Math.trunc(weight * (1 << 22) + (weight < 0 ? -0.5 : 0.5))
