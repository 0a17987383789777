/*
 * Reads the facts of an ONNX file (onnx.proto): inputs and outputs, versions, operator domains, and the other files that
 * hold its weights, subgraphs and constants inside of nodes included.
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
  /** The element type, such as `float32`; empty if the value is no tensor of a known type. */
  dtype: string
  /** Sizes, or the names (maybe empty) of those known only at run time. */
  shape: (number | string)[]
}

/** A byte range of another file, as the ONNX file states it, unchecked. */
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
  /** Whether it rounds what it computes to the range of the whole batch, so that a row's values depend on the others. */
  isDynamicallyQuantized: boolean
  /** Values of all weights of the main graph. */
  parameters: number
  external: ExternalRange[]
}

/** Names of onnx.proto's element types, by their number. */
const dtypeNames: readonly string[] =
  ',float32,uint8,int8,uint16,int16,int32,int64,string,bool,float16,float64,uint32,uint64,,,bfloat16'.split(
    ',',
  )

const maxDepth = 12
const maxExternalTensors = 100_000

/** The file that is read and what all parts of its graph contribute. */
interface GraphReader {
  proto: ProtoFile
  domains: Set<string>
  external: ExternalRange[]
  nodes: number
  isDynamicallyQuantized: boolean
}

/**
 * Reads the facts of an ONNX file.
 * @throws GeogapError `bad-onnx`, `no-weights-file`
 */
export const inspectOnnx = (file: string): OnnxFacts => readProto(file, readModel)

/** Reads the fields of a message by their numbers; fields without a reader are skipped. */
function readFields(
  proto: ProtoFile,
  span: ByteSpan,
  readers: Readonly<Record<number, (field: ProtoField) => void>>,
): void {
  for (const field of proto.fields(span)) readers[field.number]?.(field)
}

function readModel(proto: ProtoFile): OnnxFacts {
  const reader: GraphReader = {
    proto,
    domains: new Set(),
    external: [],
    nodes: 0,
    isDynamicallyQuantized: false,
  }
  const graphs: ProtoField[] = []
  const producer = ['', '']
  let opset = 0
  readFields(proto, proto, {
    2: field => (producer[0] = fieldText(proto, field)),
    3: field => (producer[1] = fieldText(proto, field)),
    7: field => graphs.push(field),
    8: field => (opset ||= readOpset(proto, field)),
    20: field => {
      const graph = (span: ByteSpan): void => readSubgraph(reader, span, 1)
      readFields(proto, field, { 1: graph, 2: graph })
    },
    25: field => readFields(proto, field, { 7: node => readNode(reader, node, 1) }),
  })
  if (graphs.length !== 1) throw badOnnxError(proto.file, `${graphs.length} graphs instead of one`)
  const main = readMainGraph(reader, graphs[0]!)
  return {
    file: proto.file,
    bytes: proto.end,
    producer: producer.join(' ').trim(),
    opset,
    domains: [...reader.domains].sort(),
    ...main,
    nodes: reader.nodes,
    isDynamicallyQuantized: reader.isDynamicallyQuantized,
    external: reader.external,
  }
}

/** Returns the version of ONNX's own operators, 0 for another domain's. */
function readOpset(proto: ProtoFile, span: ByteSpan): number {
  let domain = ''
  let version = 0
  readFields(proto, span, {
    1: field => (domain = fieldText(proto, field)),
    2: field => (version = field.value),
  })
  return domain === '' || domain === 'ai.onnx' ? version : 0
}

