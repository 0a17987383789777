/** The paper's experiments as `experiments/` states them, beside stored and published results. */
import { readdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { unknownNameError } from '../../lib/errors.ts'
import { sizeGroups } from '../../metrics/scaling.ts'
import { testbedRows } from '../../models/listing.ts'
import {
  publishedAccuracies,
  publishedSources,
  unpublishedRows,
} from '../../analysis/paper/publishedAccuracies.ts'
import { paperClaims } from '../../analysis/paper/printedNumbers.ts'
import { openRun } from '../../results/run.ts'
import { type Table } from '../../lib/table/table.ts'
import { paperComparison, paperTables } from '../../analysis/paper/index.ts'
import { type TableColumn, fieldColumns, shareColumn } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { percentRange } from '../../lib/table/text.ts'

const experimentSchema = z.strictObject({
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

export interface PaperExperiment extends z.infer<typeof experimentSchema> {
  name: string
}

const experimentsFolder = new URL('../../../experiments/', import.meta.url)

export async function listExperiments(): Promise<string[]> {
  const files = await readdir(experimentsFolder)
  return files.flatMap(file => /^(.+)\.json$/.exec(file)?.[1] ?? []).sort()
}

/** Errors: unknown-experiment. */
export async function readExperiment(name: string): Promise<PaperExperiment> {
  const known = await listExperiments()
  if (!known.includes(name)) throw unknownNameError('experiment', name, known)
  const text = await readFile(new URL(`${name}.json`, experimentsFolder), 'utf8')
  return { name, ...experimentSchema.parse(JSON.parse(text)) }
}

export async function experimentList(): Promise<string> {
  const all = await Promise.all((await listExperiments()).map(readExperiment))
  return all.map(({ name, title }) => `${name.padEnd(16)}${title}\n`).join('')
}

/** Its commands, what the paper prints, and what is known here. */
export function experimentText(
  { title, paper, here, figures }: PaperExperiment,
  commands: readonly string[][],
): string {
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
export async function experimentResultsText(
  { tables, claims, figures }: PaperExperiment,
  dir: string,
): Promise<string> {
  const run = await openRun(dir)
  const parts: string[] = []
  for (const table of tables) parts.push(experimentTableText(await paperComparison(run, table)))
  if (claims.length > 0) {
    const said = paperClaims().flatMap(({ id, says }) => (claims.includes(id) ? says : []))
    const { title, text } = await paperComparison(run, 'claims')
    const [head, rule, ...lines] = text('text').split('\n')
    parts.push(
      [
        title,
        '',
        head,
        rule,
        ...lines.filter(line => said.some(says => line.includes(says))),
        '',
      ].join('\n'),
    )
  }
  const drawn = figures.map(figure => `geogap figure ${figure} ${dir} -o ${figure}.svg`)
  return `${parts.join('\n')}\nnext: ${drawn.join(', ')}\n`
}

const experimentTableText = ({ title, notes, text }: Table): string =>
  `${title}\n\n${text('text')}${notes.map(note => `note: ${note}\n`).join('')}`

interface PublishedSizeRow {
  benchmark: string
  size: string
  group: string
  n: number
  mean: number | null
  interval: readonly [number, number] | null
}

/** What published accuracies say of an experiment. */
export function publishedSizesText({ name }: PaperExperiment): string {
  if (name !== 'scaling') {
    const reasons = unpublishedRows.map(({ rows, reason }) => `  ${rows.join(', ')}: ${reason}`)
    return `No published accuracies speak of ${name}.\n${name === 'interventions' ? `${reasons.join('\n')}\n` : ''}`
  }
  const columns: TableColumn<PublishedSizeRow>[] = [
    ...fieldColumns({ benchmark: 'benchmark', size: 'by', group: 'size', n: 'models' }),
    shareColumn('mean', 'accuracy (%)'),
    {
      name: 'interval',
      heading: '95 % interval',
      value: row => row.interval?.join(' ') ?? null,
      show: row => percentRange(row.interval?.[0] ?? null, row.interval?.[1] ?? null),
    },
  ]
  const { publisher, date, note } = publishedSources.open_clip
  return `${formatTable(columns, publishedSizeRows(), 'text')}
Accuracies of zero-shot models as ${publisher} published them on ${date} (${note}). None is a measurement of this program.
They are accuracies, not disparities: nobody publishes accuracies by region.\n`
}

function publishedSizeRows(): PublishedSizeRow[] {
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
        .map(({ row, model, accuracy }) => ({
          model,
          size: models.get(row)?.[of] ?? null,
          value: accuracy,
        }))
      return sizeGroups(points, [edge]).groups.map(({ n, mean, interval }, i) => ({
        benchmark,
        size,
        n,
        mean,
        interval,
        group: `${i === 0 ? 'under' : 'from'} ${edge / 1e6} M`,
      }))
    }),
  )
}
