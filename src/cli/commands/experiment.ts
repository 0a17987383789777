import { wrapToTerminal } from '../../lib/table/fitToTerminal.ts'
import { type CommandEntry, defineCommand } from './command.ts'
import { dataOption } from './options.ts'
import { buildProgram } from './program.ts'
import { printNote } from './terminal.ts'

export const command = defineCommand({
  name: 'experiment',
  text: "Run one of the paper's experiments, or show its command, the paper's values and ours.",
  arguments: { '[name]': 'an experiment; without it they are listed' },
  options: {
    '--dry-run': "print its commands, the paper's values and what is known here",
    '--run <dir>': "ours beside the paper's, from stored results",
    '--published': 'by accuracies that others published',
    ...dataOption,
    '--out <dir>': { text: 'folder for the results', default: 'geogap-results' },
  },
  examples: ['geogap experiment retraining --dry-run'],
  run: async ({ name, dryRun, run, published, data = 'data', out }, entries) => {
    const experiments = await import('../../report/page/experiments.ts')
    const print = (text: string): boolean => process.stdout.write(text)
    if (name === undefined) {
      print(wrapToTerminal(await experiments.experimentList()))
      return
    }
    const experiment = await experiments.readExperiment(name)
    if (published || run !== undefined) {
      const text = published
        ? experiments.publishedSizesText(experiment)
        : await experiments.experimentResultsText(experiment, run!)
      print(text)
      return
    }
    // Inserts paths after splitting the line, because they may contain spaces.
    const commands = experiment.commands.map(line =>
      line.split(' ').map(word => word.replace('{data}', () => data).replace('{out}', () => out)),
    )
    print(experiments.experimentText(experiment, commands))
    if (dryRun) return
    for (const words of commands) await runCommandLine(entries, words.slice(1))
    print(`\n${await experiments.experimentResultsText(experiment, out)}`)
  },
})

async function runCommandLine(
  entries: readonly CommandEntry[],
  words: readonly string[],
): Promise<void> {
  printNote(`$ geogap ${words.join(' ')}`)
  await (await buildProgram(entries, words[0])).parseAsync([...words], { from: 'user' })
}
