import { writeFile } from 'node:fs/promises'
import { storageError } from '../predictions/write.ts'

/** Writes a small file. Errors: disk-full, write-failed. */
export async function writeText(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: unknown) => {
    throw storageError(file, error)
  })
}
