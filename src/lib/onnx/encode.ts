/*
 * Encodes a graph as an ONNX model (onnx.proto, IR version 10, opset 20). Weights are not copied: a bound parameter is
 * written as external data, that is a file name and a byte range, which ONNX Runtime maps into memory. Ranges of half
 * precision get a Cast to float32 in the graph.
 */
import { createRequire } from 'node:module'
import type * as Wire from '@bufbuild/protobuf/wire'
import {
  type NodeAttribute,
  type Constant,
  type DType,
  type Graph,
  neededNodes,
  type GraphNode,
  shapeError,
  type Tensor,
} from './graph.ts'
import { onnxType } from './ops.ts'

/** The values of a parameter: a byte range of a file in the weights folder, or the values themselves. */
export type ParameterBinding =
  | { dtype: DType; file: string; offset: number; length: number }
  | { dtype: DType; values: Uint8Array }

export interface EncodeOptions {
  /** Names of the outputs to keep, all by default; nodes that none of them needs are left out. */
  outputs?: readonly string[]
  /** Returns the values of a parameter; called once for each parameter that the kept outputs need. */
  bind?: (name: string, tensor: Tensor) => ParameterBinding
}

const irVersion = 10
const opset = 20
const require = createRequire(import.meta.url)
// The package's CommonJS files load in half the time of its ES modules.
const { BinaryWriter, WireType } = require('@bufbuild/protobuf/wire') as typeof Wire
const { Varint: varint, LengthDelimited: bytes, Bit32: fixed32 } = WireType

const refuseParameter = (name: string): never => {
  throw shapeError('encode', `unexpected parameter ${name}`)
}

function outputTensors(
  graph: Graph,
  names: readonly string[] = [...graph.outputs.keys()],
): { name: string; tensor: Tensor }[] {
  return names.map(name => {
    const tensor = graph.outputs.get(name)
    if (!tensor)
      throw shapeError(
        'encode',
        `no output ${name}; there are ${[...graph.outputs.keys()].join(', ')}`,
      )
    return { name, tensor }
  })
}

/** Returns the bytes of an ONNX model for `graph`. */
export function encodeModel(
  graph: Graph,
  { outputs, bind = refuseParameter }: EncodeOptions = {},
): Uint8Array {
  const results = outputTensors(graph, outputs)
  const nodes = neededNodes(
    graph,
    results.map(({ tensor }) => tensor),
  )
  const used = new Set([
    ...nodes.flatMap(node => node.inputs.flatMap(tensor => tensor?.name ?? [])),
    ...results.map(({ tensor }) => tensor.name),
  ])

  const body = new BinaryWriter()
  const initializers = new BinaryWriter()
  for (const { tensor } of graph.parameters.values()) {
    if (!used.has(tensor.name)) continue
    const binding = bind(tensor.name, tensor)
    const stored: Tensor = {
      ...tensor,
      name: binding.dtype === tensor.dtype ? tensor.name : `${tensor.name}:${binding.dtype}`,
      dtype: binding.dtype,
    }
    writeMessage(initializers, 5, writer => writeParameter(writer, stored, binding))
    if (stored.name !== tensor.name)
      writeMessage(body, 1, writer => writeCast(writer, stored, tensor))
  }
  for (const node of nodes) writeMessage(body, 1, writer => writeNode(writer, node))
  for (const { name, tensor } of results) {
    writeMessage(body, 1, writer =>
      writeNode(writer, {
        op: 'Identity',
        inputs: [tensor],
        outputs: [{ ...tensor, name }],
        attributes: {},
      }),
    )
  }
  body.tag(2, bytes).string('geogap')
  for (const constant of graph.constants.values()) {
    if (used.has(constant.tensor.name))
      writeMessage(initializers, 5, writer => writeConstant(writer, constant))
  }
  body.raw(initializers.finish())
  for (const tensor of graph.inputs)
    if (used.has(tensor.name))
      writeMessage(body, 11, writer => writeValue(writer, tensor.name, tensor))
  for (const { name, tensor } of results)
    writeMessage(body, 12, writer => writeValue(writer, name, tensor))

  const model = new BinaryWriter()
  model.tag(1, varint).int64(irVersion)
  model.tag(2, bytes).string('geogap')
  model.tag(7, bytes).bytes(body.finish())
  writeMessage(model, 8, writer => writer.tag(2, varint).int64(opset))
  writeMessage(model, 8, writer =>
    writer.tag(1, bytes).string('com.microsoft').tag(2, varint).int64(1),
  )
  return model.finish()
}

