/** Made-up predictions of the paper's models on eight benchmarks, in the layout of a real run. */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { testbed } from '../src/models/testbed.ts'
import { type ResultKey, schemaVersion, type ShardManifest } from '../src/results/schema.ts'
import { evaluationFolder, hashResultKey } from '../src/results/storedEvaluations.ts'
import { query } from '../src/lib/sql.ts'

interface Layout {
  dataset: string
  images: number
  labels: number
  groups: Readonly<Record<string, string>>
}

const places = {
  region: `['Europe', 'Africa', 'Asia', 'Americas'][1 + i % 404 % 4]`,
  country: `'country ' || (i % 404 % 56)`,
}
const plain = (dataset: string, images: number, labels = 1000): Layout => ({
  dataset,
  images,
  labels,
  groups: {},
})

const layouts: readonly Layout[] = [
  plain('imagenet-1k', 50_000),
  plain('imagenet-v2/matched-frequency', 10_000),
  plain('imagenet-sketch', 50_889),
  plain('imagenet-r', 30_000, 200),
  plain('imagenet-a', 7_500, 200),
  plain('objectnet', 18_574, 113),
  {
    dataset: 'dollarstreet/household',
    images: 50_000,
    labels: 96,
    groups: {
      ...places,
      income: '(27 + (i % 404) * 25)::DOUBLE',
      income_group: `'Q' || (1 + (i % 404) // 101)`,
      household: `'home ' || (i % 404)`,
    },
  },
  { dataset: 'geode', images: 83_037, labels: 40, groups: places },
]

/**
 * Stores models, by default all of them, on a `share` of the images and gives the number of rows; the first `sharded` models in shards
 * of 1,024 rows, as an evaluation writes them, the others in one.
 */
export async function storeTestbed(
  out: string,
  share: number,
  { sharded = 0, first = 0, end = Infinity } = {},
): Promise<number> {
  let rows = 0
  for (const [at, { model }] of testbed().entries())
    if (at >= first && at < end)
      for (const layout of layouts) {
        const images = Math.round(layout.images * share)
        rows += await store(out, model, at, { ...layout, images }, at < sharded)
      }
  return rows
}

async function store(
  out: string,
  model: string,
  at: number,
  layout: Layout,
  sharded: boolean,
): Promise<number> {
  const { dataset, images: rows, groups } = layout
  const zeroShot = testbed()[at]!.evaluation === 'zero-shot'
  const identity: ResultKey = {
    schema: schemaVersion,
    version: 'bench',
    runtime: 'bench',
    model,
    weights: ['bench'],
    preprocessing: 'paper',
    steps: 'none',
    dataset,
    content: `${dataset} ${rows}`,
    images: rows,
    labelMap: 'bench',
    choices: 'all',
    prompts: zeroShot ? 'texts' : '',
  }
  const folder = evaluationFolder(out, identity)
  await mkdir(folder, { recursive: true })
  const size = sharded ? 1024 : rows
  for (let start = 0; start < rows; start += size) {
    const end = Math.min(rows, start + size)
    const file = `${[start, end].map(at => String(at).padStart(8, '0')).join('-')}.parquet`
    await writeShard(join(folder, file), at, layout, [start, end])
    const manifest: ShardManifest = {
      identity,
      key: hashResultKey(identity),
      start,
      end,
      rows: end - start,
      errors: 0,
      file,
      columns: Object.keys(groups),
      bytes: (await stat(join(folder, file))).size,
      seconds: 0,
      machine: 'bench',
      created: new Date().toISOString(),
    }
    await writeFile(join(folder, file.replace('.parquet', '.json')), JSON.stringify(manifest))
  }
  return rows
}

async function writeShard(
  file: string,
  at: number,
  { labels, groups }: Layout,
  [start, end]: [number, number],
) {
  const accuracy = 0.4 + 0.4 * (at / 98)
  const columns = Object.entries(groups).map(([name, sql]) => `${sql} AS ${name}`)
  await query(
    `COPY (SELECT 'image ' || i AS id, 'class ' || ((i // 404) % ${labels}) AS label, [(i % 1000)::INTEGER] AS labels,
       [(i % 1000)::INTEGER, 1, 2, 3, 4] AS top5, [0.5, 0.2, 0.1, 0.1, 0.1]::FLOAT[] AS probabilities,
       CASE WHEN hit THEN 1 ELSE 3 END AS rank, hit AS correct1, true AS correct5, 'ok' AS status
       ${columns.map(column => `, ${column}`).join('')}
     FROM (SELECT i, random() < ${accuracy} AS hit FROM range(${start}, ${end}) AS t(i)))
     TO '${file}' (FORMAT parquet, COMPRESSION zstd)`,
  )
}
