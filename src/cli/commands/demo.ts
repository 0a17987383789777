import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { shellWord } from '../../lib/table/text.ts'
import { type Run } from '../../results/run.ts'
import { defineCommand } from './command.ts'
import { folder } from './parsers.ts'
import { printNote, progressPrinter, terminalStyle } from './terminal.ts'

export const command = defineCommand({
  name: 'demo',
  text: 'Draw a small made-up world, fit models to it, evaluate them, and write the report. No network needed.',
  options: {
    '--out <dir>': {
      text: 'folder for pictures, models and results',
      parse: folder,
      default: 'demo',
    },
  },
  examples: ['geogap demo'],
  run: async ({ out }) => {
    const { runDemo } = await import('../demo/demo.ts')
    const { groupAccuracyTable, disparityTableText } =
      await import('../../report/tables/accuracyTables.ts')
    const { writeReport } = await import('../../report/page/reportPage.ts')
    const { publishedSummary } = await import('../../analysis/paper/publishedTable.ts')
    const demo = await runDemo({ out, onStage: printNote, onProgress: progressPrinter() })
    const report = join(out, 'report.html')
    await writeReport(demo.run, report)
    process.stdout.write(`
A made-up world: nothing below measures a real model or a real place.

${groupAccuracyTable(demo.run, []).text('text')}
${disparityTableText(demo.run, 'region')}
${demo.studies}
The real world, by accuracies that others published (geogap table published): progress rates
${publishedSummary()}
Back in the made-up world (geogap show):

${await answerOf(demo.run)}
report: ${pathToFileURL(resolve(report)).href}
dashboard: ${programCall(process.argv[1] ?? '')} serve ${shellWord(join(out, 'results'))}
`)
  },
})

/** Returns what `geogap show` prints of the run: its answer in words, regions as bars, progress. */
async function answerOf(run: Run): Promise<string> {
  const { firstScreen } = await import('../../analysis/firstScreen.ts')
  const { progressEvidence } = await import('../../analysis/progress/evidence.ts')
  const { runView } = await import('../../analysis/runView.ts')
  const { firstScreenText } = await import('../print/show.ts')
  const results = runView(run)
  const screen = await firstScreen(results, { evidence: progressEvidence(results, []) })
  return firstScreenText(screen, terminalStyle())
}

/** Returns how this program was called. */
const programCall = (script: string): string =>
  script.endsWith('.js') ? `node ${shellWord(relative('', script))}` : 'geogap'
