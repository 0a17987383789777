import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { percent, shellWord } from '../../lib/table/text.ts'
import { type Run } from '../../results/run.ts'
import { defineCommand } from './command.ts'
import { folder } from './parsers.ts'
import { printNote, progressPrinter } from './terminal.ts'

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
      await import('../../report/page/resultTables.ts')
    const { writeReport } = await import('../../report/page/html.ts')
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
Back in the made-up world: ${await headlineOf(demo.run)}

report: ${pathToFileURL(resolve(report)).href}
dashboard: ${programCall(process.argv[1] ?? '')} serve ${shellWord(join(out, 'results'))}
`)
  },
})

/** Returns a sentence on the best model: its accuracies by region, their disparity and how sure it is. */
async function headlineOf(run: Run): Promise<string> {
  const dataset = 'households'
  const models = run.accuracy({ dataset })
  const { model, top1 } = models.reduce((a, b) => ((b.top1 ?? 0) > (a.top1 ?? 0) ? b : a))
  const { inferDisparities } = await import('../../analysis/disparityInference.ts')
  const [found] = await inferDisparities(run, { dataset, model })
  const { best, worst, bestAccuracy, worstAccuracy, disparity, interval, expected } = found!
  return (
    `${model}, the best of ${models.length} models, recognizes ${percent(top1)} % of the households' things: ` +
    `${percent(bestAccuracy)} % in ${best!}, ${percent(worstAccuracy)} % in ${worst!}. That is a disparity of ` +
    `${percent(disparity)} points (95 % interval ${percent(interval?.[0] ?? null)} to ${percent(interval?.[1] ?? null)}; ${percent(expected)} if the region did not matter).`
  )
}

/** Returns how this program was called. */
const programCall = (script: string): string =>
  script.endsWith('.js') ? `node ${shellWord(relative('', script))}` : 'geogap'
