import { join } from 'node:path'
import { Command } from 'commander'

export function command(): Command {
  return new Command('report')
    .description('Write a self-contained HTML report of the results.')
    .argument('<dir>', 'folder of results')
    .option('-o, --output <file>', 'the report (default: DIR/report.html)')
    .addHelpText('after', '\nExample:\n  geogap report results')
    .action(async (dir: string, { output = join(dir, 'report.html') }: { output?: string }) => {
      const { openRun } = await import('../run.ts')
      await (await openRun(dir)).report(output)
      process.stdout.write(`${output}\n`)
    })
}
