import { join } from 'node:path'
import { Command } from 'commander'
import { excludeOption, type Excluding } from './options.ts'

export function command(): Command {
  return new Command('report')
    .description('Write a self-contained HTML report of the results.')
    .argument('<dir>', 'folder of results')
    .option('-o, --output <file>', 'the report (default: DIR/report.html)')
    .addOption(excludeOption())
    .addHelpText('after', '\nExample:\n  geogap report results')
    .action(async (dir: string, { output = join(dir, 'report.html'), exclude }: Excluding & { output?: string }) => {
      const { openRun } = await import('../run.ts')
      await (await openRun(dir, exclude)).report(output)
      process.stdout.write(`${output}\n`)
    })
}
