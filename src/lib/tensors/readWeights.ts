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

const guessKind = (start: Buffer): string => {
  if (isLikelyMarkup(start))
    return 'it is a web page, perhaps an error page saved in place of the file'
  if (start.toString('latin1').startsWith('version https://git-lfs'))
    return 'it is a git LFS pointer, not the file it points to'
  return 'its content is of no known kind'
}
