/**
 * PyTorch checkpoints (.pth, .pth.tar, .pt, .bin) read as data: the pickle goes through an interpreter that runs
 * nothing, and the values stay where they are in the file. Two layouts exist. Since 1.6 a zip archive with the pickle as
 * `NAME/data.pkl` and each storage as the stored member `NAME/data/KEY`. Before, five pickles in a row (a magic number,
 * a version, the machine's sizes, the object, the keys of the storages), then for each key its count and its bytes.
 */
import { findDataStart, readZipDirectory, type ZipMember, type ZipSource } from '../archive/zip.ts'
import { type GeogapError, quoteForMessage } from '../errors.ts'
import { readFully } from '../files.ts'
import { PickleFault } from './pickle.ts'
import { findStateDict, programTensors } from './stateDict.ts'
import {
  weightFileError,
  dtypeBytes,
  openWeights,
  elementCount,
  type TensorEntry,
  type TensorFile,
  type OpenWeightFile,
} from './tensors.ts'
import {
  extentOf,
  isContiguous,
  readTorchPickle,
  type TorchPickle,
  type TorchStorage,
  type TensorView,
} from './torchPickle.ts'

const maxPickleBytes = 16 << 20
const legacyMagic = 0x1950a86a20f9469cfc6cn

/** Names are keys of a map and never paths. */
interface CheckpointZip extends ZipSource {
  members: Map<string, ZipMember>
}

interface ParsedCheckpoint {
  layout: 'zip' | 'legacy'
  value: unknown
  /** Absolute byte offset of each storage, by its key. */
  offsets: Map<string, number>
}

/**
 * Reads the state dict of a PyTorch checkpoint: the largest dict of tensors, without `module.` prefixes. Entries point into
 * the checkpoint; a tensor that is not row-major there has its values in `data`. `metadata.stateDict` is the path of keys.
 * @throws GeogapError `bad-checkpoint` for anything that is not data, is damaged, or exceeds the limits.
 */
export async function readCheckpoint(file: string): Promise<TensorFile> {
  const source = await openWeights(file)
  try {
    const start = Buffer.alloc(4)
    await readFully(source.handle, start, 0)
    const checkpoint = isZip(start)
      ? await readZipCheckpoint(source)
      : await readLegacyCheckpoint(source)
    return await buildTensorFile(source, checkpoint)
  } catch (error) {
    throw error instanceof PickleFault ? checkpointError(file, error.message) : error
  } finally {
    await source.handle.close()
  }
}

export const isZip = (start: Uint8Array): boolean =>
  Buffer.from(start).readUInt32LE(0) === 0x04034b50

async function readZipCheckpoint({
  file,
  handle,
  size,
}: OpenWeightFile): Promise<ParsedCheckpoint> {
  const refuse = (why: string): GeogapError => checkpointError(file, why)
  const read = async (offset: number, length: number): Promise<Buffer> => {
    const bytes = Buffer.alloc(length)
    return bytes.subarray(0, await readFully(handle, bytes, offset))
  }
  const zip: CheckpointZip = { size, read, refuse, members: new Map() }
  for (const member of await readZipDirectory(zip)) {
    if (zip.members.has(member.name))
      throw refuse(`two members are named ${quoteForMessage(member.name)}`)
    zip.members.set(member.name, member)
  }
  const names = [...zip.members.keys()].filter(name => /^[^/]+\/data\.pkl$/.test(name))
  if (names.length !== 1)
    throw checkpointError(
      file,
      `a zip archive with ${names.length} members NAME/data.pkl instead of one; its first is ${quoteForMessage([...zip.members.keys()][0] ?? 'none')}`,
    )
  const folder = names[0]!.slice(0, -'data.pkl'.length)
  if ((await readMember(zip, `${folder}byteorder`, 16)).toString() === 'big')
    throw checkpointError(file, 'big-endian values')
  const { value, storages } = readTorchPickle(await readMember(zip, names[0]!, maxPickleBytes))
  const isProgram = zip.members.has(`${folder}constants.pkl`)
  const program = isProgram ? programTensors(value) : undefined
  if (program?.size === 0)
    throw refuse('a TorchScript program whose weights are part of its code: save the state dict')
  const offsets = new Map<string, number>()
  for (const storage of storages.values()) {
    const member = zip.members.get(`${folder}data/${storage.key}`)
    if (!member) throw checkpointError(file, `storage ${quoteForMessage(storage.key)} is missing`)
    if (member.packedSize < storageBytes(storage))
      throw checkpointError(
        file,
        `storage ${quoteForMessage(storage.key)} has ${member.packedSize} bytes instead of ${storageBytes(storage)}`,
      )
    offsets.set(storage.key, await storedStart(zip, member))
  }
  return { layout: 'zip', value: program ?? value, offsets }
}

/** Returns the bytes of a member, none for a missing one. */
async function readMember(zip: CheckpointZip, name: string, limit: number): Promise<Buffer> {
  const member = zip.members.get(name)
  if (!member) return Buffer.alloc(0)
  const { packedSize: packed } = member
  if (packed > limit)
    throw zip.refuse(`member ${quoteForMessage(name)} of ${packed} bytes is longer than ${limit}`)
  return zip.read(await storedStart(zip, member), packed)
}