function readMainGraph(
  reader: GraphReader,
  span: ByteSpan,
): Pick<OnnxFacts, 'inputs' | 'outputs' | 'parameters'> {
  const { proto } = reader
  const inputs: OnnxValue[] = []
  const outputs: OnnxValue[] = []
  const weights = new Set<string>()
  const operators = new Map<string, ValueOrigin>()
  let parameters = 0
  readFields(proto, span, {
    1: field => {
      const { operator, source, results } = readNode(reader, field, 0)
      for (const name of results) operators.set(name, { operator, source })
    },
    5: field => {
      const { name, values } = readInitializer(reader, field)
      weights.add(name)
      parameters += values
    },
    11: field => inputs.push(readValueInfo(proto, field)),
    12: field => outputs.push(readValueInfo(proto, field)),
    15: field => readSparseTensor(reader, field),
  })
  return {
    inputs: inputs.filter(({ name }) => !weights.has(name)),
    outputs: outputs.map(output => ({
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

/** Returns the operator that computes the value, seen through those that only reshape or cast it. */
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

function readSubgraph(reader: GraphReader, span: ByteSpan, depth: number): void {
  if (depth > maxDepth)
    throw badOnnxError(reader.proto.file, `graphs nested deeper than ${maxDepth}`)
  readFields(reader.proto, span, {
    1: field => readNode(reader, field, depth),
    5: field => readInitializer(reader, field),
    15: field => readSparseTensor(reader, field),
  })
}

function readNode(
  reader: GraphReader,
  span: ByteSpan,
  depth: number,
): ValueOrigin & { results: string[] } {
  const { proto } = reader
  let operator = ''
  let domain = ''
  let source: string | undefined
  const results: string[] = []
  readFields(proto, span, {
    1: field => (source ??= fieldText(proto, field)),
    2: field => results.push(fieldText(proto, field)),
    4: field => (operator = fieldText(proto, field)),
    5: field => readAttribute(reader, field, depth),
    7: field => (domain = fieldText(proto, field)),
  })
  reader.nodes += 1
  reader.isDynamicallyQuantized ||= operator.startsWith('DynamicQuantize')
  reader.domains.add(domain)
  return { operator, source: source ?? '', results }
}

function readAttribute(reader: GraphReader, span: ByteSpan, depth: number): void {
  const tensor = (field: ProtoField): unknown => readInitializer(reader, field)
  const graph = (field: ProtoField): void => readSubgraph(reader, field, depth + 1)
  const sparse = (field: ProtoField): void => readSparseTensor(reader, field)
  readFields(reader.proto, span, {
    5: tensor,
    6: graph,
    10: tensor,
    11: graph,
    22: sparse,
    23: sparse,
  })
}

function readSparseTensor(reader: GraphReader, span: ByteSpan): void {
  const part = (field: ProtoField): unknown => readInitializer(reader, field)
  readFields(reader.proto, span, { 1: part, 2: part })
}

function readInitializer(reader: GraphReader, span: ByteSpan): { name: string; values: number } {
  const { proto } = reader
  const entries = new Map<string, string>()
  let name = ''
  let values = 1
  const data = { isOutside: false }
  readFields(proto, span, {
    1: field => (values *= fieldIntegers(proto, field).reduce((a, size) => a * size, 1)),
    8: field => (name = fieldText(proto, field)),
    13: field => entries.set(...readStringPair(proto, field)),
    14: field => (data.isOutside = field.value === 1),
  })
  if (data.isOutside || entries.size > 0) {
    if (reader.external.length === maxExternalTensors)
      throw badOnnxError(proto.file, `more than ${maxExternalTensors} external tensors`)
    reader.external.push({
      location: entries.get('location') ?? '',
      offset: Number(entries.get('offset') ?? 0),
      length: Number(entries.get('length') ?? 0),
    })
  }
  return { name, values }
}

function readStringPair(proto: ProtoFile, span: ByteSpan): [string, string] {
  const pair: [string, string] = ['', '']
  readFields(proto, span, {
    1: field => (pair[0] = fieldText(proto, field)),
    2: field => (pair[1] = fieldText(proto, field)),
  })
  return pair
}

function readValueInfo(proto: ProtoFile, span: ByteSpan): OnnxValue {
  const found: OnnxValue = { name: '', dtype: '', shape: [] }
  const tensorType = (type: ProtoField): void =>
    readFields(proto, type, {
      1: field => (found.dtype = dtypeNames[field.value] ?? ''),
      2: shape =>
        readFields(proto, shape, { 1: dim => found.shape.push(readDimension(proto, dim)) }),
    })
  readFields(proto, span, {
    1: field => (found.name = fieldText(proto, field)),
    2: type => readFields(proto, type, { 1: tensorType }),
  })
  return found
}

function readDimension(proto: ProtoFile, span: ByteSpan): number | string {
  for (const field of proto.fields(span)) {
    if (field.number === 1) return field.value > 0 ? field.value : ''
    if (field.number === 2) return fieldText(proto, field)
  }
  return ''
}
