import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { percent, shellWord } from '../../lib/table/text.ts'
import { type Run } from '../../results/run.ts'
import { folder } from './parsers.ts'
import { printNote, progressPrinter } from './progress.ts'

/**
 * Builds the command `geogap demo`.
 *
 * @example
 *     geogap demo
 */
export function command(): Command {
  return new Command('demo')
    .description(
      'Draw a small made-up world, fit models to it, evaluate them, and write the report. No network needed.',
    )
    .option('--out <dir>', 'folder for pictures, models and results', folder('--out'), 'demo')
    .addHelpText('after', '\nExample:\n  geogap demo')
    .action(async ({ out }: { out: string }) => run(out))
}

async function run(out: string): Promise<void> {
  const { runDemo } = await import('../demo/demo.ts')
  const { groupAccuracyTable, disparityTableText } =
    await import('../../report/page/resultTables.ts')
  const { writeReport } = await import('../../report/page/html.ts')
  const { run: result, studies } = await runDemo({
    out,
    onStage: printNote,
    onProgress: progressPrinter(),
  })
  const report = join(out, 'report.html')
  await writeReport(result, report)
  process.stdout.write(
    '\nA made-up world: nothing below measures a real model or a real place.\n\n',
  )
  process.stdout.write(
    `${groupAccuracyTable(result, []).text('text')}\n${disparityTableText(result, 'region', 30, 'text')}\n`,
  )
  process.stdout.write(`${studies}\n`)
  const { publishedSummary } = await import('../../analysis/paper/publishedTable.ts')
  process.stdout.write(
    `The real world, by accuracies that others published (geogap table published): progress rates\n`,
  )
  process.stdout.write(`${publishedSummary()}\n`)
  process.stdout.write(`Back in the made-up world: ${await headlineOf(result)}\n\n`)
  process.stdout.write(`report: ${pathToFileURL(resolve(report)).href}\n`)
  process.stdout.write(
    `dashboard: ${programCall(process.argv[1] ?? '')} serve ${shellWord(join(out, 'results'))}\n`,
  )
}

/** What the run answers, in a sentence: the best model's accuracies by region, their disparity and how sure it is. */
async function headlineOf(run: Run): Promise<string> {
  const dataset = 'households'
  const models = run.accuracy({ dataset })
  const best = models.reduce((a, b) => ((b.top1 ?? 0) > (a.top1 ?? 0) ? b : a))
  const { inferDisparities } = await import('../../analysis/disparityInference.ts')
  const [found] = await inferDisparities(run, { dataset, model: best.model })
  const {
    best: highest,
    worst,
    bestAccuracy,
    worstAccuracy,
    disparity,
    interval,
    expected,
  } = found!
  const [low, high] = interval ?? [null, null]
  return (
    `${best.model}, the best of ${models.length} models, recognizes ${percent(best.top1)} % of the households' things: ` +
    `${percent(bestAccuracy)} % in ${highest!}, ${percent(worstAccuracy)} % in ${worst!}. That is a disparity of ` +
    `${percent(disparity)} points (95 % interval ${percent(low)} to ${percent(high)}; ${percent(expected)} if the region did not matter).`
  )
}

/** How this program was called. */
const programCall = (script: string): string =>
  script.endsWith('.js') ? `node ${shellWord(relative('', script))}` : 'geogap'
