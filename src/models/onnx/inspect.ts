/*
 * What an ONNX file says of itself (onnx.proto): inputs and outputs, versions, operator domains, and which other files it
 * takes weights from, subgraphs and constants inside of nodes included.
 */
import {
  badOnnxError,
  type ProtoField,
  fieldIntegers,
  type ProtoFile,
  readProto,
  type ByteSpan,
  fieldText,
} from './wire.ts'

export interface OnnxValue {
  name: string
  /** The element type's name, `float32`; empty for what is no tensor of a known type. */
  dtype: string
  /** A size, or the name of one known only at run time (maybe empty). */
  shape: (number | string)[]
}

/** A byte range of another file, as the ONNX file states it; not yet checked. */
export interface ExternalRange {
  location: string
  offset: number
  length: number
}

export interface OnnxFacts {
  file: string
  /** Size of the file without its external data. */
  bytes: number
  producer: string
  opset: number
  /** Domains of the operators in use; `''` is ONNX's own. */
  domains: string[]
  /** Inputs that are not weights. */
  inputs: OnnxValue[]
  outputs: (OnnxValue & { operator: string })[]
  nodes: number
  /** Values of all weights of the main graph. */
  parameters: number
  external: ExternalRange[]
}

const dtypeNames: Readonly<Record<number, string>> = {
  ...{
    1: 'float32',
    2: 'uint8',
    3: 'int8',
    4: 'uint16',
    5: 'int16',
    6: 'int32',
    7: 'int64',
    8: 'string',
    9: 'bool',
  },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64', 16: 'bfloat16' },
}

const maxDepth = 12
const maxExternalTensors = 100_000

/** What a graph contributes, gathered over all of its parts. */
interface GraphContents {
  domains: Set<string>
  external: ExternalRange[]
  nodes: number
}

/** @throws GeogapError `bad-onnx`, `no-weights-file` */
export const inspectOnnx = (file: string): OnnxFacts => readProto(file, readModel)

function readModel(proto: ProtoFile): OnnxFacts {
  const gathered: GraphContents = { domains: new Set(), external: [], nodes: 0 }
  const graphs: ProtoField[] = []
  const opsets: { domain: string; version: number }[] = []
  let [producer, version] = ['', '']
  for (const field of proto.fields(proto)) {
    if (field.number === 2) producer = fieldText(proto, field)
    else if (field.number === 3) version = fieldText(proto, field)
    else if (field.number === 7) graphs.push(field)
    else if (field.number === 8) opsets.push(readOpset(proto, field))
    else if (field.number === 25) readFunction(proto, field, gathered)
  }
  if (graphs.length !== 1) throw badOnnxError(proto.file, `${graphs.length} graphs instead of one`)
  const main = readMainGraph(proto, graphs[0]!, gathered)
  return {
    file: proto.file,
    bytes: proto.end,
    producer: `${producer} ${version}`.trim(),
    opset: opsets.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version ?? 0,
    domains: [...gathered.domains].sort(),
    ...main,
    nodes: gathered.nodes,
    external: gathered.external,
  }
}

function readOpset(proto: ProtoFile, span: ByteSpan): { domain: string; version: number } {
  const found = { domain: '', version: 0 }
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.domain = fieldText(proto, field)
    else if (field.number === 2) found.version = field.value
  }
  return found
}

function readFunction(proto: ProtoFile, span: ByteSpan, gathered: GraphContents): void {
  for (const field of proto.fields(span))
    if (field.number === 7) readNode(proto, field, gathered, 1)
}

function readMainGraph(
  proto: ProtoFile,
  span: ByteSpan,
  gathered: GraphContents,
): Pick<OnnxFacts, 'inputs' | 'outputs' | 'parameters'> {
  const [inputs, outputs]: OnnxValue[][] = [[], []]
  const weights = new Set<string>()
  const operators = new Map<string, ValueOrigin>()
  let parameters = 0
  for (const field of proto.fields(span)) {
    if (field.number === 1) {
      const { operator, source, results } = readNode(proto, field, gathered, 0)
      for (const name of results) operators.set(name, { operator, source })
    } else if (field.number === 5) {
      const { name, values } = readInitializer(proto, field, gathered)
      weights.add(name)
      parameters += values
    } else if (field.number === 11) inputs!.push(readValueInfo(proto, field))
    else if (field.number === 12) outputs!.push(readValueInfo(proto, field))
    else if (field.number === 15) readSparseTensor(proto, field, gathered)
  }
  return {
    inputs: inputs!.filter(({ name }) => !weights.has(name)),
    outputs: outputs!.map(output => ({
      ...output,
      operator: sourceOperator(output.name, operators),
    })),
    parameters,
  }
}

