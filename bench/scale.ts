/*
 * All tables over 98 models × 300,000 made-up predictions (29.4 million rows) with 1,000 draws: time, CPU time and memory, and
 * pandas' group means on a tenth of the models' rows in the same run.
 *
 *   npx tsx bench/scale.ts [share of the images, default 1] [python with pandas]
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { testbed } from '../src/models/testbed.ts'
import { type Identity, schemaVersion, type ShardManifest } from '../src/predictions/schema.ts'
import { entryFolder, keyOf } from '../src/predictions/store.ts'
import { paperComparison, type PaperTable } from '../src/report/paper/index.ts'
import { accuracyExport, inferenceTable } from '../src/report/resultTables.ts'
import { openRun } from '../src/run.ts'
import { query } from '../src/sql.ts'

const scale = Number(process.argv[2] ?? 1)
const python = process.argv[3]

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

/** Stores made-up predictions of one model on one data set in the layout of a real run, one shard. */
async function store(
  out: string,
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

async function timed<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const used = process.cpuUsage(before)
  const seconds = [(performance.now() - start) / 1e3, (used.user + used.system) / 1e6].map(s =>
    s.toFixed(1).padStart(7),
  )
  console.log(`${name.padEnd(34)}${seconds[0]!} s ${seconds[1]!} s of CPU`)
  return result
}

const inPandas = `
import glob, time, sys, pandas
start, cpu = time.perf_counter(), time.process_time()
rows = 0
for folder in sorted(glob.glob(sys.argv[1] + "/predictions/*"))[::10]:
    table = pandas.concat(pandas.read_parquet(file) for file in glob.glob(folder + "/*.parquet"))
    rows += len(table)
    table.correct1.mean()
    table.groupby("label").correct1.mean()
    for by in ("region", "country"):
        if by in table: table.groupby(by).correct1.agg(["mean", "count"])
print(f"pandas, means alone, {rows:,} rows: {time.perf_counter() - start:.1f} s {time.process_time() - cpu:.1f} s of CPU")
`

async function tables(dir: string): Promise<void> {
  const run = await timed('open', () => openRun(dir))
  console.log(`${run.cells.length.toLocaleString('en')} cells of ${run.entries.length} entries`)
  for (const by of [[], ['region'], ['country'], ['region', 'income_group'], ['label']])
    await timed(`accuracy by ${by.join(' × ') || 'nothing'}`, () => accuracyExport(run, by).text('csv'))
  for (const by of ['region', 'country'])
    await timed(`disparity by ${by}`, async () => inferenceTable(await run.inference({ by }), by).text('csv'))
  for (const which of ['1', '2', '3', '4', '8', '9', 'testbed', 'classmaps', 'claims'] satisfies PaperTable[])
    await timed(`paper ${which}`, async () => (await paperComparison(run, which)).text('csv'))
}

const dir = await mkdtemp(join(tmpdir(), 'geogap-scale-'))
try {
  let rows = 0
  await timed('make predictions', async () => {
    for (const [at, { model }] of testbed().entries())
      for (const layout of layouts) rows += await store(dir, model, at, layout)
  })
  console.log(`${rows.toLocaleString('en')} rows; ${cpus().length} cores`)
  await timed('all tables', () => tables(dir))
  console.log(`peak memory, making the data included: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`)
  if (python !== undefined) console.log((await promisify(execFile)(python, ['-c', inPandas, dir])).stdout.trim())
} finally {
  await rm(dir, { recursive: true, force: true })
}
