import { Command } from 'commander'
import { inputError, unknownName } from '../errors.ts'
import { type Column } from '../report/tables.ts'
import { type SliceRow } from '../predictions/slices.ts'
import { assignments, given } from './options.ts'

interface Options {
  model?: string
  dataset?: string
  wrong?: boolean
  right?: boolean
  region?: string
  country?: string
  truth?: string
  where?: Record<string, string>
  output: string
}

export function command(): Command {
  return new Command('slice')
    .description(
      'Write a list of images, slice.csv, for relabelling or for --exclude: what a model got wrong, a region, a class.',
    )
    .argument('<dir>', 'folder of results')
    .option('--model <name>', 'whose predictions (needed where there are several)')
    .option('--dataset <name>', 'by its name in the results (default: all)')
    .option('--wrong', 'images whose first class is wrong')
    .option('--right', 'images whose first class is right')
    .option('--region <name>', 'images of a region')
    .option('--country <name>', 'images of a country')
    .option('--truth <label>', 'images of a class')
    .option('--where <pairs>', 'values of any columns: income_group=Q1,region=Asia', assignments('--where'))
    .requiredOption('-o, --output <file>', 'the slice')
    .addHelpText('after', '\nExample:\n  geogap slice results --wrong --region Africa -o slice.csv')
    .action(async (dir: string, options: Options) => run(dir, options))
}

const columns: Column<SliceRow>[] = (
  ['dataset', 'id', 'truth', 'prediction', 'region', 'country', 'model'] as const
).map(name => ({ name, heading: name, value: row => row[name] }))

async function run(dir: string, options: Options): Promise<void> {
  const { model, dataset, wrong, right, region, country, truth, output } = options
  if (wrong && right) throw inputError('bad-option', 'give one of --wrong and --right')
  const { storedEntries } = await import('../decide/sides.ts')
  const { readDatasets } = await import('../predictions/notes.ts')
  const { sliceOf } = await import('../predictions/slices.ts')
  const { formatTable } = await import('../report/tables.ts')
  const { writeOutput } = await import('../files.ts')
  const entries = await storedEntries(dir)
  const [models, sets] = [names(entries.map(e => e.identity.model)), names(entries.map(e => e.identity.dataset))]
  const chosen = model ?? models[0]!
  if (!models.includes(chosen)) throw unknownName('model', chosen, models)
  if (model === undefined && models.length > 1)
    throw inputError('choose-models', `choose with --model; there are ${models.join(', ')}`)
  if (dataset !== undefined && !sets.includes(dataset)) throw unknownName('dataset', dataset, sets)
  const notes = await readDatasets(dir)
  const rows: SliceRow[] = []
  const query = {
    where: { ...options.where, ...given({ region, country, truth }) },
    ...((wrong ?? right) && { right: right === true }),
  }
  for (const entry of entries) {
    const { identity } = entry
    if (identity.model !== chosen || identity.dataset !== (dataset ?? identity.dataset)) continue
    rows.push(...(await sliceOf(entry, notes.get(identity.content), query)))
  }
  await writeOutput(output, formatTable(columns, rows, 'csv'))
  process.stdout.write(`${rows.length} images in ${output}\n`)
}

const names = (all: readonly string[]): string[] => [...new Set(all)]
