import { Command } from 'commander'

/**
 * Builds the command `geogap pull`.
 *
 * @example
 *     geogap pull https://example.org/testbed.pack
 */
export function command(): Command {
  return new Command('pull')
    .description(
      'Take a pack from a file or an address, check it, and say what it holds. No pack goes by a name yet.',
    )
    .argument('<source>', 'file, or http(s) address')
    .option('-o, --output <file>', "where it goes (default: the source's last part, here)")
    .addHelpText('after', '\nExample:\n  geogap pull https://example.org/testbed.pack')
    .action(async (source: string, options: { output?: string }) => {
      const { pullPack } = await import('../../analysis/pull.ts')
      process.stdout.write(await pullPack(source, options.output))
    })
}
