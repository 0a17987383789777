import { Command } from 'commander'
import { type TableFormat } from '../../lib/table/columns.ts'
import { formatOption } from './options.ts'

/**
 * Builds the command `geogap status`.
 *
 * @example
 *     geogap status results
 */
export function command(): Command {
  return new Command('status')
    .description(
      'Say what is stored of what was asked for: complete, running, incomplete, failed, damaged or stale.',
    )
    .argument('<dir>', 'folder of results')
    .addOption(formatOption())
    .addHelpText('after', '\nExample:\n  geogap status results')
    .action(async (dir: string, options: { format: TableFormat }) => {
      const { runStatus } = await import('../../results/status.ts')
      const { statusTable } = await import('../print/status.ts')
      const { writeTables } = await import('../../lib/table/write.ts')
      await writeTables([statusTable(await runStatus(dir))], options.format, undefined)
    })
}
