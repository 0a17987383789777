import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { quoteForMessage, escapeForMessage, weightsError } from '../errors.ts'
import { type DType, type Graph, type Tensor } from '../onnx/graph.ts'
import { type ParameterBinding } from '../onnx/encode.ts'
import { checkConfig } from './configFacts.ts'
import { foreignTensors } from './foreignTensors.ts'
import {
  foreignAdvice,
  foreignLibrary,
  type ForeignNames,
  renamed,
  type RenameRules,
} from './otherLibraries.ts'
import { type PositionTables, type ResizeTable, tableResize } from './positionTables.ts'
import { type NamedTensor } from './safetensors.ts'
import {
  asBytes,
  type WeightDtype,
  readFloat32,
  readTensor,
  type TensorEntry,
  type TensorFile,
} from './tensors.ts'

/** How a checkpoint's names become the architecture's; rules are tried in order and the first that fits is used. */
export interface NameTable {
  /** The architecture's name, by which a table for the names of another library is chosen. */
  architecture?: string
  rename?: RenameRules
  /** Tensors of the checkpoint that the architecture rightly does not use. */
  ignore?: readonly RegExp[]
  /** The architecture's names of tensors that blocks share and a checkpoint may hold once for each; the last is used. */
  tied?: readonly RegExp[]
  /** Learned tables of positions, which can be resized to another size of the image. */
  positions?: PositionTables
}

/** How weights are bound. */
export interface BindOptions {
  /** Whether tables of positions of another grid are resized to the graph's; without it they are an error. */
  resizePositions?: boolean | undefined
}

/** Parameters bound to byte ranges of the files in `folder`. */
export interface BoundWeights {
  /** Real path of the folder that holds the files named by external data. */
  folder: string
  bind: (name: string, tensor: Tensor) => ParameterBinding
}

const onnxDtypes: Readonly<Record<WeightDtype, DType>> = {
  F32: 'float32',
  F64: 'float64',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
}

/** Counters that PyTorch keeps beside normalization statistics. */
const counterPattern = /(^|\.)num_batches_tracked$/

/**
 * Binds every parameter of `graph` to a tensor of `files`.
 *
 * @throws GeogapError `weights-mismatch` naming tensors that are missing, left over, given twice, or of another shape.
 */
export async function bindWeights(
  graph: Graph,
  files: readonly TensorFile[],
  options: NameTable & BindOptions = {},
): Promise<BoundWeights> {
  const entries = await matchTensors(graph, files, options)
  const paths = new Map<string, string>()
  for (const { file } of files) paths.set(file, await realpath(file))
  const folder = dirname(paths.get(largestFile(files).file)!)
  const inline = new Map<string, ParameterBinding>()
  for (const [name, entry] of entries) {
    const { tensor } = graph.parameters.get(name)!
    const resize = hasShape(entry, tensor) ? undefined : tableOf(entry, tensor, options)!
    if (resize) inline.set(name, float32Binding(resize(await readFloat32(entry))))
    else if (entry.data || entry.values || dirname(paths.get(entry.file)!) !== folder)
      inline.set(name, await inlineBinding(entry))
  }
  return {
    folder,
    bind: name => {
      const entry = entries.get(name)!
      const values = inline.get(name)
      if (values) return values
      return {
        dtype: onnxDtypes[entry.dtype],
        file: basename(paths.get(entry.file)!),
        offset: entry.offset,
        length: entry.length,
      }
    },
  }
}

/**
 * Reads every parameter of `graph`, or those named in `only`, as float32 under the graph's names.
 * @throws GeogapError `weights-mismatch` naming tensors that are missing, left over, given twice, or of another shape.
 */
export async function readParameters(
  graph: Graph,
  files: readonly TensorFile[],
  options: NameTable & { only?: Iterable<string> } = {},
): Promise<NamedTensor[]> {
  const entries = await matchTensors(graph, files, options)
  const tensors: NamedTensor[] = []
  for (const name of options.only ?? graph.parameters.keys()) {
    const entry = entries.get(name)!
    tensors.push({ name, shape: entry.shape, data: await readFloat32(entry) })
  }
  return tensors
}

interface FoundTensors {
  entries: Map<string, TensorEntry>
  /** Names that two tensors have. */
  twice: string[]
  /** The library that named them, if it is another. */
  library?: ForeignNames | undefined
  /** Names outside of the prefix that holds the model. */
  beside?: readonly string[]
}

