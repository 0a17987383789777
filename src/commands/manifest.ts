import { Command } from 'commander'

interface Options {
  data?: string
  labels?: string
  output: string
}

export function command(): Command {
  return new Command('manifest')
    .description("Write a data set's ids, labels, groups and image files as Parquet, for predictions made elsewhere.")
    .argument('<dataset>', 'a benchmark, manifest, folder or archive')
    .option('--data <dir>', 'folder that holds the benchmarks (default: data)')
    .option('--labels <map>', 'label map: original, imagenet or a file')
    .requiredOption('-o, --output <file>', 'the Parquet file')
    .addHelpText('after', '\nExample:\n  geogap manifest geode --data data -o ids.parquet')
    .action(async (name: string, { data, labels, output }: Options) => {
      const { openDataset } = await import('../datasets/open.ts')
      const { writeManifest } = await import('../imports/manifest.ts')
      const dataset = await openDataset({
        name,
        ...(data === undefined ? {} : { data }),
        ...(labels === undefined ? {} : { labels }),
      })
      await writeManifest(dataset, output)
      process.stdout.write(`${output}: ${dataset.items.length} images of ${dataset.classes.length} classes\n`)
    })
}