/** The operator that a value comes from, and the node's first input. */
interface ValueOrigin {
  operator: string
  source: string
}

/** The operator that computes the value, seen through those that only hand values on. */
function sourceOperator(name: string, operators: ReadonlyMap<string, ValueOrigin>): string {
  let found = operators.get(name)
  for (
    let steps = 0;
    steps < 8 && found && /^(Identity|Cast|Flatten|Squeeze|Reshape)$/.test(found.operator);
    steps++
  )
    found = operators.get(found.source) ?? found
  return found?.operator ?? ''
}

function readSubgraph(
  proto: ProtoFile,
  span: ByteSpan,
  gathered: GraphContents,
  depth: number,
): void {
  if (depth > maxDepth) throw badOnnxError(proto.file, `graphs nested deeper than ${maxDepth}`)
  for (const field of proto.fields(span)) {
    if (field.number === 1) readNode(proto, field, gathered, depth)
    else if (field.number === 5) readInitializer(proto, field, gathered)
    else if (field.number === 15) readSparseTensor(proto, field, gathered)
  }
}

function readNode(
  proto: ProtoFile,
  span: ByteSpan,
  gathered: GraphContents,
  depth: number,
): ValueOrigin & { results: string[] } {
  let [operator, domain] = ['', '']
  let source: string | undefined
  const results: string[] = []
  for (const field of proto.fields(span)) {
    if (field.number === 1) source ??= fieldText(proto, field)
    else if (field.number === 2) results.push(fieldText(proto, field))
    else if (field.number === 4) operator = fieldText(proto, field)
    else if (field.number === 7) domain = fieldText(proto, field)
    else if (field.number === 5) readAttribute(proto, field, gathered, depth)
  }
  gathered.nodes += 1
  gathered.domains.add(domain)
  return { operator, source: source ?? '', results }
}

function readAttribute(
  proto: ProtoFile,
  span: ByteSpan,
  gathered: GraphContents,
  depth: number,
): void {
  for (const field of proto.fields(span)) {
    if (field.number === 5 || field.number === 10) readInitializer(proto, field, gathered)
    else if (field.number === 6 || field.number === 11)
      readSubgraph(proto, field, gathered, depth + 1)
    else if (field.number === 22 || field.number === 23) readSparseTensor(proto, field, gathered)
  }
}

function readSparseTensor(proto: ProtoFile, span: ByteSpan, gathered: GraphContents): void {
  for (const field of proto.fields(span))
    if (field.number === 1 || field.number === 2) readInitializer(proto, field, gathered)
}

function readInitializer(
  proto: ProtoFile,
  span: ByteSpan,
  gathered: GraphContents,
): { name: string; values: number } {
  const entries = new Map<string, string>()
  let [name, values, outside] = ['', 1, false]
  for (const field of proto.fields(span)) {
    if (field.number === 1)
      values *= fieldIntegers(proto, field).reduce((product, size) => product * size, 1)
    else if (field.number === 8) name = fieldText(proto, field)
    else if (field.number === 13) entries.set(...readStringPair(proto, field))
    else if (field.number === 14) outside = field.value === 1
  }
  if (outside || entries.size > 0) {
    if (gathered.external.length === maxExternalTensors)
      throw badOnnxError(proto.file, `more than ${maxExternalTensors} external tensors`)
    const [offset, length] = ['offset', 'length'].map(key => Number(entries.get(key) ?? 0))
    gathered.external.push({
      location: entries.get('location') ?? '',
      offset: offset!,
      length: length!,
    })
  }
  return { name, values }
}

function readStringPair(proto: ProtoFile, span: ByteSpan): [string, string] {
  let [key, text] = ['', '']
  for (const field of proto.fields(span)) {
    if (field.number === 1) key = fieldText(proto, field)
    else if (field.number === 2) text = fieldText(proto, field)
  }
  return [key, text]
}

function readValueInfo(proto: ProtoFile, span: ByteSpan): OnnxValue {
  const found: OnnxValue = { name: '', dtype: '', shape: [] }
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.name = fieldText(proto, field)
    else if (field.number === 2)
      for (const type of proto.fields(field))
        if (type.number === 1) readTensorType(proto, type, found)
  }
  return found
}

function readTensorType(proto: ProtoFile, span: ByteSpan, found: OnnxValue): void {
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.dtype = dtypeNames[field.value] ?? ''
    else if (field.number === 2)
      for (const dim of proto.fields(field))
        if (dim.number === 1) found.shape.push(readDimension(proto, dim))
  }
}

function readDimension(proto: ProtoFile, span: ByteSpan): number | string {
  for (const field of proto.fields(span)) {
    if (field.number === 1) return field.value > 0 ? field.value : ''
    if (field.number === 2) return fieldText(proto, field)
  }
  return ''
}