/** The tensors under the graph's names. */
async function matchTensors(
  graph: Graph,
  files: readonly TensorFile[],
  options: NameTable & BindOptions,
): Promise<Map<string, TensorEntry>> {
  const plain = files.map(file => ({ ...file, tensors: withoutInnerWrappers(file.tensors) }))
  const own = foundTensors(graph, plain, options)
  const { entries, twice, library, beside } = hasAll(graph, own)
    ? own
    : (unwrapped(graph, plain, options) ?? own)
  const faults = [
    ...list('given twice', twice),
    ...nameFaults(graph, entries, options),
    ...list('beside the model', beside),
  ]
  if (faults.length === 0) {
    const { architecture = '' } = options
    if (library) await checkConfig(files[0]!.file, { ...library, architecture })
    return entries
  }
  const head = otherHead(graph, entries, faults)
  if (library) faults.push(foreignAdvice(library))
  if (head !== undefined)
    faults.push(`its head has ${head} classes: describe it in a model.json that names them`)
  const where = files.map(({ file }) => quoteForMessage(file, 200)).join(', ')
  throw weightsError(
    'weights-mismatch',
    `weights do not fit the model: ${where}: ${faults.join('; ')}`,
  )
}

const hasAll = (graph: Graph, { entries }: FoundTensors): boolean =>
  [...graph.parameters.keys()].every(name => entries.has(name))

/** Returns the tensors under the architecture's names. Names of another library are translated if the architecture's own do not fit. */
function foundTensors(graph: Graph, files: readonly TensorFile[], names: NameTable): FoundTensors {
  const direct = namedEntries(
    files.flatMap(({ tensors }) => [...tensors]),
    names,
  )
  const isOwn = [...direct.entries.keys()].every(name => graph.parameters.has(name))
  if (isOwn) return direct
  const library = foreignLibrary(
    files.flatMap(({ tensors }) => [...tensors.keys()]),
    names.architecture ?? '',
  )
  if (!library || library.tables.length === 0 || hasAll(graph, direct))
    return { ...direct, library }
  const others = files.flatMap(({ tensors }) => foreignTensors(graph, tensors, library))
  return { ...namedEntries(others, names), library }
}

/** Tensors of training that stand beside a wrapped model. */
const trainingPattern = /^(n_averaged$|(criterion|loss|loss_fn)\.)/
const maxWrappers = 3
/** What PyTorch puts in the names of a module that it compiles, shards or recomputes, wherever that stands in the model. */
const innerWrapperPattern =
  /(?<=^|\.)(?:_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module|forward_module)\.)+/g

/** Returns the tensors by their names without inner wrappers; the same where two names would become one. */
function withoutInnerWrappers(tensors: Map<string, TensorEntry>): Map<string, TensorEntry> {
  const plain = new Map(
    [...tensors].map(([name, entry]) => [name.replaceAll(innerWrapperPattern, ''), entry]),
  )
  return plain.size === tensors.size ? plain : tensors
}

/**
 * Returns the tensors of a model inside of others, whose names begin with one prefix (`model.`, `net.`), and the names of
 * others than those of training; undefined if there is no such prefix. A prefix inside of one that holds the model too is
 * part of that model's names.
 * @throws GeogapError `weights-mismatch` if several prefixes hold the whole model, as its weights and their running mean
 */
function unwrapped(
  graph: Graph,
  files: readonly TensorFile[],
  options: NameTable,
): FoundTensors | undefined {
  const names = files.flatMap(({ tensors }) => [...tensors.keys()])
  const found: { prefix: string; all: FoundTensors }[] = []
  for (const prefix of wrappersOf(names)) {
    if (found.some(outer => prefix.startsWith(outer.prefix))) continue
    const inside = files.map(file => ({ ...file, tensors: withoutPrefix(file.tensors, prefix) }))
    const all = foundTensors(graph, inside, options)
    if (hasAll(graph, all)) found.push({ prefix, all })
  }
  const [first, ...others] = found
  if (others.length > 0)
    throw weightsError(
      'weights-mismatch',
      `${files.map(({ file }) => quoteForMessage(file, 200)).join(', ')} has several sets of weights, ${found.map(({ prefix }) => quoteForMessage(prefix)).join(' and ')}: save the one you mean alone`,
    )
  if (!first) return undefined
  const isPart = (name: string): boolean =>
    name.startsWith(first.prefix) || trainingPattern.test(name)
  return { ...first.all, beside: names.filter(name => !isPart(name)) }
}

