import { join } from 'node:path'
import { type GroupValue, type Sample } from '../datasets/dataset.ts'
import { quoteIdentifier, queryColumns, literalPath, parquetRows } from '../lib/sql.ts'
import { readKeptOutputs } from './keptOutputs.ts'
import { type KeptOutput, noAcceptedClass, type ShardManifest } from './schema.ts'
import { type StoredEvaluation } from './storedEvaluations.ts'

/** Kept outputs of one evaluation by image id. */
export interface KeptOutputReader {
  /** Key of the evaluation. */
  key: string
  /** The row, or the error code that the image met; undefined for an image that has neither. */
  row(id: string): Promise<Float32Array | string | undefined>
}

/** A status that says nothing about whether the model gave an output: it is judged anew. */
const scoredStatuses = new Set(['ok', noAcceptedClass, 'not-a-number'])

/** Opens the kept outputs of a kind. Files are read when a row of theirs is asked for, and the last few stay. */
export async function openKeptOutputs(
  { key, folder, shards }: StoredEvaluation,
  output: KeptOutput,
): Promise<KeptOutputReader> {
  const places = new Map<string, { shard: number; row: number; status: string }>()
  for (const [shard, { file }] of shards.entries()) {
    const path = literalPath(join(folder, file))
    const [ids, status] = await queryColumns(`SELECT id, status FROM ${parquetRows()}`, [path])
    for (const [row, id] of ids!.entries())
      places.set(String(id), { shard, row, status: String(status![row]) })
  }
  const read = new Map<number, ReturnType<typeof readKeptOutputs>>()
  const open = (shard: number): ReturnType<typeof readKeptOutputs> | undefined => {
    const { kept } = shards[shard]!
    const isAsked = kept?.output === output
    const found =
      read.get(shard) ?? (isAsked ? readKeptOutputs(join(folder, kept.file), output) : undefined)
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

/** A whole shard of kept outputs with the samples that its rows belong to. */
export interface KeptShard {
  samples: Pick<Sample, 'id' | 'label' | 'labels' | 'groups'>[]
  /** `ok` for every row with an output, else the code of the error that the image met. */
  status: string[]
  /** Values per row; 0 where no image of the shard could be read. */
  width: number
  /** float32 [samples × width] */
  values: Float32Array
}

export async function readKeptShard(
  folder: string,
  { file, kept, columns }: ShardManifest,
): Promise<KeptShard> {
  const wanted = ['id', 'label', `array_to_string(labels, ',')`, 'status']
  const [ids, names, accepted, codes, ...groups] = await queryColumns(
    `SELECT ${[...wanted, ...columns.map(quoteIdentifier)].join(', ')} FROM ${parquetRows()}`,
    [literalPath(join(folder, file))],
  )
  const outputs = kept && (await readKeptOutputs(join(folder, kept.file), kept.output))
  return {
    samples: ids!.map((id, row) => ({
      id: String(id),
      label: String(names![row]),
      labels: accepted![row] === '' ? [] : String(accepted![row]).split(',').map(Number),
      groups: Object.fromEntries(columns.map((name, i) => [name, groups[i]![row] as GroupValue])),
    })),
    status: codes!.map(code => (code === noAcceptedClass ? 'ok' : String(code))),
    width: outputs?.width ?? 0,
    values: outputs?.values ?? new Float32Array(0),
  }
}
