/*
 * A graph is plain data: nodes in execution order over named tensors. Builders append to it through the functions of
 * ops.ts, which infer shapes at once, so a mistake points at the line that made it. Parameters are declared with the
 * shape that the architecture needs; their values are bound only when the graph is encoded, so one function gives the
 * graph, the parameter count and the multiply-adds without any weights at hand.
 */
import { type GeogapError, internalError } from '../errors.ts'

export type DType =
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'float64'
  | 'uint8'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'bool'

/** A size, or the name of a size known only at run time; `n*197` is a product of both. */
export type Dim = number | string
export type TensorShape = readonly Dim[]

export interface Tensor {
  readonly graph: Graph
  readonly name: string
  readonly dtype: DType
  readonly shape: TensorShape
}

/** An integer, a list of integers, a text, or a marked float: ONNX tells 1 and 1.0 apart. */
export type NodeAttribute = number | readonly number[] | string | { float: number }

export interface GraphNode {
  readonly op: string
  readonly inputs: readonly (Tensor | undefined)[]
  readonly outputs: readonly Tensor[]
  readonly attributes: Readonly<Record<string, NodeAttribute>>
}

/** The use of a parameter, which decides how it is initialized and whether it counts as trained. */
export type ParameterRole = 'weight' | 'bias' | 'scale' | 'mean' | 'variance' | 'fixed'

export interface Parameter {
  readonly tensor: Tensor
  readonly role: ParameterRole
}

export interface Constant {
  readonly tensor: Tensor
  readonly data: Float32Array | Float64Array | BigInt64Array | Uint8Array
}

export interface Graph {
  readonly inputs: Tensor[]
  readonly nodes: GraphNode[]
  readonly parameters: Map<string, Parameter>
  readonly constants: Map<string, Constant>
  /** Named results, such as `features` and `logits`. */
  readonly outputs: Map<string, Tensor>
  nameCount: number
  /** Whether fused operators, which have no gradient rule, may replace several plain ones (inference only). */
  readonly usesFusedOps: boolean
}

/** A prefix of parameter names; `at('blocks').at('0').get('weight', [3])` declares `blocks.0.weight`. */
export interface ParameterScope {
  readonly graph: Graph
  readonly path: string
  at(name: string | number): ParameterScope
  /** The scopes `name.0` … `name.(count-1)`. */
  each(name: string, count: number): ParameterScope[]
  get(name: string, shape: readonly number[], role?: ParameterRole): Tensor
}

/** Computes a tensor from another one and the parameters of a scope. */
export type Layer = (w: ParameterScope, x: Tensor) => Tensor

/** A layer that is told its settings. */
export type Block<Settings> = (w: ParameterScope, x: Tensor, c: Settings) => Tensor

export function createGraph({ fused = false } = {}): Graph {
  return {
    inputs: [],
    nodes: [],
    parameters: new Map(),
    constants: new Map(),
    outputs: new Map(),
    nameCount: 0,
    usesFusedOps: fused,
  }
}

/** Declares an input, float32 by default. */
export function addInput(
  graph: Graph,
  name: string,
  { dtype = 'float32', shape }: Partial<Pick<Tensor, 'dtype'>> & Pick<Tensor, 'shape'>,
): Tensor {
  const tensor = { graph, name, dtype, shape }
  graph.inputs.push(tensor)
  return tensor
}

export function addOutput(name: string, tensor: Tensor): Tensor {
  tensor.graph.outputs.set(name, tensor)
  return tensor
}

/** Adds an inline constant of a few values; weights belong in parameters. */
export function constant(graph: Graph, data: Constant['data'], shape: readonly number[]): Tensor {
  return sharedConstant(graph, `constant_${graph.nameCount++}`, () => ({ data, shape }))
}

