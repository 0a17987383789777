import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readWeights } from '../../../src/lib/tensors/readWeights.ts'
import { type TensorFile } from '../../../src/lib/tensors/tensors.ts'
import { temporaryFolder } from '../../datasets/fixtures.ts'

/** Returns a function that writes a file, which stays until the test file ends, and reads its tensors. */
export function weightFileReader(): (content: Uint8Array) => Promise<TensorFile> {
  const folder = temporaryFolder()
  return async content => {
    const file = join(folder, 'case.bin')
    await writeFile(file, content)
    return readWeights(file)
  }
}
