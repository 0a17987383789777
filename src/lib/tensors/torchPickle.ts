import { type Callable, plainObject, PickleFault, type PickleHost, unpickle } from './pickle.ts'
import { type WeightDtype, dtypeBytes, elementCount } from './tensors.ts'

/** A run of values that tensors look into. */
export interface TorchStorage {
  kind: 'storage'
  key: string
  dtype: WeightDtype
  /** values */
  size: number
}

/** A tensor as PyTorch rebuilds it; offset and strides count values of the storage. */
export interface TensorView {
  kind: 'tensor'
  storage: TorchStorage
  offset: number
  shape: number[]
  strides: number[]
}

export interface TorchPickle {
  value: unknown
  end: number
  storages: Map<string, TorchStorage>
}

/** The element types by the names that PyTorch's storages have without `Storage`. */
const dtypeByStorageName: Readonly<Record<string, WeightDtype>> = {
  Double: 'F64',
  Float: 'F32',
  Half: 'F16',
  BFloat16: 'BF16',
  Long: 'I64',
  Int: 'I32',
  Short: 'I16',
  Char: 'I8',
  Byte: 'U8',
  Bool: 'BOOL',
}

const storageTypes: ReadonlyMap<string, { kind: 'storage type'; dtype: WeightDtype }> = new Map(
  Object.entries(dtypeByStorageName).flatMap(([name, dtype]) =>
    ['torch', 'torch.cuda'].map(
      module => [`${module}.${name}Storage`, { kind: 'storage type', dtype }] as const,
    ),
  ),
)

/** All that a checkpoint may name. `__builtin__` is what Python 2's protocol calls `builtins`. */
const allowedFunctions: ReadonlyMap<string, Callable> = new Map([
  ['collections.OrderedDict', orderedDict],
  ['collections.deque', () => []],
  ['torch._utils._rebuild_tensor', rebuildTensor],
  ['torch._utils._rebuild_tensor_v2', rebuildTensor],
  ['torch._utils._rebuild_parameter', firstArgument],
  ['torch._utils._rebuild_parameter_with_state', firstArgument],
  ['torch.Size', firstArgument],
  ['__builtin__.set', firstArgument],
  ['builtins.set', firstArgument],
])

/**
 * What stands beside weights, of which no more than attributes are read: modules of TorchScript, and the options, paths, numbers
 * and records of training scripts.
 */
const plainNames =
  /^(?:__torch__\.|torch\.jit\._pickle\.|argparse\.Namespace$|pathlib\.\w+Path$|yacs\.config\.CfgNode$|omegaconf\.|typing\.Any$|[\w.]+\.(?:AttributeDict|EasyDict)$|collections\.(?:Counter|defaultdict)$|datetime\.|numpy\.|_codecs\.encode$|torch\.(?:device|u?int\d+|b?float\d+|double|half|long|bool|torch_version\.TorchVersion)$|mmengine\.logging\.history_buffer\.|(?:__builtin__|builtins)\.(?:getattr|int|float|list|dict|long|slice|complex)$)/

/**
 * Reads one pickle of a PyTorch checkpoint.
 * @throws PickleFault
 */
export function readTorchPickle(bytes: Buffer, from = 0): TorchPickle {
  const storages = new Map<string, TorchStorage>()
  const host: PickleHost = {
    findNamed: (module, name) => {
      const full = `${module}.${name}`
      const known = allowedFunctions.get(full) ?? storageTypes.get(full)
      return known ?? (plainNames.test(full) ? plainObject : undefined)
    },
    loadPersistent: id => storageOf(id, storages),
  }
  return { ...unpickle(bytes, from, host), storages }
}

export const isTensor = (value: unknown): value is TensorView => kindOf(value) === 'tensor'

const kindOf = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0

/** ('storage', type, key, device, number of values[, view]) */
function storageOf(id: unknown, storages: Map<string, TorchStorage>): TorchStorage {
  const [tag, type, key, , size, view] = Array.isArray(id) ? (id as unknown[]) : []
  if (
    tag !== 'storage' ||
    kindOf(type) !== 'storage type' ||
    typeof key !== 'string' ||
    !isCount(size)
  )
    throw new PickleFault('a persistent id that is not a storage')
  if (view !== undefined && view !== null)
    throw new PickleFault('a view of a storage, as PyTorch before 0.4 wrote')
  const { dtype } = type as { dtype: WeightDtype }
  if (!Number.isSafeInteger(size * dtypeBytes[dtype]))
    throw new PickleFault(`a storage of ${size} values`)
  const known = storages.get(key)
  if (known && (known.dtype !== dtype || known.size !== size))
    throw new PickleFault('one storage of two kinds')
  const storage: TorchStorage = known ?? { kind: 'storage', key, dtype, size }
  storages.set(key, storage)
  return storage
}

/** (storage, offset, shape, strides, …); what follows concerns gradients. */
function rebuildTensor(args: unknown[]): TensorView {
  const [storage, offset, shape, strides] = args
  if (kindOf(storage) !== 'storage' || !isCount(offset) || !areCounts(shape) || !areCounts(strides))
    throw new PickleFault('a tensor that is not described by a storage, offset, shape and strides')
  const tensor: TensorView = {
    kind: 'tensor',
    storage: storage as TorchStorage,
    offset,
    shape,
    strides,
  }
  const needed = extentOf(tensor)
  if (shape.length !== strides.length || needed === undefined)
    throw new PickleFault('a tensor without a size')
  if (offset + needed > tensor.storage.size)
    throw new PickleFault(
      `a tensor of ${offset + needed} values in a storage of ${tensor.storage.size}`,
    )
  return tensor
}

const areCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 32 && value.every(isCount)

/** How many values of the storage lie between a tensor's first and last, both included. */
export function extentOf({ shape, strides }: TensorView): number | undefined {
  const size = elementCount(shape)
  if (size === undefined || size === 0) return size
  const extent = shape.reduce((sum, length, i) => sum + (length - 1) * (strides[i] ?? 0), 1)
  return Number.isSafeInteger(extent) ? extent : undefined
}

export function isContiguous({ shape, strides }: TensorView): boolean {
  let expected = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return shape.includes(0)
    expected *= shape[i]!
  }
  return true
}

/** OrderedDict(), or OrderedDict(pairs) as Python 2 wrote it. */
function orderedDict(args: unknown[]): Map<unknown, unknown> {
  const pairs = args[0] ?? []
  if (!Array.isArray(pairs) || !pairs.every(pair => Array.isArray(pair) && pair.length === 2))
    throw new PickleFault('an ordered dict that is not made of pairs')
  return new Map(pairs as [unknown, unknown][])
}

function firstArgument(args: unknown[]): unknown {
  if (args.length === 0) throw new PickleFault('a call without its argument')
  return args[0]
}