function writeMessage(
  writer: Wire.BinaryWriter,
  field: number,
  write: (writer: Wire.BinaryWriter) => unknown,
): void {
  writer.tag(field, bytes).fork()
  write(writer)
  writer.join()
}

function writeNode(writer: Wire.BinaryWriter, node: GraphNode): void {
  for (const tensor of node.inputs) writer.tag(1, bytes).string(tensor?.name ?? '')
  for (const tensor of node.outputs) writer.tag(2, bytes).string(tensor.name)
  writer.tag(3, bytes).string(`node_${node.outputs[0]!.name}`)
  writer.tag(4, bytes).string(node.op)
  for (const [name, value] of Object.entries(node.attributes))
    writeMessage(writer, 5, inner => writeAttribute(inner, name, value))
  if (microsoftOps.has(node.op)) writer.tag(7, bytes).string('com.microsoft')
}

const microsoftOps = new Set<string>(['MultiHeadAttention', 'RotaryEmbedding'])

function writeAttribute(writer: Wire.BinaryWriter, name: string, value: NodeAttribute): void {
  writer.tag(1, bytes).string(name)
  if (typeof value === 'string')
    writer.tag(4, bytes).bytes(new TextEncoder().encode(value)).tag(20, varint).int32(3)
  else if (typeof value === 'number') writer.tag(3, varint).int64(value).tag(20, varint).int32(2)
  else if ('float' in value) writer.tag(2, fixed32).float(value.float).tag(20, varint).int32(1)
  else {
    for (const entry of value) writer.tag(8, varint).int64(entry)
    writer.tag(20, varint).int32(7)
  }
}

function writeValue(writer: Wire.BinaryWriter, name: string, tensor: Tensor): void {
  writer.tag(1, bytes).string(name)
  writeMessage(writer, 2, type =>
    writeMessage(type, 1, inner => {
      inner.tag(1, varint).int32(onnxType[tensor.dtype])
      writeMessage(inner, 2, shape => {
        for (const dim of tensor.shape) {
          writeMessage(shape, 1, entry =>
            typeof dim === 'number'
              ? entry.tag(1, varint).int64(dim)
              : entry.tag(2, bytes).string(dim),
          )
        }
      })
    }),
  )
}

function writeParameter(
  writer: Wire.BinaryWriter,
  stored: Tensor,
  binding: ParameterBinding,
): void {
  writeTensorHead(writer, stored)
  if ('values' in binding) {
    writer.tag(9, bytes).bytes(binding.values)
    return
  }
  const { file, offset, length } = binding
  for (const [key, value] of Object.entries({ location: file, offset, length })) {
    writeMessage(writer, 13, entry =>
      entry.tag(1, bytes).string(key).tag(2, bytes).string(String(value)),
    )
  }
  writer.tag(14, varint).int32(1)
}

const writeCast = (writer: Wire.BinaryWriter, from: Tensor, to: Tensor): void =>
  writeNode(writer, {
    op: 'Cast',
    inputs: [from],
    outputs: [to],
    attributes: { to: onnxType[to.dtype] },
  })

function writeConstant(writer: Wire.BinaryWriter, { tensor, data }: Constant): void {
  writeTensorHead(writer, tensor)
  writer.tag(9, bytes).bytes(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
}

function writeTensorHead(writer: Wire.BinaryWriter, { name, dtype, shape }: Tensor): void {
  for (const dim of shape) writer.tag(1, varint).int64(dim)
  writer.tag(2, varint).int32(onnxType[dtype])
  writer.tag(8, bytes).string(name)
}
