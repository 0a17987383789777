import { stat } from 'node:fs/promises'
import { openRun, type Run } from '../run.ts'
import { readPack } from './pack.ts'

/** Opens a folder of results or a pack. */
export async function openResults(path: string): Promise<Run> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? readPack(path) : openRun(path)
}
