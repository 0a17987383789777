import { Command } from 'commander'
import { type Format } from '../report/tables.ts'
import { excludeOption, type Excluding, format, several, wholeNumber } from './options.ts'

interface Options extends Excluding {
  against: string
  models?: string[]
  minN: number
  format: Format
}

export function command(): Command {
  return new Command('place')
    .description('Where a model stands among comparable ones of its ImageNet accuracy.')
    .argument('<run>', 'folder of results, or a pack')
    .option('--against <what>', 'published, a folder of results, or a pack', 'published')
    .option('--models <names>', 'models to place (default: all)', several)
    .option('--min-n <n>', 'places with fewer images are left out', wholeNumber('--min-n'), 30)
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap place results --against published')
    .action(async (run: string, { format, ...options }: Options) => {
      const { placeRun } = await import('../decide/placeRun.ts')
      const { placedText } = await import('../decide/placeText.ts')
      process.stdout.write(placedText(await placeRun(run, options), format))
    })
}
