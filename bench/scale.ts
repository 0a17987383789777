/*
 * All tables over 98 models × 300,000 made-up predictions (29.4 million rows) with 1,000 draws: time, CPU time and memory, and
 * pandas' group means on a tenth of the models' rows in the same run.
 *
 *   npx tsx bench/scale.ts [share of the images, default 1] [python with pandas]
 */
import { inferDisparities } from '../src/analysis/disparityInference.ts'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { paperComparison, type PaperTable } from '../src/analysis/paper/index.ts'
import { groupAccuracyTable, inferenceTable } from '../src/report/tables/accuracyTables.ts'
import { openRun } from '../src/results/run.ts'
import { storeTestbed } from './storedRun.ts'

const scale = Number(process.argv[2] ?? 1)
const python = process.argv[3]

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
    await timed(`accuracy by ${by.join(' × ') || 'nothing'}`, () =>
      groupAccuracyTable(run, by).text('csv'),
    )
  for (const by of ['region', 'country'])
    await timed(`disparity by ${by}`, async () =>
      inferenceTable(await inferDisparities(run, { by }), by).text('csv'),
    )
  for (const which of [
    '1',
    '2',
    '3',
    '4',
    '8',
    '9',
    'testbed',
    'classmaps',
    'claims',
  ] satisfies PaperTable[])
    await timed(`paper ${which}`, async () => (await paperComparison(run, which)).text('csv'))
}

const dir = await mkdtemp(join(tmpdir(), 'geogap-scale-'))
try {
  const rows = await timed('make predictions', () => storeTestbed(dir, scale))
  console.log(`${rows.toLocaleString('en')} rows; ${cpus().length} cores`)
  await timed('first open, counts are kept', () => openRun(dir))
  await timed('all tables', () => tables(dir))
  console.log(
    `peak memory, making the data included: ${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`,
  )
  if (python !== undefined)
    console.log((await promisify(execFile)(python, ['-c', inPandas, dir])).stdout.trim())
} finally {
  await rm(dir, { recursive: true, force: true })
}