/** Returns where the bytes of a member begin, which must be stored without compression, as PyTorch writes it. */
async function storedStart(zip: CheckpointZip, member: ZipMember): Promise<number> {
  if (member.method !== 0) throw zip.refuse(`member ${quoteForMessage(member.name)} is compressed`)
  return findDataStart(zip, member)
}

async function readLegacyCheckpoint({
  file,
  handle,
  size,
}: OpenWeightFile): Promise<ParsedCheckpoint> {
  const bytes = Buffer.alloc(Math.min(size, maxPickleBytes))
  await readFully(handle, bytes, 0)
  const first = readTorchPickle(bytes)
  if (first.value !== legacyMagic)
    throw checkpointError(file, 'a pickle without the magic number of PyTorch')
  const version = readTorchPickle(bytes, first.end)
  const machine = readTorchPickle(bytes, version.end)
  if (version.value !== 1001) throw checkpointError(file, 'an unknown version of the legacy layout')
  if (machine.value instanceof Map && machine.value.get('little_endian') === false)
    throw checkpointError(file, 'big-endian values')
  const { value, storages, end } = readTorchPickle(bytes, machine.end)
  const keys = readTorchPickle(bytes, end)
  const offsets = await legacyOffsets({ file, handle, size }, keys, storages)
  return { layout: 'legacy', value, offsets }
}

async function legacyOffsets(
  { file, handle, size }: OpenWeightFile,
  keys: Pick<TorchPickle, 'value' | 'end'>,
  storages: TorchPickle['storages'],
): Promise<Map<string, number>> {
  const offsets = new Map<string, number>()
  let at = keys.end
  for (const key of Array.isArray(keys.value) ? (keys.value as unknown[]) : []) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined
    if (!storage || offsets.has(storage.key))
      throw checkpointError(file, 'its list of storages is not that of its tensors')
    const count = Buffer.alloc(8)
    await readFully(handle, count, at)
    if (count.readBigInt64LE() !== BigInt(storage.size) || at + 8 + storageBytes(storage) > size)
      throw checkpointError(
        file,
        `storage ${quoteForMessage(storage.key)} does not have its ${storage.size} values, the file may be cut off`,
      )
    offsets.set(storage.key, at + 8)
    at += 8 + storageBytes(storage)
  }
  if (offsets.size !== storages.size)
    throw checkpointError(file, `${storages.size - offsets.size} storages are missing`)
  return offsets
}

const storageBytes = ({ size, dtype }: TorchStorage): number => size * dtypeBytes[dtype]

async function buildTensorFile(
  source: OpenWeightFile,
  { layout, value, offsets }: ParsedCheckpoint,
): Promise<TensorFile> {
  const { file, size } = source
  const stateDict = findStateDict(value)
  if (!stateDict) throw checkpointError(file, 'no tensors in it')
  const tensors = new Map<string, TensorEntry>()
  let gathered = 0
  for (const [name, view] of stateDict.tensors) {
    const { storage, shape, offset } = view
    const width = dtypeBytes[storage.dtype]
    const entry: TensorEntry = {
      name,
      dtype: storage.dtype,
      shape,
      file,
      offset: offsets.get(storage.key)! + offset * width,
      length: elementCount(shape)! * width,
    }
    if (isContiguous(view)) {
      tensors.set(name, entry)
      continue
    }
    gathered += entry.length
    if (gathered > size)
      throw checkpointError(
        file,
        `tensor ${quoteForMessage(name)} repeats values: more bytes than the file has`,
      )
    tensors.set(name, { ...entry, data: await gatherStrided(source, view, entry) })
  }
  return { file, tensors, metadata: { layout, stateDict: stateDict.path } }
}

/** Reads the values of a strided view in row-major order. */
async function gatherStrided(
  { file, handle }: OpenWeightFile,
  view: TensorView,
  { offset, length }: TensorEntry,
): Promise<Uint8Array> {
  const words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[
    dtypeBytes[view.storage.dtype]
  ]
  const source = new words(extentOf(view) ?? 0)
  const target = new words(length / words.BYTES_PER_ELEMENT)
  const bytes = new Uint8Array(source.buffer)
  if ((await readFully(handle, bytes, offset)) < bytes.length)
    throw checkpointError(file, 'the file became shorter')
  const index = view.shape.map(() => 0)
  for (let to = 0, from = 0; to < target.length; to++) {
    target[to] = source[from]!
    from = advance(index, view, from)
  }
  return new Uint8Array(target.buffer)
}

/** Steps `index` to the next place in row-major order; returns its position in the storage. */
function advance(index: number[], { shape, strides }: TensorView, from: number): number {
  let position = from
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis]!++
    position += strides[axis]!
    if (index[axis]! < shape[axis]!) break
    position -= shape[axis]! * strides[axis]!
    index[axis] = 0
  }
  return position
}

const checkpointError = (file: string, what: string): GeogapError =>
  weightFileError('bad-checkpoint', file, what)