/** Returns the constant that the graph has under `name`, made once: tables that many blocks read are stored once. */
export function sharedConstant(
  graph: Graph,
  name: string,
  make: () => { data: Constant['data']; shape: readonly number[] },
): Tensor {
  const known = graph.constants.get(name)
  if (known) return known.tensor
  const { data, shape } = make()
  const tensor: Tensor = { graph, name, dtype: dtypeOf(data), shape }
  graph.constants.set(name, { tensor, data })
  return tensor
}

function dtypeOf(data: Constant['data']): DType {
  if (data instanceof Float32Array) return 'float32'
  if (data instanceof Float64Array) return 'float64'
  return data instanceof BigInt64Array ? 'int64' : 'uint8'
}

export const scalar = (graph: Graph, value: number): Tensor =>
  constant(graph, Float32Array.of(value), [])

export function integers(graph: Graph, values: readonly number[]): Tensor {
  const data = new BigInt64Array(values.length)
  for (let i = 0; i < values.length; i++) data[i] = BigInt(values[i]!)
  return constant(graph, data, [values.length])
}

/** Types and shapes of a node's outputs, and its attributes. */
interface NodeResult {
  outputs: readonly Pick<Tensor, 'dtype' | 'shape'>[]
  attributes?: GraphNode['attributes'] | undefined
}

/** Appends a node to the graph of its first input; its outputs get fresh names. */
export function appendNode(
  op: string,
  inputs: GraphNode['inputs'],
  { outputs, attributes = {} }: NodeResult,
): Tensor[] {
  const { graph } = inputs[0]!
  for (const tensor of inputs) {
    if (tensor && tensor.graph !== graph)
      throw shapeError(op, `${tensor.name} belongs to another graph`)
  }
  const tensors = outputs.map(({ dtype, shape }) => ({
    graph,
    name: `${op}_${graph.nameCount++}`,
    dtype,
    shape,
  }))
  graph.nodes.push({ op, inputs, outputs: tensors, attributes })
  return tensors
}

/** Appends a node with one output, of its first input's type unless `dtype` is given. */
export const appendOp = (
  op: string,
  inputs: readonly [Tensor, ...(Tensor | undefined)[]],
  result: Pick<Tensor, 'shape'> & Partial<Pick<Tensor, 'dtype'> & Pick<GraphNode, 'attributes'>>,
): Tensor => {
  const { shape, dtype = inputs[0].dtype, attributes } = result
  return appendNode(op, inputs, { outputs: [{ dtype, shape }], attributes })[0]!
}

export function parameterScope(graph: Graph, path = ''): ParameterScope {
  const full = (name: string | number): string => (path === '' ? String(name) : `${path}.${name}`)
  return {
    graph,
    path,
    at: name => parameterScope(graph, full(name)),
    each: (name, count) =>
      Array.from({ length: count }, (_, i) => parameterScope(graph, `${full(name)}.${i}`)),
    get: (name, shape, role = 'weight') => declareParameter(graph, full(name), { shape, role }),
  }
}

function declareParameter(
  graph: Graph,
  name: string,
  { shape, role }: { shape: readonly number[]; role: ParameterRole },
): Tensor {
  const known = graph.parameters.get(name)
  if (known) {
    if (String(known.tensor.shape) !== String(shape)) {
      throw shapeError(
        'parameter',
        `${name} is declared as [${String(known.tensor.shape)}] and as [${String(shape)}]`,
      )
    }
    return known.tensor
  }
  const tensor: Tensor = { graph, name, dtype: 'float32', shape }
  graph.parameters.set(name, { tensor, role })
  return tensor
}

export const shapeError = (op: string, message: string): GeogapError =>
  internalError('graph-shape', `${op}: ${message}`)

/** Returns the nodes that `outputs` depend on, in execution order. */
export function neededNodes(graph: Graph, outputs: readonly Tensor[]): GraphNode[] {
  const needed = new Set(outputs.map(tensor => tensor.name))
  const nodes: GraphNode[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some(tensor => needed.has(tensor.name))) continue
    nodes.push(node)
    for (const tensor of node.inputs) if (tensor) needed.add(tensor.name)
  }
  return nodes.reverse()
}