/** Returns the prefixes of names, the shorter ones first. */
function wrappersOf(names: readonly string[]): string[] {
  const prefixes = new Set(
    names.flatMap(name => {
      const parts = /^(?:[a-z_]+\.)*/i.exec(name)![0].split('.').slice(0, -1)
      return parts.slice(0, maxWrappers).map((_, i) => `${parts.slice(0, i + 1).join('.')}.`)
    }),
  )
  return [...prefixes].sort((a, b) => a.length - b.length)
}

const withoutPrefix = (
  tensors: ReadonlyMap<string, TensorEntry>,
  prefix: string,
): Map<string, TensorEntry> =>
  new Map(
    [...tensors].flatMap(([name, entry]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), entry]] : [],
    ),
  )

/** Returns the classes of a checkpoint whose only fault is a head of another size. */
function otherHead(
  graph: Graph,
  entries: ReadonlyMap<string, TensorEntry>,
  faults: readonly string[],
): number | undefined {
  const others = [...graph.parameters.values()].flatMap(({ tensor }) => {
    const shape = entries.get(tensor.name)?.shape
    return shape && String(shape) !== String(tensor.shape) ? [{ shape, tensor }] : []
  })
  const counts = new Set(others.map(({ shape }) => shape[0]))
  const isHead = others.every(
    ({ shape, tensor }) => String(shape.slice(1)) === String(tensor.shape.slice(1)),
  )
  return faults.length === 1 && counts.size === 1 && isHead && others.length <= 4
    ? [...counts][0]
    : undefined
}

/** Returns the tensors under the names that the table gives them. */
function namedEntries(
  tensors: readonly (readonly [name: string, entry: TensorEntry])[],
  { rename = [], ignore = [], tied = [] }: NameTable,
): FoundTensors {
  const entries = new Map<string, TensorEntry>()
  const twice: string[] = []
  for (const [name, entry] of tensors) {
    if (counterPattern.test(name) || ignore.some(pattern => pattern.test(name))) continue
    const own = renamed(name, rename)
    if (entries.has(own) && !tied.some(pattern => pattern.test(own))) twice.push(own)
    entries.set(own, entry)
  }
  return { entries, twice }
}

function nameFaults(
  graph: Graph,
  entries: ReadonlyMap<string, TensorEntry>,
  options: NameTable & BindOptions,
): string[] {
  const missing = [...graph.parameters.keys()].filter(name => !entries.has(name))
  const unused = [...entries.keys()].filter(name => !graph.parameters.has(name))
  const integers = [...entries].filter(
    ([name, { dtype }]) => /^[IUB]\d|^BOOL/.test(dtype) && graph.parameters.has(name),
  )
  const shapes = [...graph.parameters.values()].flatMap(({ tensor }) => {
    const found = entries.get(tensor.name)
    if (!found || hasShape(found, tensor)) return []
    if (options.resizePositions && tableOf(found, tensor, options)) return []
    return [`${tensor.name} is [${String(found.shape)}], not [${String(tensor.shape)}]`]
  })
  return [
    ...list('missing', missing),
    ...list('not used', unused),
    ...list(
      'of integers, as quantized weights are',
      integers.map(([name]) => name),
    ),
    ...list('of another shape', shapes),
  ]
}

const tableOf = (
  { shape }: TensorEntry,
  tensor: Tensor,
  { positions = [] }: NameTable,
): ResizeTable | undefined => tableResize(tensor, shape, positions)

const float32Binding = (values: Float32Array): ParameterBinding => ({
  dtype: 'float32',
  values: asBytes(values),
})

const hasShape = ({ shape }: TensorEntry, tensor: Tensor): boolean =>
  String(shape) === String(tensor.shape)

function list(what: string, names: readonly string[] = []): string[] {
  if (names.length === 0) return []
  const shown = names.slice(0, 5).map(name => escapeForMessage(name, 120))
  const more = names.length > 5 ? ` and ${names.length - 5} more` : ''
  return [`${names.length} ${what} (${shown.join(', ')}${more})`]
}

function largestFile(files: readonly TensorFile[]): TensorFile {
  const bytes = ({ tensors }: TensorFile): number =>
    [...tensors.values()].reduce((sum, { length }) => sum + length, 0)
  return files.reduce((best, file) => (bytes(file) > bytes(best) ? file : best))
}

/** The values themselves, for tensors that do not lie in the folder in row-major order; half precision is widened. */
async function inlineBinding(entry: TensorEntry): Promise<ParameterBinding> {
  const data = await readTensor(entry)
  const dtype = data instanceof Float32Array ? 'float32' : onnxDtypes[entry.dtype]
  return { dtype, values: asBytes(data) }
}
