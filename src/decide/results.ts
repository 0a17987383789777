import { stat } from 'node:fs/promises'
import { inputError } from '../errors.ts'
import { openRun, type Run } from '../run.ts'
import { readPack } from './pack.ts'

/** Opens a folder of results, without the images that a slice lists, or a pack. Errors: no-images. */
export async function openResults(path: string, exclude?: string): Promise<Run> {
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) return openRun(path, exclude)
  if (exclude !== undefined)
    throw inputError('no-images', `${path} is a pack: it has counts and no images, so none can be left out`)
  return readPack(path)
}
