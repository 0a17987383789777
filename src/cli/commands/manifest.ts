import { Command } from 'commander'
import { addDatasetOptions, type DatasetSourceOptions, datasetSpecOf } from './datasetOptions.ts'

type ManifestCommandOptions = DatasetSourceOptions & { output: string }

/**
 * Builds the command `geogap manifest`.
 *
 * @example
 *     geogap manifest geode --data data -o ids.parquet
 */
export function command(): Command {
  const manifest = new Command('manifest')
    .description(
      "Write a data set's ids, labels, groups and image files as Parquet, for predictions made elsewhere.",
    )
    .argument('<dataset>', 'a benchmark, manifest, folder or archive')
  return addDatasetOptions(manifest)
    .requiredOption('-o, --output <file>', 'the Parquet file')
    .addHelpText('after', '\nExample:\n  geogap manifest geode --data data -o ids.parquet')
    .action(async (name: string, { output, ...options }: ManifestCommandOptions) => {
      const { openDataset } = await import('../../datasets/open.ts')
      const { writeManifest } = await import('../../evaluate/import/manifest.ts')
      const dataset = await openDataset({ name, ...datasetSpecOf(options) })
      await writeManifest(dataset, output)
      process.stdout.write(
        `${output}: ${dataset.samples.length} images of ${dataset.classes.length} classes\n`,
      )
    })
}
