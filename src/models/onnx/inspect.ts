/*
 * What an ONNX file says of itself (onnx.proto): inputs and outputs, versions, operator domains, and which other files it
 * takes weights from, subgraphs and constants inside of nodes included.
 */
import { badOnnx, type Field, integersOf, type ProtoFile, readProto, type Span, textOf } from './wire.ts'

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

const dtypes: Readonly<Record<number, string>> = {
  ...{ 1: 'float32', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16', 6: 'int32', 7: 'int64', 8: 'string', 9: 'bool' },
  ...{ 10: 'float16', 11: 'float64', 12: 'uint32', 13: 'uint64', 16: 'bfloat16' },
}

const maxDepth = 12
const maxExternal = 100_000

/** What a graph contributes, gathered over all of its parts. */
interface Gathered {
  domains: Set<string>
  external: ExternalRange[]
  nodes: number
}

/** @throws GeogapError `bad-onnx`, `no-weights-file` */
export const inspectOnnx = (file: string): OnnxFacts => readProto(file, model)

function model(proto: ProtoFile): OnnxFacts {
  const gathered: Gathered = { domains: new Set(), external: [], nodes: 0 }
  const graphs: Field[] = []
  const opsets: { domain: string; version: number }[] = []
  let [producer, version] = ['', '']
  for (const field of proto.fields(proto)) {
    if (field.number === 2) producer = textOf(proto, field)
    else if (field.number === 3) version = textOf(proto, field)
    else if (field.number === 7) graphs.push(field)
    else if (field.number === 8) opsets.push(opset(proto, field))
    else if (field.number === 25) functionBody(proto, field, gathered)
  }
  if (graphs.length !== 1) throw badOnnx(proto.file, `${graphs.length} graphs instead of one`)
  const main = mainGraph(proto, graphs[0]!, gathered)
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

function opset(proto: ProtoFile, span: Span): { domain: string; version: number } {
  const found = { domain: '', version: 0 }
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.domain = textOf(proto, field)
    else if (field.number === 2) found.version = field.value
  }
  return found
}

function functionBody(proto: ProtoFile, span: Span, gathered: Gathered): void {
  for (const field of proto.fields(span)) if (field.number === 7) node(proto, field, gathered, 1)
}

function mainGraph(
  proto: ProtoFile,
  span: Span,
  gathered: Gathered,
): Pick<OnnxFacts, 'inputs' | 'outputs' | 'parameters'> {
  const [inputs, outputs]: OnnxValue[][] = [[], []]
  const weights = new Set<string>()
  const operators = new Map<string, Origin>()
  let parameters = 0
  for (const field of proto.fields(span)) {
    if (field.number === 1) {
      const { operator, source, results } = node(proto, field, gathered, 0)
      for (const name of results) operators.set(name, { operator, source })
    } else if (field.number === 5) {
      const { name, values } = tensor(proto, field, gathered)
      weights.add(name)
      parameters += values
    } else if (field.number === 11) inputs!.push(value(proto, field))
    else if (field.number === 12) outputs!.push(value(proto, field))
    else if (field.number === 15) sparseTensor(proto, field, gathered)
  }
  return {
    inputs: inputs!.filter(({ name }) => !weights.has(name)),
    outputs: outputs!.map(output => ({ ...output, operator: originOf(output.name, operators) })),
    parameters,
  }
}

/** The operator that a value comes from, and the node's first input. */
interface Origin {
  operator: string
  source: string
}

/** The operator that computes the value, seen through those that only hand values on. */
function originOf(name: string, operators: ReadonlyMap<string, Origin>): string {
  let found = operators.get(name)
  for (let steps = 0; steps < 8 && found && /^(Identity|Cast|Flatten|Squeeze|Reshape)$/.test(found.operator); steps++)
    found = operators.get(found.source) ?? found
  return found?.operator ?? ''
}

function subgraph(proto: ProtoFile, span: Span, gathered: Gathered, depth: number): void {
  if (depth > maxDepth) throw badOnnx(proto.file, `graphs nested deeper than ${maxDepth}`)
  for (const field of proto.fields(span)) {
    if (field.number === 1) node(proto, field, gathered, depth)
    else if (field.number === 5) tensor(proto, field, gathered)
    else if (field.number === 15) sparseTensor(proto, field, gathered)
  }
}

function node(proto: ProtoFile, span: Span, gathered: Gathered, depth: number): Origin & { results: string[] } {
  let [operator, domain] = ['', '']
  let source: string | undefined
  const results: string[] = []
  for (const field of proto.fields(span)) {
    if (field.number === 1) source ??= textOf(proto, field)
    else if (field.number === 2) results.push(textOf(proto, field))
    else if (field.number === 4) operator = textOf(proto, field)
    else if (field.number === 7) domain = textOf(proto, field)
    else if (field.number === 5) attribute(proto, field, gathered, depth)
  }
  gathered.nodes += 1
  gathered.domains.add(domain)
  return { operator, source: source ?? '', results }
}

function attribute(proto: ProtoFile, span: Span, gathered: Gathered, depth: number): void {
  for (const field of proto.fields(span)) {
    if (field.number === 5 || field.number === 10) tensor(proto, field, gathered)
    else if (field.number === 6 || field.number === 11) subgraph(proto, field, gathered, depth + 1)
    else if (field.number === 22 || field.number === 23) sparseTensor(proto, field, gathered)
  }
}

function sparseTensor(proto: ProtoFile, span: Span, gathered: Gathered): void {
  for (const field of proto.fields(span)) if (field.number === 1 || field.number === 2) tensor(proto, field, gathered)
}

function tensor(proto: ProtoFile, span: Span, gathered: Gathered): { name: string; values: number } {
  const entries = new Map<string, string>()
  let [name, values, outside] = ['', 1, false]
  for (const field of proto.fields(span)) {
    if (field.number === 1) values *= integersOf(proto, field).reduce((product, size) => product * size, 1)
    else if (field.number === 8) name = textOf(proto, field)
    else if (field.number === 13) entries.set(...pair(proto, field))
    else if (field.number === 14) outside = field.value === 1
  }
  if (outside || entries.size > 0) {
    if (gathered.external.length === maxExternal) throw badOnnx(proto.file, `more than ${maxExternal} external tensors`)
    const [offset, length] = ['offset', 'length'].map(key => Number(entries.get(key) ?? 0))
    gathered.external.push({ location: entries.get('location') ?? '', offset: offset!, length: length! })
  }
  return { name, values }
}

function pair(proto: ProtoFile, span: Span): [string, string] {
  let [key, text] = ['', '']
  for (const field of proto.fields(span)) {
    if (field.number === 1) key = textOf(proto, field)
    else if (field.number === 2) text = textOf(proto, field)
  }
  return [key, text]
}

function value(proto: ProtoFile, span: Span): OnnxValue {
  const found: OnnxValue = { name: '', dtype: '', shape: [] }
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.name = textOf(proto, field)
    else if (field.number === 2)
      for (const type of proto.fields(field)) if (type.number === 1) tensorType(proto, type, found)
  }
  return found
}

function tensorType(proto: ProtoFile, span: Span, found: OnnxValue): void {
  for (const field of proto.fields(span)) {
    if (field.number === 1) found.dtype = dtypes[field.value] ?? ''
    else if (field.number === 2)
      for (const dim of proto.fields(field)) if (dim.number === 1) found.shape.push(dimension(proto, dim))
  }
}

function dimension(proto: ProtoFile, span: Span): number | string {
  for (const field of proto.fields(span)) {
    if (field.number === 1) return field.value > 0 ? field.value : ''
    if (field.number === 2) return textOf(proto, field)
  }
  return ''
}
