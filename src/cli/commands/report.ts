import { join } from 'node:path'
import { Command } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { excludeOption, type ExcludeOptions } from './options.ts'

interface ReportCommandOptions extends ExcludeOptions {
  output?: string
  bundle?: boolean
  images?: boolean
}

/**
 * Builds the command `geogap report`.
 *
 * @example
 *     geogap report results
 */
export function command(): Command {
  return new Command('report')
    .description(
      'Write a self-contained HTML report of the results, or the dashboard as files for a web host.',
    )
    .argument('<dir>', 'folder of results')
    .option(
      '-o, --output <file>',
      'the report (default: DIR/report.html), or the folder of the bundle (DIR/bundle)',
    )
    .option('--bundle', 'write the dashboard with its data as static files')
    .option('--images', 'take thumbnails of the images along in the bundle')
    .addOption(excludeOption())
    .addHelpText(
      'after',
      '\nExamples:\n  geogap report results\n  geogap report --bundle results -o site',
    )
    .action(run)
}

async function run(
  dir: string,
  { output, bundle, images = false, exclude }: ReportCommandOptions,
): Promise<void> {
  if (images && !bundle)
    throw inputError('bad-option', '--images is of the bundle: give --bundle too')
  const target = output ?? join(dir, bundle ? 'bundle' : 'report.html')
  if (bundle) {
    if (exclude)
      throw inputError('bad-option', '--bundle takes all images; --exclude is of the report')
    const { writeBundle } = await import('../../dashboard/bundle.ts')
    await writeBundle(dir, target, { images })
  } else {
    const { openRun } = await import('../../results/run.ts')
    const { writeReport } = await import('../../report/page/html.ts')
    await writeReport(await openRun(dir, exclude), target)
  }
  process.stdout.write(`${target}\n`)
}
