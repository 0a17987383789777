import { defineCommand } from './command.ts'
import { datasetOptions, datasetSpecOf } from './options.ts'
import { fileEndingIn } from './parsers.ts'

export const command = defineCommand({
  name: 'manifest',
  text: "Write a data set's ids, labels, groups and image files as Parquet, for predictions made elsewhere.",
  arguments: { '<dataset>': 'a benchmark, manifest, folder or archive' },
  options: {
    ...datasetOptions,
    '-o, --output <file>': {
      text: 'the Parquet file',
      required: true,
      parse: fileEndingIn('.parquet'),
    },
  },
  examples: ['geogap manifest geode --data data -o ids.parquet'],
  run: async ({ dataset: name, output, ...options }) => {
    const { listDataset } = await import('../../datasets/open.ts')
    const { writeManifest } = await import('../../evaluate/import/manifest.ts')
    const dataset = await listDataset({ name, ...datasetSpecOf(options) })
    await writeManifest(dataset, output)
    process.stdout.write(
      `${output}: ${dataset.samples.length} images of ${dataset.classes.length} classes\n`,
    )
  },
})
