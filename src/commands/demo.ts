import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import { shellWord } from '../report/text.ts'
import { note, progressPrinter } from './progress.ts'

export function command(): Command {
  return new Command('demo')
    .description(
      'Draw a small made-up world, fit models to it, evaluate them, and write the report. No network needed.',
    )
    .option('--out <dir>', 'folder for pictures, models and results', 'demo')
    .addHelpText('after', '\nExample:\n  geogap demo')
    .action(async ({ out }: { out: string }) => run(out))
}

async function run(out: string): Promise<void> {
  const { demo } = await import('../demo/demo.ts')
  const { accuracyExport, disparityTable } = await import('../report/resultTables.ts')
  const { run: result, studies } = await demo({ out, onStage: note, onProgress: progressPrinter() })
  const report = join(out, 'report.html')
  await result.report(report)
  process.stdout.write('\nA made-up world: nothing below measures a real model or a real place.\n\n')
  process.stdout.write(`${accuracyExport(result, []).text('text')}\n${disparityTable(result, 'region', 30, 'text')}\n`)
  process.stdout.write(`${studies}\n`)
  const { publishedSummary } = await import('../report/publishedTable.ts')
  process.stdout.write(`The real world, by accuracies that others published (geogap table published): progress rates\n`)
  process.stdout.write(`${publishedSummary({ seed: 1 })}\n`)
  process.stdout.write(`report: ${pathToFileURL(resolve(report)).href}\n`)
  process.stdout.write(`dashboard: ${program(process.argv[1] ?? '')} serve ${shellWord(join(out, 'results'))}\n`)
}

/** How this program was called. */
const program = (script: string): string =>
  script.endsWith('.js') ? `node ${shellWord(relative('', script))}` : 'geogap'
