import { Command } from 'commander'
import { type Format } from '../report/tables.ts'
import { format } from './options.ts'

export function command(): Command {
  return new Command('figures')
    .description('List the figures that can be drawn.')
    .option('--format <format>', 'text, markdown, csv, json or latex', format, 'text')
    .addHelpText('after', '\nExample:\n  geogap figures')
    .action(async ({ format }: { format: Format }) => {
      const { figureKinds } = await import('../figures/index.ts')
      const { formatTable } = await import('../report/tables.ts')
      const columns = [
        { name: 'name', heading: 'name', value: (kind: (typeof figureKinds)[number]) => kind.name },
        { name: 'title', heading: 'what it shows', value: (kind: (typeof figureKinds)[number]) => kind.title },
        {
          name: 'paper',
          heading: 'in the paper',
          value: (kind: (typeof figureKinds)[number]) => kind.paper.join(', '),
        },
        { name: 'needs', heading: 'needs', value: (kind: (typeof figureKinds)[number]) => kind.needs },
      ]
      process.stdout.write(formatTable(columns, figureKinds, format))
    })
}
