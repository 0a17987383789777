import { appendOp } from '../graph.ts'
import { concat, pad, reshape, slice, transpose } from '../ops.ts'
import { fixedSize, product } from '../shapes.ts'
import { type GradientRule, type GradientRules } from './rule.ts'
import { constantIntegers, expandLike, integerAttribute, zerosLike } from './support.ts'

const reshapeRule: GradientRule = ({ x: [a], dy }) => [() => reshape(dy, a!.shape)]

const transposeRule: GradientRule = ({ node, dy }) => {
  const order = node.attributes.perm as readonly number[]
  const inverse = order.map((_, axis) => order.indexOf(axis))
  return [() => transpose(dy, inverse)]
}

const concatRule: GradientRule = ({ node, x, dy }) => {
  const axis = integerAttribute(node, 'axis', 0)
  let end = 0
  return x.map(({ shape }) => {
    const start = end
    end += fixedSize(shape[axis], 'Concat')
    const stop = end
    return () => slice(dy, axis, [start, stop])
  })
}

const splitRule: GradientRule = ({ node, outputGradients: arriving }) => {
  const parts = node.outputs.map((tensor, i) => arriving[i] ?? zerosLike(tensor))
  return [() => concat(parts, integerAttribute(node, 'axis', 0))]
}

/** Zeros on both sides of what a slice with step 1 took. */
const sliceRule: GradientRule = ({ node, x: [x, ...bounds], dy }) => {
  const [starts, ends, axes, steps] = bounds.map(tensor => constantIntegers(tensor, 'Slice'))
  if (steps?.some(step => step !== 1) === true) return []
  const before = x!.shape.map(() => 0)
  const after = x!.shape.map(() => 0)
  for (const [i, start] of starts!.entries()) {
    const axis = axes?.[i] ?? i
    const size = fixedSize(x!.shape[axis], node.op)
    const within = (position: number): number =>
      Math.min(Math.max(position < 0 ? position + size : position, 0), size)
    before[axis] = within(start)
    after[axis] = size - within(ends![i]!)
  }
  return [() => pad(dy, { before, after })]
}

/** What was taken from one place more than once adds up there. */
const gatherRule: GradientRule = ({ node, x: [x, indices], dy }) => {
  const axis = integerAttribute(node, 'axis', 0)
  return [
    () => {
      const count = product(indices!.shape)
      const flat = reshape(dy, [
        ...dy.shape.slice(0, axis),
        count,
        ...dy.shape.slice(axis + indices!.shape.length),
      ])
      const alone = flat.shape.map((_, i) => (i === axis ? count : 1))
      const places = expandLike(reshape(indices!, alone), flat)
      return appendOp('ScatterElements', [zerosLike(x!), places, flat], {
        shape: x!.shape,
        attributes: { axis, reduction: 'add' },
      })
    },
    undefined,
  ]
}

export const layoutRules: GradientRules = {
  Transpose: transposeRule,
  Reshape: reshapeRule,
  Squeeze: reshapeRule,
  Unsqueeze: reshapeRule,
  Concat: concatRule,
  Split: splitRule,
  Slice: sliceRule,
  Gather: gatherRule,
  Expand: ({ dy }) => [() => dy],
}
