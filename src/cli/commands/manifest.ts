import { defineCommand } from './command.ts'
import { datasetOptions, datasetSpecOf } from './options.ts'
import { fileEndingIn } from './parsers.ts'

export const command = defineCommand({
  name: 'manifest',
  text: "Write a data set's ids, labels, groups and image files as CSV or Parquet, for predictions made elsewhere.",
  arguments: { '<dataset>': 'a benchmark, manifest, folder or archive' },
  options: {
    ...datasetOptions,
    '-o, --output <file>': {
      text: 'the file, ending in .csv or .parquet',
      required: true,
      parse: fileEndingIn('.csv', '.parquet'),
    },
  },
  examples: ['geogap manifest geode --data data -o ids.csv'],
  run: async ({ dataset: name, output, ...options }) => {
    const { listDataset } = await import('../../datasets/open.ts')
    const { manifestTable } = await import('../../evaluate/import/manifest.ts')
    const { writeTableFile } = await import('../../lib/table/writeTables.ts')
    const dataset = await listDataset({ name, ...datasetSpecOf(options) })
    await writeTableFile(manifestTable(dataset), output)
    const { samples, classes } = dataset
    process.stdout.write(`${output}: ${samples.length} images of ${classes.length} classes\n`)
  },
})
