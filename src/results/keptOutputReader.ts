import { join } from 'node:path'
import { queryColumns, literalPath, parquetRows } from '../lib/sql.ts'
import { readKeptOutputs } from './keptOutputs.ts'
import { noAcceptedClass } from './schema.ts'
import { type StoredEvaluation } from './store.ts'

/** Kept outputs of one evaluation by image id. */
export interface KeptOutputReader {
  /** Key of the evaluation. */
  key: string
  /** The row, or the error code that the image met; undefined for an image that has neither. */
  row(id: string): Promise<Float32Array | string | undefined>
}

/** A status that says nothing about whether the model gave an output: it is judged anew. */
const scoredStatuses = new Set(['ok', noAcceptedClass, 'not-a-number'])

/** Files are read when a row of theirs is asked for, and the last few stay. */
export async function openKeptOutputs({
  key,
  folder,
  shards,
}: StoredEvaluation): Promise<KeptOutputReader> {
  const places = new Map<string, { shard: number; row: number; status: string }>()
  for (const [shard, { file }] of shards.entries()) {
    const path = literalPath(join(folder, file))
    const [ids, status] = await queryColumns(`SELECT id, status FROM ${parquetRows()}`, [path])
    for (const [row, id] of ids!.entries())
      places.set(String(id), { shard, row, status: String(status![row]) })
  }
  const read = new Map<number, ReturnType<typeof readKeptOutputs>>()
  const open = (shard: number): ReturnType<typeof readKeptOutputs> | undefined => {
    const kept = shards[shard]!.kept
    const found = read.get(shard) ?? (kept && readKeptOutputs(join(folder, kept.file), kept.output))
    if (read.size === maxCachedShards && !read.has(shard)) read.delete([...read.keys()][0]!)
    if (found) read.set(shard, found)
    return found
  }
  return {
    key,
    row: async id => {
      const place = places.get(id)
      if (!place || !scoredStatuses.has(place.status)) return place?.status
      const kept = await open(place.shard)
      return kept?.values.subarray(place.row * kept.width, (place.row + 1) * kept.width)
    },
  }
}

const maxCachedShards = 8
