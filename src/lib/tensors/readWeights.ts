import { readFully } from '../files.ts'
import { isZip, readCheckpoint } from './torchCheckpoint.ts'
import { readSafetensors } from './safetensors.ts'
import { weightFileError, openWeights, type TensorFile } from './tensors.ts'

/**
 * The tensors of a weight file: safetensors or a PyTorch checkpoint, told apart by content, whatever the name is.
 * @throws GeogapError `bad-safetensors`, `bad-checkpoint`, or `unknown-weights` for another kind of file.
 */
export async function readWeights(file: string): Promise<TensorFile> {
  const start = await readFirstBytes(file)
  if (start[8] === 0x7b) return readSafetensors(file)
  if (start[0] === 0x80 || isZip(start)) return readCheckpoint(file)
  throw weightFileError(
    'unknown-weights',
    file,
    `${guessKind(start)}; known are safetensors and PyTorch checkpoints`,
  )
}

/** The first bytes of a plain file, 64 at most; at least 9, zeros where it has fewer. */
export async function readFirstBytes(file: string): Promise<Buffer> {
  const { handle } = await openWeights(file)
  try {
    const start = Buffer.alloc(64)
    return start.subarray(0, Math.max(9, await readFully(handle, start, 0)))
  } finally {
    await handle.close()
  }
}

export const isLikelyMarkup = (start: Buffer): boolean =>
  start.toString('latin1').trimStart().startsWith('<')

/** What other files begin with, read as Latin-1, and what to do about them. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/^\s*</, 'it is a web page, perhaps an error page saved in place of the file'],
  [/^\s*\{/, 'it is JSON, perhaps an answer or an index saved in place of the file'],
  [/^version https:\/\/git-lfs/, 'it is a git LFS pointer, not the file it points to'],
  [/^\0*$/, 'it is empty or begins with zeros only'],
  [/^(\x1f\x8b|\xfd7zXZ|7z\xbc\xaf|BZh|\x28\xb5\x2f\xfd|Rar!)/, 'it is compressed: unpack it'],
  [/^GGUF/, 'it is GGUF, whose weights are quantized: take the file they were made from'],
  [/^\x89HDF/, 'it is HDF5, as Keras writes it: export the model to ONNX'],
  [/^\x93NUMPY/, 'it is an array of NumPy'],
  [/^....TFL3/s, 'it is a model of TensorFlow Lite: export it to ONNX'],
  [/^[\x81-\x8f][\xa1-\xbf]/, 'it is MessagePack, as Flax writes it: export the model to ONNX'],
  [/^\x08[\x01-\x14][\x12\x3a]/, 'it is an ONNX graph: geogap models describe FILE.onnx'],
]

const guessKind = (start: Buffer): string => {
  const text = start.toString('latin1')
  return kinds.find(([pattern]) => pattern.test(text))?.[1] ?? 'its content is of no known kind'
}
