import { extname, join } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { defineCommand } from './command.ts'
import { excludeOption } from './options.ts'
import { list } from './parsers.ts'

export const command = defineCommand({
  name: 'report',
  text: 'Write a self-contained HTML report of the results, or the dashboard as files for a web host.',
  arguments: { '<dir>': 'folder of results' },
  options: {
    '-o, --output <file>':
      'the report (default: DIR/report.html), or the folder of the bundle (DIR/bundle)',
    '--bundle': 'write the dashboard with its data as static files',
    '--images [folders]': {
      text: 'take thumbnails along in the bundle, of images in these folders (default: those that this machine evaluated itself)',
      parse: list,
    },
    ...excludeOption,
  },
  examples: ['geogap report results', 'geogap report --bundle results -o site'],
  run: async ({ dir, output, bundle, images = false, exclude }) => {
    if (images && !bundle)
      throw inputError('bad-option', '--images is of the bundle: give --bundle too')
    if (exclude && bundle)
      throw inputError('bad-option', '--bundle takes all images; --exclude is of the report')
    const ending = extname(output ?? '').toLowerCase()
    if (!bundle && !['', '.html', '.htm'].includes(ending))
      throw inputError('bad-option', `--output takes a file ending in .html, not ${output}`)
    if (bundle && ['.html', '.htm', '.zip', '.tar', '.gz', '.tgz'].includes(ending))
      throw inputError('bad-option', `--output of a bundle takes a folder, not ${output}`)
    const target = output ?? join(dir, bundle ? 'bundle' : 'report.html')
    if (bundle) {
      const { writeBundle } = await import('../../dashboard/bundle.ts')
      await writeBundle(dir, target, { images })
    } else {
      const { openRun } = await import('../../results/run.ts')
      const { writeReport } = await import('../../report/page/reportPage.ts')
      await writeReport(await openRun(dir, exclude), target)
    }
    process.stdout.write(`${target}\n`)
  },
})
