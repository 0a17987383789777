import { appendOp, type Tensor } from '../graph.ts'
import { add, cast, cos, div, erf, exp, mul, neg, pow, sin, sub, tanh } from '../ops.ts'
import { type GradientRules } from './rule.ts'

const square = (x: Tensor): Tensor => mul(x, x)
/** a - x. */
const subtractFrom = (a: number, x: Tensor): Tensor => add(neg(x), a)
/** 1 where x > 0, 0 where x = 0. */
const sign = (x: Tensor): Tensor => appendOp('Sign', [x], x)

/** Φ(x) + x φ(x), with the normal distribution's Φ and φ. */
function geluSlope(x: Tensor): Tensor {
  const cumulative = add(mul(erf(mul(x, Math.SQRT1_2)), 0.5), 0.5)
  return add(cumulative, mul(x, mul(exp(mul(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI))))
}

/** The derivative of the approximate GELU, x (1 + tanh u) / 2 with u = √(2/π) (x + 0.044715 x³). */
function geluTanhSlope(x: Tensor): Tensor {
  const factor = Math.sqrt(2 / Math.PI)
  const cubic = mul(square(x), 0.044715)
  const t = tanh(mul(mul(x, add(cubic, 1)), factor))
  const inner = mul(add(mul(cubic, 3), 1), factor)
  return mul(add(add(t, 1), mul(mul(x, subtractFrom(1, square(t))), inner)), 0.5)
}

export const elementwiseRules: GradientRules = {
  Add: ({ dy }) => [() => dy, () => dy],
  Sub: ({ dy }) => [() => dy, () => neg(dy)],
  Mul: ({ x: [a, b], dy }) => [() => mul(dy, b!), () => mul(dy, a!)],
  Div: ({ x: [, b], y, dy }) => [() => div(dy, b!), () => neg(div(mul(dy, y), b!))],
  Pow: ({ x: [a, b], dy }) => [() => mul(dy, mul(pow(a!, sub(b!, 1)), b!)), undefined],
  Sqrt: ({ y, dy }) => [() => div(mul(dy, 0.5), y)],
  Exp: ({ y, dy }) => [() => mul(dy, y)],
  Log: ({ x: [a], dy }) => [() => div(dy, a!)],
  Sin: ({ x: [a], dy }) => [() => mul(dy, cos(a!))],
  Cos: ({ x: [a], dy }) => [() => neg(mul(dy, sin(a!)))],
  Neg: ({ dy }) => [() => neg(dy)],
  Tanh: ({ y, dy }) => [() => mul(dy, subtractFrom(1, square(y)))],
  Sigmoid: ({ y, dy }) => [() => mul(dy, mul(y, subtractFrom(1, y)))],
  Erf: ({ x: [a], dy }) => [() => mul(dy, mul(exp(neg(square(a!))), 2 / Math.sqrt(Math.PI)))],
  Relu: ({ y, dy }) => [() => mul(dy, sign(y))],
  Gelu: ({ x: [a], dy, node }) => {
    const slope = node.attributes.approximate === 'tanh' ? geluTanhSlope : geluSlope
    return [() => mul(dy, slope(a!))]
  },
  Identity: ({ dy }) => [() => dy],
  Cast: ({ x: [a], dy }) => [() => cast(dy, a!.dtype)],
}
