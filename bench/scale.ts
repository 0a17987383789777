/*
 * What tables over stored predictions of more and more models cost, 300,000 made-up images each (98 models have 29.4 million rows): CPU
 * time and peak memory of the first opening, which keeps the counts, and of all tables with 1,000 draws after it; with --python also
 * the time of pandas for the group means of a tenth of the models.
 *
 *   npx tsx bench/scale.ts [--models 17,33,66,98] [--share 1] [--python PYTHON]
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { inferDisparities } from '../src/analysis/inferDisparities.ts'
import { paperComparison, type PaperTable } from '../src/analysis/paper/index.ts'
import { groupAccuracyTable, inferenceTable } from '../src/report/tables/accuracyTables.ts'
import { keptCountsName } from '../src/results/keptCounts.ts'
import { openRun } from '../src/results/run.ts'
import { childOf, numbersBy, printTable } from './common.ts'
import { storeTestbed } from './storedRun.ts'

async function timed<T>(name: string, work: () => T | Promise<T>): Promise<T> {
  const [start, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const used = process.cpuUsage(before)
  const seconds = [(performance.now() - start) / 1e3, (used.user + used.system) / 1e6].map(s =>
    s.toFixed(1).padStart(7),
  )
  process.stderr.write(`${name.padEnd(34)}${seconds[0]!} s ${seconds[1]!} s of CPU\n`)
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

/** Prints the seconds of CPU time of this process and its peak memory in MB. */
async function measure(work: () => Promise<unknown>): Promise<void> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  console.log((user + system) / 1e6, process.resourceUsage().maxRSS / 1024)
}

async function removeKeptCounts(dir: string): Promise<void> {
  for (const folder of await readdir(join(dir, 'predictions')))
    await rm(join(dir, 'predictions', folder, keptCountsName), { force: true })
}

async function compare(dir: string): Promise<void> {
  const { values } = parseArgs({
    options: {
      models: { type: 'string', default: '17,33,66,98' },
      share: { type: 'string', default: '1' },
      python: { type: 'string' },
    },
  })
  const lines: string[][] = []
  let [stored, rows] = [0, 0]
  for (const models of values.models.split(',').map(Number)) {
    rows += await storeTestbed(dir, Number(values.share), { first: stored, end: models })
    stored = models
    await removeKeptCounts(dir)
    const first = await numbersBy(...childOf(import.meta.filename, ['open', dir]))
    const all = await numbersBy(...childOf(import.meta.filename, ['tables', dir]))
    const cost = [first, all].flatMap(([seconds, mb]) => [
      seconds!.toFixed(1),
      (seconds! / (rows / 1e6)).toFixed(2),
      mb!.toFixed(0),
    ])
    lines.push([String(models), (rows / 1e6).toFixed(1), ...cost])
  }
  const columns = ['first opening, s', 's a million rows', 'peak, MB', 'all tables, s', 's a million rows', 'peak, MB'] // prettier-ignore
  await printTable(['models', 'million rows', ...columns], lines)
  if (values.python !== undefined)
    console.log((await promisify(execFile)(values.python, ['-c', inPandas, dir])).stdout.trim())
}

if (process.argv[2] === 'child') {
  const [what, dir] = process.argv.slice(3) as [string, string]
  await measure(() => (what === 'open' ? openRun(dir) : tables(dir)))
} else {
  const dir = await mkdtemp(join(tmpdir(), 'geogap-scale-'))
  try {
    await compare(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
