/* Made-up predictions in the layout of a real run, for benchmarks of what reads them. */
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { testbed } from '../src/models/testbed.ts'
import { type Identity, schemaVersion, type ShardManifest } from '../src/predictions/schema.ts'
import { entryFolder, keyOf } from '../src/predictions/store.ts'
import { query } from '../src/sql.ts'

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
const plain = (dataset: string, images: number, labels = 1000): Layout => ({ dataset, images, labels, groups: {} })

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

/** Stores made-up predictions of one model on one data set, one shard, of this share of the images. */
async function store(
  out: string,
  scale: number,
  model: string,
  at: number,
  { dataset, images, labels, groups }: Layout,
): Promise<number> {
  const rows = Math.round(images * scale)
  const zeroShot = testbed()[at]!.evaluation === 'zero-shot'
  const identity: Identity = {
    ...{ schema: schemaVersion, version: 'bench', runtime: 'bench', model, weights: ['bench'], preprocessing: 'paper' },
    ...{ steps: 'none', dataset, content: `${dataset} ${rows}`, images: rows, labelMap: 'bench', choices: 'all' },
    prompts: zeroShot ? 'texts' : '',
  }
  const folder = entryFolder(out, identity)
  await mkdir(folder, { recursive: true })
  const file = `${'0'.repeat(8)}-${String(rows).padStart(8, '0')}.parquet`
  const accuracy = 0.4 + 0.4 * (at / 98)
  const columns = Object.entries(groups).map(([name, sql]) => `${sql} AS ${name}`)
  await query(
    `COPY (SELECT 'image ' || i AS id, 'class ' || ((i // 404) % ${labels}) AS label, [(i % 1000)::INTEGER] AS labels,
       [(i % 1000)::INTEGER, 1, 2, 3, 4] AS top5, [0.5, 0.2, 0.1, 0.1, 0.1]::FLOAT[] AS probabilities,
       CASE WHEN hit THEN 1 ELSE 3 END AS rank, hit AS correct1, true AS correct5, 'ok' AS status
       ${columns.map(column => `, ${column}`).join('')}
     FROM (SELECT i, random() < ${accuracy} AS hit FROM range(${rows}) AS t(i)))
     TO '${join(folder, file)}' (FORMAT parquet, COMPRESSION zstd)`,
  )
  const manifest: ShardManifest = {
    ...{ identity, key: keyOf(identity), start: 0, end: rows, rows, errors: 0, file, columns: Object.keys(groups) },
    ...{
      bytes: (await stat(join(folder, file))).size,
      seconds: 0,
      machine: 'bench',
      created: new Date().toISOString(),
    },
  }
  await writeFile(join(folder, file.replace('.parquet', '.json')), JSON.stringify(manifest))
  return rows
}

/** Predictions of the testbed's models on eight data sets, this share of 300,000 images; gives their number. */
export async function storeTestbed(out: string, scale: number): Promise<number> {
  let rows = 0
  for (const [at, { model }] of testbed().entries())
    for (const layout of layouts) rows += await store(out, scale, model, at, layout)
  return rows
}
