import { basename } from 'node:path'
import { Command } from 'commander'
import { type Votes } from '../../experiments/origins.ts'
import { type TableColumn, fieldColumn } from '../../lib/table/columns.ts'
import { datasetSpecOf } from './datasetOptions.ts'
import {
  addDeviceOption,
  addExperimentOptions,
  type DeviceOptions,
  type ExperimentBaseOptions,
} from './experimentOptions.ts'
import { withoutUndefined } from './options.ts'
import { parseList, wholeNumber } from './parsers.ts'
import { printNote, progressPrinter, transferPrinter } from './progress.ts'

interface NeighboursCommandOptions extends ExperimentBaseOptions, DeviceOptions {
  model?: string
  encoder?: string
  reference: string
  query: string[]
  k?: number[]
}

const parseNumbers = (text: string): number[] => text.split(',').map(wholeNumber('--k'))

const examples = `  geogap neighbours --model clip:ViT-B-32/laion400m_e32 --reference dollarstreet --query laion-images/
  geogap neighbours --encoder ViT-L-14 --reference dollarstreet.npy --query img_emb_0.npy,img_emb_1.npy`

/**
 * Builds the command `geogap neighbours`.
 *
 * @example
 *     geogap neighbours --model clip:ViT-B-32/laion400m_e32 --reference dollarstreet --query laion-images/
 */
export function command(): Command {
  const neighbours = new Command('neighbours')
    .description(
      'Where unlabelled images come from, by their nearest images with a region (appendix F).',
    )
    .option('--model <name>', 'embeds the images, references and queries alike')
    .option('--encoder <name>', 'the model that made .npy files')
    .requiredOption(
      '--reference <name>',
      'images with regions, kept features, or a .npy file with a .parquet beside it',
    )
    .requiredOption('--query <names>', 'images, kept features or .npy files', parseList)
    .option('--k <numbers>', 'numbers of neighbours (default: 3,5,…,113)', parseNumbers)
  return addExperimentOptions(addDeviceOption(neighbours, 'images'), 'features', examples).action(
    async (options: NeighboursCommandOptions) => run(options),
  )
}

async function run(options: NeighboursCommandOptions): Promise<void> {
  const { model, encoder, reference, query, k, preprocessing, device, out } = options
  const { runOriginStudy } = await import('../../experiments/originStudy.ts')
  const { formatTable } = await import('../../lib/table/columns.ts')
  const { durationText, shellWord } = await import('../../lib/table/text.ts')
  const onProgress = progressPrinter()
  const found = await runOriginStudy({
    ...withoutUndefined({ model, encoder, ks: k, preprocessing, device }),
    ...{
      reference,
      queries: query,
      open: datasetSpecOf(options),
      out,
      onProgress,
      onDownload: transferPrinter(),
    },
    onSearch: (done, total) =>
      onProgress({ models: ['search'], dataset: basename(reference), total, done }),
  })
  process.stdout.write(formatTable(await voteColumns(found.votes), found.votes, options.format))
  printNote(
    `${found.queries} queries among ${found.references} references in ${durationText(found.seconds)}`,
  )
  if (found.skipped > 0)
    printNote(`note: ${found.skipped} queries without an embedding are left out`)
  for (const text of found.notes) printNote(`note: ${text}`)
  printNote(`next: geogap figure neighbours ${shellWord(out)} -o neighbours.svg`)
}

async function voteColumns(votes: readonly Votes[]): Promise<TableColumn<Votes>[]> {
  const { percent } = await import('../../lib/table/text.ts')
  const queries = ({ regions }: Votes): number =>
    Object.values(regions).reduce((sum, count) => sum + count, 0)
  return [
    fieldColumn('k'),
    {
      name: 'west',
      heading: 'West (%)',
      value: row => row.westernShare,
      show: row => percent(row.westernShare),
    },
    ...Object.keys(votes[0]?.regions ?? {}).map((region): TableColumn<Votes> => {
      const value = (row: Votes): number | null =>
        queries(row) === 0 ? null : row.regions[region]! / queries(row)
      return { name: region, heading: `${region} (%)`, value, show: row => percent(value(row)) }
    }),
    {
      name: 'europeToAfrica',
      heading: 'Europe : Africa',
      value: row => row.europeToAfrica,
      show: row => row.europeToAfrica?.toFixed(2) ?? '–',
    },
  ]
}
