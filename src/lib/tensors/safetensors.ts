import { readFully, writeAtomically, writeFully } from '../files.ts'
import { inputError, quoteForMessage } from '../errors.ts'
import { parseHeader, type SafetensorsHeader, type HeaderTensor } from './safetensorsHeader.ts'
import {
  weightFileError,
  asBytes,
  dtypeBytes,
  openWeights,
  elementCount,
  type WeightDtype,
  type TensorEntry,
  type TensorFile,
  type OpenWeightFile,
} from './tensors.ts'

const maxHeaderBytes = 100_000_000

/**
 * Reads the tensors of a safetensors file, by the rules of the format's reference reader: header of at most 100 MB, data
 * without holes, overlaps or trailing bytes, lengths that match shapes, no key twice. Only the header is read.
 * @throws GeogapError `bad-safetensors` that says what is wrong.
 */
export async function readSafetensors(file: string): Promise<TensorFile> {
  const source = await openWeights(file)
  try {
    const { header, dataStart } = await readHeader(source)
    return {
      file,
      tensors: checkEntries(header, dataStart, source),
      metadata: Object.fromEntries(header.metadata),
    }
  } finally {
    await source.handle.close()
  }
}

async function readHeader({
  handle,
  file,
  size,
}: OpenWeightFile): Promise<{ header: SafetensorsHeader; dataStart: number }> {
  const prefix = new Uint8Array(8)
  if ((await readFully(handle, prefix, 0)) < 8)
    throw safetensorsError(file, `${size} bytes are too few for a header`)
  const length = new DataView(prefix.buffer).getBigUint64(0, true)
  if (length > maxHeaderBytes)
    throw safetensorsError(file, `its header claims ${length} bytes, more than ${maxHeaderBytes}`)
  const bytes = new Uint8Array(Math.min(Number(length), Math.max(0, size - 8)))
  if (bytes.length < length || (await readFully(handle, bytes, 8)) < length)
    throw safetensorsError(file, `its header claims ${length} bytes, more than the file has`)
  try {
    const header = parseHeader(
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    )
    return { header, dataStart: 8 + bytes.length }
  } catch (error) {
    throw safetensorsError(file, `its header is not valid: ${headerFault(error)}`)
  }
}

const headerFault = (error: unknown): string =>
  error instanceof SyntaxError ? error.message : 'it is not UTF-8'

function checkEntries(
  header: SafetensorsHeader,
  dataStart: number,
  { file, size }: OpenWeightFile,
): Map<string, TensorEntry> {
  const byOffset = [...header.tensors].sort(([, a], [, b]) => a.start - b.start || a.end - b.end)
  let end = 0
  for (const [name, tensor] of byOffset) {
    if (tensor.start !== end || tensor.end < tensor.start)
      throw safetensorsError(
        file,
        `tensor ${quoteForMessage(name)} lies at ${tensor.start} to ${tensor.end}, not from ${end} on`,
      )
    checkLength(file, name, tensor)
    end = tensor.end
  }
  if (dataStart + end !== size)
    throw safetensorsError(file, `its tensors end at byte ${dataStart + end}, the file at ${size}`)
  return new Map(
    [...header.tensors].map(([name, { dtype, shape, start, end }]) => [
      name,
      {
        name,
        dtype: dtype as WeightDtype,
        shape,
        file,
        offset: dataStart + start,
        length: end - start,
      },
    ]),
  )
}

function checkLength(file: string, name: string, { dtype, shape, start, end }: HeaderTensor): void {
  if (!isDtype(dtype))
    throw safetensorsError(
      file,
      `tensor ${quoteForMessage(name)} has dtype ${quoteForMessage(dtype)}; known: ${Object.keys(dtypeBytes).join(', ')}`,
    )
  const count = elementCount(shape)
  if (count === undefined || count * dtypeBytes[dtype] !== end - start)
    throw safetensorsError(
      file,
      `tensor ${quoteForMessage(name)} of shape ${shape.join('×')} and dtype ${dtype} has ${end - start} bytes`,
    )
}

const isDtype = (dtype: string): dtype is WeightDtype => Object.hasOwn(dtypeBytes, dtype)

const safetensorsError = (file: string, what: string) =>
  weightFileError('bad-safetensors', file, what)

/** A float32 tensor to be written; `data` is row-major. */
export interface NamedTensor {
  name: string
  shape: readonly number[]
  data: Float32Array
}

/** A float16 tensor by the bits of its values. */
type HalfTensor = Omit<NamedTensor, 'data'> & { data: Uint16Array }

/**
 * Writes tensors as a safetensors file, whole or not at all, with the data aligned to 8 bytes.
 * @throws GeogapError `bad-tensors` for a name twice, a reserved name, or data that does not fit its shape.
 */
export async function writeSafetensors(
  file: string,
  tensors: readonly (NamedTensor | HalfTensor)[],
): Promise<void> {
  const header = encodeHeader(tensors)
  await writeAtomically(file, async handle => {
    await writeFully(handle, header)
    for (const { data } of tensors) await writeFully(handle, asBytes(data))
  })
}

function encodeHeader(tensors: readonly (NamedTensor | HalfTensor)[]): Uint8Array {
  const fields = new Map<string, unknown>([['__metadata__', { format: 'pt' }]])
  let end = 0
  for (const { name, shape, data } of tensors) {
    if (fields.has(name))
      throw inputError('bad-tensors', `tensor name twice or reserved: ${quoteForMessage(name)}`)
    if (elementCount(shape) !== data.length)
      throw inputError(
        'bad-tensors',
        `tensor ${quoteForMessage(name)} of shape ${shape.join('×')} has ${data.length} values`,
      )
    fields.set(name, {
      dtype: data instanceof Uint16Array ? 'F16' : 'F32',
      shape,
      data_offsets: [end, (end += data.byteLength)],
    })
  }
  const json = Buffer.from(JSON.stringify(Object.fromEntries(fields)))
  const length = Math.ceil(json.length / 8) * 8
  const header = Buffer.alloc(8 + length, ' ')
  header.writeBigUInt64LE(BigInt(length))
  header.set(json, 8)
  return header
}
