import { basename } from 'node:path'
import { type Votes } from '../../experiments/classifyOrigins.ts'
import { type TableColumn, fieldColumn, shareColumn } from '../../lib/table/columns.ts'
import { defineCommand, pick } from './command.ts'
import { experimentOptions } from './experimentOptions.ts'
import { datasetSpecOf, deviceOption } from './options.ts'
import { list, wholeNumbers } from './parsers.ts'
import { printNote, progressPrinter, transferPrinter } from './terminal.ts'

export const command = defineCommand({
  name: 'neighbours',
  text: 'Where unlabelled images come from, by their nearest images with a region (appendix F).',
  options: {
    '--model <name>': 'the model that embeds the images of references and queries',
    '--encoder <name>': 'the model that made .npy files',
    '--reference <name>': {
      text: 'images with regions, kept features, or a .npy file with a .parquet beside it',
      required: true,
    },
    '--query <names>': {
      text: 'images, kept features or .npy files',
      parse: list,
      required: true,
    },
    '--k <numbers>': { text: 'numbers of neighbours (default: 3,5,…,113)', parse: wholeNumbers },
    ...deviceOption(', for the images'),
    ...experimentOptions('features'),
  },
  examples: [
    'geogap neighbours --model clip:ViT-B-32-quickgelu/laion400m_e32 --reference dollarstreet --query laion-images/',
    'geogap neighbours --encoder ViT-L-14 --reference dollarstreet.npy --query img_emb_0.npy,img_emb_1.npy',
  ],
  run: async options => {
    const { runOriginStudy } = await import('../../experiments/originStudy.ts')
    const { formatTable } = await import('../../lib/table/formats.ts')
    const { durationText, shellWord } = await import('../../lib/table/text.ts')
    const onProgress = progressPrinter()
    const found = await runOriginStudy({
      ...pick(options, ['model', 'encoder', 'preprocessing', 'device', 'reference', 'out']),
      ...(options.k && { ks: options.k }),
      queries: options.query,
      open: datasetSpecOf(options),
      onProgress,
      onDownload: transferPrinter(),
      onSearch: (done, total) =>
        onProgress({ models: ['search'], dataset: basename(options.reference), total, done }),
    })
    process.stdout.write(formatTable(await voteColumns(found.votes), found.votes, options.format))
    printNote(
      `${found.queries} queries among ${found.references} references in ${durationText(found.seconds)}`,
    )
    if (found.skipped > 0)
      printNote(`note: ${found.skipped} queries without an embedding are left out`)
    for (const text of found.notes) printNote(`note: ${text}`)
    printNote(`next: geogap figure neighbours ${shellWord(options.out)} -o neighbours.svg`)
  },
})

async function voteColumns(votes: readonly Votes[]): Promise<TableColumn<Votes>[]> {
  const { percent } = await import('../../lib/table/text.ts')
  const queries = ({ regions }: Votes): number =>
    Object.values(regions).reduce((sum, count) => sum + count, 0)
  return [
    fieldColumn('k'),
    { ...shareColumn('westernShare', 'West (%)'), name: 'west' },
    ...Object.keys(votes[0]?.regions ?? {}).map((region): TableColumn<Votes> => {
      const value = (row: Votes): number | null =>
        queries(row) === 0 ? null : row.regions[region]! / queries(row)
      return { name: region, heading: `${region} (%)`, value, show: row => percent(value(row)) }
    }),
    fieldColumn(
      'europeToAfrica',
      'Europe : Africa',
      (ratio: number | null) => ratio?.toFixed(2) ?? '–',
    ),
  ]
}
