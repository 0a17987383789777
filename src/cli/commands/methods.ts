import { Command } from 'commander'
import { excludeOption, type ExcludeOptions } from './options.ts'

/**
 * Builds the command `geogap methods`.
 *
 * @example
 *     geogap methods results > methods.md
 */
export function command(): Command {
  return new Command('methods')
    .description(
      'The methods paragraph, the limitations of this run, versions and hashes, and BibTeX, as Markdown.',
    )
    .argument('<run>', 'folder of results, or a pack')
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap methods results > methods.md')
    .action(async (run: string, { exclude }: ExcludeOptions) => {
      const { openResults } = await import('../../analysis/pack.ts')
      const { describeMethods, methodsText } = await import('../../analysis/citing/methods.ts')
      process.stdout.write(methodsText(describeMethods(await openResults(run, exclude))))
    })
}
