import { type GraphNode, type Tensor } from '../graph.ts'

/** A node on the way back. */
export interface BackwardStep {
  readonly node: GraphNode
  /** The node's inputs; an omitted optional one is undefined all the same. */
  readonly x: readonly Tensor[]
  /** Its first output. */
  readonly y: Tensor
  /** The gradient of the first output; present for every operator with one differentiable output. */
  readonly dy: Tensor
  /** The gradients of all outputs; undefined for one that the loss does not use. */
  readonly outputGradients: readonly (Tensor | undefined)[]
}

/** Per input, what makes its gradient, in the input's shape or one that it broadcasts to; called only when wanted. */
export type GradientRule = (step: BackwardStep) => readonly ((() => Tensor) | undefined)[]

export type GradientRules = Readonly<Record<string, GradientRule>>
