import { join } from 'node:path'
import { columnsOf, literalPath, parquetRows } from '../lib/sql.ts'
import { readKept } from './kept.ts'
import { noAcceptedClass } from './schema.ts'
import { type Entry } from './store.ts'

/** Kept outputs of one evaluation by image id. */
export interface KeptRows {
  /** Key of the evaluation. */
  key: string
  /** The row, or the error code that the image met; undefined for an image that has neither. */
  row(id: string): Promise<Float32Array | string | undefined>
}

/** A status that says nothing about whether the model gave an output: it is judged anew. */
const judged = new Set(['ok', noAcceptedClass, 'not-a-number'])

/** Files are read when a row of theirs is asked for, and the last few stay. */
export async function keptReader({ key, folder, shards }: Entry): Promise<KeptRows> {
  const places = new Map<string, { shard: number; row: number; status: string }>()
  for (const [shard, { file }] of shards.entries()) {
    const path = literalPath(join(folder, file))
    const [ids, status] = await columnsOf(`SELECT id, status FROM ${parquetRows()}`, [path])
    for (const [row, id] of ids!.entries()) places.set(String(id), { shard, row, status: String(status![row]) })
  }
  const read = new Map<number, ReturnType<typeof readKept>>()
  const open = (shard: number): ReturnType<typeof readKept> | undefined => {
    const kept = shards[shard]!.kept
    const found = read.get(shard) ?? (kept && readKept(join(folder, kept.file), kept.output))
    if (read.size === fewShards && !read.has(shard)) read.delete([...read.keys()][0]!)
    if (found) read.set(shard, found)
    return found
  }
  return {
    key,
    row: async id => {
      const place = places.get(id)
      if (!place || !judged.has(place.status)) return place?.status
      const kept = await open(place.shard)
      return kept?.values.subarray(place.row * kept.width, (place.row + 1) * kept.width)
    },
  }
}

const fewShards = 8
