import { Command } from 'commander'
import { excludeOption, type ExcludeOptions } from './options.ts'
import { bytesText } from '../../lib/table/text.ts'

/**
 * Builds the command `geogap pack`.
 *
 * @example
 *     geogap pack results -o testbed.pack
 */
export function command(): Command {
  return new Command('pack')
    .description(
      'Write the counts of a run as one small file: no images, no predictions; versions, hashes and terms.',
    )
    .argument('<dir>', 'folder of results')
    .requiredOption('-o, --output <file>', 'the pack')
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap pack results -o testbed.pack')
    .action(async (dir: string, { output, exclude }: ExcludeOptions & { output: string }) => {
      const { openRun } = await import('../../results/run.ts')
      const { writePack } = await import('../../analysis/pack.ts')
      const { writeOutput } = await import('../../lib/files.ts')
      const bytes = await writePack(await openRun(dir, exclude))
      await writeOutput(output, bytes)
      process.stdout.write(`${output} (${bytesText(bytes.length)})\n`)
    })
}
