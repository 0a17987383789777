import { Command } from 'commander'
import { transferPrinter } from './progress.ts'

/**
 * Builds the command `geogap fetch`.
 *
 * @example
 *     geogap fetch imagenet-v2 imagenet-r --data data
 */
export function command(): Command {
  return new Command('fetch')
    .description(
      'Download benchmarks: resumed after a cut, checked, never twice. Says what to do where a person must accept terms.',
    )
    .argument('<name...>', 'benchmarks (geogap datasets)')
    .option('--data <dir>', 'folder that holds the benchmarks', 'data')
    .addHelpText('after', '\nExample:\n  geogap fetch imagenet-v2 imagenet-r --data data')
    .action(async (names: string[], { data }: { data: string }) => run(names, data))
}

async function run(names: readonly string[], data: string): Promise<void> {
  const { fetchBenchmark } = await import('../../datasets/fetch.ts')
  for (const name of names) {
    const fetched = await fetchBenchmark(name, data, { onProgress: transferPrinter() })
    for (const { file, cached } of fetched)
      process.stdout.write(`${file}${cached ? ' (was there)' : ''}\n`)
  }
}
