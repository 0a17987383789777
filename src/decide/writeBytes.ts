import { writeFile } from 'node:fs/promises'
import { storageError } from '../files.ts'

/** Writes a small file. Errors: disk-full, write-failed. */
export async function writeBytes(file: string, content: string | Buffer): Promise<void> {
  await writeFile(file, content).catch((error: unknown) => {
    throw storageError(file, error)
  })
}
