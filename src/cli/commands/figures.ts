import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { formatOption } from './options.ts'

/**
 * Builds the command `geogap figures`.
 *
 * @example
 *     geogap figures
 */
export function command(): Command {
  return new Command('figures')
    .description('List the figures that can be drawn.')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  geogap figures')
    .action(async ({ format }: { format: TableFormat }) => {
      const { figureKinds } = await import('../../report/figures/index.ts')
      const { fieldColumns, formatTable } = await import('../../lib/table/columns.ts')
      const rows = figureKinds.map(({ paper, ...kind }) => ({ ...kind, paper: paper.join(', ') }))
      const columns = fieldColumns<'name' | 'title' | 'paper' | 'needs'>({
        ...{ name: 'name', title: 'what it shows', paper: 'in the paper', needs: 'needs' },
      })
      process.stdout.write(formatTable(columns, rows, format))
    })
}
