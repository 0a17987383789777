/** The paper's experiments as `experiments/` states them, beside stored and published results. */
import { readdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { unknownName } from '../../lib/errors.ts'
import { sizeGroups } from '../../metrics/scaling.ts'
import { testbedRows } from '../../models/listing.ts'
import { publishedAccuracies, publishedSources, unpublishedRows } from '../../analysis/paper/publishedAccuracies.ts'
import { paperClaims } from '../../analysis/paper/published.ts'
import { openRun } from '../../results/run.ts'
import { type Exported } from '../../lib/table/table.ts'
import { paperComparison, paperTables } from '../../analysis/paper/index.ts'
import { type Column, fields, formatTable, share } from '../../lib/table/columns.ts'
import { percentRange } from '../../lib/table/text.ts'

const description = z.strictObject({
  title: z.string(),
  /** Command lines; `{data}` and `{out}` stand for folders. */
  commands: z.array(z.string()),
  tables: z.array(z.enum(paperTables)),
  claims: z.array(z.string()),
  figures: z.array(z.string()),
  /** What the paper prints, by `row / column` of the first table or by a claim's name. */
  paper: z.record(z.string(), z.number()),
  /** What we get where it can be run. */
  here: z.string(),
})

export interface Experiment extends z.infer<typeof description> {
  name: string
}

const folder = new URL('../../../experiments/', import.meta.url)

export async function experimentNames(): Promise<string[]> {
  const files = await readdir(folder)
  return files.flatMap(file => /^(.+)\.json$/.exec(file)?.[1] ?? []).sort()
}

/** Errors: unknown-experiment. */
export async function experimentNamed(name: string): Promise<Experiment> {
  const known = await experimentNames()
  if (!known.includes(name)) throw unknownName('experiment', name, known)
  const text = await readFile(new URL(`${name}.json`, folder), 'utf8')
  return { name, ...description.parse(JSON.parse(text)) }
}

export async function experimentList(): Promise<string> {
  const all = await Promise.all((await experimentNames()).map(experimentNamed))
  return all.map(({ name, title }) => `${name.padEnd(16)}${title}\n`).join('')
}

/** Its commands, what the paper prints, and what is known here. */
export function experimentText({ title, paper, here, figures }: Experiment, commands: readonly string[][]): string {
  const claims = new Map(paperClaims().map(claim => [claim.id, claim]))
  const values = Object.entries(paper).map(([name, value]) => {
    const claim = claims.get(name)
    return `  ${String(value).padStart(6)}${claim ? ` ${claim.unit}` : ''}  ${claim?.says ?? name}`
  })
  const lines = [
    ...[title, '', ...commands.map(words => `  ${words.join(' ')}`)],
    ...['', 'The paper prints', ...values, '', 'Here', `  ${here}`],
    ...['', `Figures: ${figures.join(', ')} (geogap figure NAME DIR -o FILE.svg)`],
  ]
  return `${lines.join('\n')}\n`
}

/** Ours beside the paper's values, from the results below `dir`. */
export async function resultsText({ tables, claims, figures }: Experiment, dir: string): Promise<string> {
  const run = await openRun(dir)
  const parts: string[] = []
  for (const table of tables) parts.push(shown(await paperComparison(run, table)))
  if (claims.length > 0) {
    const said = paperClaims().flatMap(({ id, says }) => (claims.includes(id) ? says : []))
    const { title, text } = await paperComparison(run, 'claims')
    const [head, rule, ...lines] = text('text').split('\n')
    parts.push([title, '', head, rule, ...lines.filter(line => said.some(says => line.includes(says))), ''].join('\n'))
  }
  const drawn = figures.map(figure => `geogap figure ${figure} ${dir} -o ${figure}.svg`)
  return `${parts.join('\n')}\nnext: ${drawn.join(', ')}\n`
}

const shown = ({ title, notes, text }: Exported): string =>
  `${title}\n\n${text('text')}${notes.map(note => `note: ${note}\n`).join('')}`

interface SizeRow {
  benchmark: string
  size: string
  group: string
  n: number
  mean: number | null
  interval: readonly [number, number] | null
}

/** What published accuracies say of an experiment. */
export function publishedText({ name }: Experiment): string {
  if (name !== 'scaling') {
    const reasons = unpublishedRows.map(({ rows, reason }) => `  ${rows.join(', ')}: ${reason}`)
    return `No published accuracies speak of ${name}.\n${name === 'interventions' ? `${reasons.join('\n')}\n` : ''}`
  }
  const columns: Column<SizeRow>[] = [
    ...fields({ benchmark: 'benchmark', size: 'by', group: 'size', n: 'models' }),
    share('mean', 'accuracy (%)'),
    {
      name: 'interval',
      heading: '95 % interval',
      value: row => row.interval?.join(' ') ?? null,
      show: row => percentRange(row.interval?.[0] ?? null, row.interval?.[1] ?? null),
    },
  ]
  const { publisher, date, note } = publishedSources.open_clip
  return `${formatTable(columns, sizeRows(), 'text')}
Accuracies of zero-shot models as ${publisher} published them on ${date} (${note}). None is a measurement of this program.
They are accuracies, not disparities: nobody publishes accuracies by region.\n`
}

function sizeRows(): SizeRow[] {
  const models = new Map(testbedRows().map(row => [row.alias, row]))
  const published = publishedAccuracies().filter(({ benchmark }) => benchmark.endsWith('-datacomp'))
  const sizes = [
    { size: 'training images', of: 'images' as const, edge: 200e6 },
    { size: 'parameters', of: 'parameters' as const, edge: 200e6 },
  ]
  return [...new Set(published.map(({ benchmark }) => benchmark))].flatMap(benchmark =>
    sizes.flatMap(({ size, of, edge }) => {
      const points = published
        .filter(row => row.benchmark === benchmark)
        .map(({ row, accuracy }) => ({ model: row, size: models.get(row)?.[of] ?? null, value: accuracy }))
      return sizeGroups(points, [edge]).groups.map(({ n, mean, interval }, i) => ({
        ...{ benchmark, size, n, mean, interval },
        group: `${i === 0 ? 'under' : 'from'} ${edge / 1e6} M`,
      }))
    }),
  )
}
