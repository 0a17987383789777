import { basename } from 'node:path'
import { Command } from 'commander'
import { type Votes } from '../../experiments/origins.ts'
import { type Column, field } from '../../lib/table/columns.ts'
import { opening } from './datasetOptions.ts'
import {
  addDeviceOption,
  addExperimentOptions,
  type DeviceOption,
  type ExperimentOptions,
} from './experimentOptions.ts'
import { given, several, wholeNumber } from './options.ts'
import { note, progressPrinter, transferPrinter } from './progress.ts'

interface Options extends ExperimentOptions, DeviceOption {
  model?: string
  encoder?: string
  reference: string
  query: string[]
  k?: number[]
}

const numbers = (text: string): number[] => text.split(',').map(wholeNumber('--k'))

const examples = `  geogap neighbours --model clip:ViT-B-32/laion400m_e32 --reference dollarstreet --query laion-images/
  geogap neighbours --encoder ViT-L-14 --reference dollarstreet.npy --query img_emb_0.npy,img_emb_1.npy`

export function command(): Command {
  const neighbours = new Command('neighbours')
    .description('Where unlabelled images come from, by their nearest images with a region (appendix F).')
    .option('--model <name>', 'embeds the images, references and queries alike')
    .option('--encoder <name>', 'the model that made .npy files')
    .requiredOption(
      '--reference <name>',
      'images with regions, kept features, or a .npy file with a .parquet beside it',
    )
    .requiredOption('--query <names>', 'images, kept features or .npy files', several)
    .option('--k <numbers>', 'numbers of neighbours (default: 3,5,…,113)', numbers)
  return addExperimentOptions(addDeviceOption(neighbours, 'images'), 'features', examples).action(
    async (options: Options) => run(options),
  )
}

async function run(options: Options): Promise<void> {
  const { model, encoder, reference, query, k, preprocessing, device, out } = options
  const { placement } = await import('../../experiments/placement.ts')
  const { formatTable } = await import('../../lib/table/columns.ts')
  const { durationText, shellWord } = await import('../../lib/table/text.ts')
  const onProgress = progressPrinter()
  const found = await placement({
    ...given({ model, encoder, ks: k, preprocessing, device }),
    ...{ reference, queries: query, open: opening(options), out, onProgress, onDownload: transferPrinter() },
    onSearch: (done, total) => onProgress({ models: ['search'], dataset: basename(reference), total, done }),
  })
  process.stdout.write(formatTable(await columns(found.votes), found.votes, options.format))
  note(`${found.queries} queries among ${found.references} references in ${durationText(found.seconds)}`)
  if (found.skipped > 0) note(`note: ${found.skipped} queries without an embedding are left out`)
  for (const text of found.notes) note(`note: ${text}`)
  note(`next: geogap figure neighbours ${shellWord(out)} -o neighbours.svg`)
}

async function columns(votes: readonly Votes[]): Promise<Column<Votes>[]> {
  const { percent } = await import('../../lib/table/text.ts')
  const queries = ({ regions }: Votes): number => Object.values(regions).reduce((sum, count) => sum + count, 0)
  return [
    field('k'),
    { name: 'west', heading: 'West (%)', value: row => row.westernShare, show: row => percent(row.westernShare) },
    ...Object.keys(votes[0]?.regions ?? {}).map((region): Column<Votes> => {
      const value = (row: Votes): number | null => (queries(row) === 0 ? null : row.regions[region]! / queries(row))
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
