import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseJson } from '../archive/json.ts'
import { weightFileError } from './tensors.ts'

const maxShards = 1000

/**
 * Returns the files that hold the tensors of a checkpoint: the file itself, or those that an index of shards
 * (`model.safetensors.index.json`) names in its folder.
 * @throws GeogapError `unknown-weights` for an index that is none, or that names files elsewhere
 */
export async function shardFiles(file: string): Promise<string[]> {
  if (!file.endsWith('.index.json')) return [file]
  const index = parseJson(await readFile(file, 'utf8').catch(() => ''))
  const names = new Set(Object.values((index as WeightIndex | null | undefined)?.weight_map ?? {}))
  const isPlain = (name: unknown): name is string =>
    typeof name === 'string' && /^[\w.-]+$/.test(name) && !/^\.+$/.test(name)
  const shards = [...names].filter(isPlain)
  if (shards.length === 0 || shards.length < names.size || names.size > maxShards)
    throw weightFileError(
      'unknown-weights',
      file,
      'it is no index of shards in its own folder, as Transformers writes it',
    )
  return shards.map(name => join(dirname(file), name))
}

interface WeightIndex {
  /** The file of each tensor. */
  weight_map?: Record<string, unknown>
}
