import { Command } from 'commander'
import { type CommandEntry, buildProgram } from './program.ts'
import { printNote } from './progress.ts'

interface ExperimentCommandOptions {
  data: string
  out: string
  run?: string
  published?: boolean
  dryRun?: boolean
}

/**
 * Builds the command `geogap experiment`.
 *
 * @example
 *     geogap experiment retraining --dry-run
 */
export function command(entries: readonly CommandEntry[]): Command {
  return new Command('experiment')
    .description(
      "Run one of the paper's experiments, or show its command, the paper's values and ours.",
    )
    .argument('[name]', 'an experiment; without it they are listed')
    .option('--dry-run', "print its commands, the paper's values and what is known here")
    .option('--run <dir>', "ours beside the paper's, from stored results")
    .option('--published', 'by accuracies that others published')
    .option('--data <dir>', 'folder that holds the benchmarks', 'data')
    .option('--out <dir>', 'folder for the results', 'geogap-results')
    .addHelpText('after', '\nExample:\n  geogap experiment retraining --dry-run')
    .action(async (name: string | undefined, options: ExperimentCommandOptions) =>
      run(entries, name, options),
    )
}

async function run(
  entries: readonly CommandEntry[],
  name: string | undefined,
  options: ExperimentCommandOptions,
): Promise<void> {
  const {
    experimentList,
    readExperiment,
    experimentText,
    publishedSizesText,
    experimentResultsText,
  } = await import('../../report/page/experiments.ts')
  const print = (text: string): void => void process.stdout.write(text)
  if (name === undefined) {
    print(await experimentList())
    return
  }
  const experiment = await readExperiment(name)
  const commands = experiment.commands.map(line => fillPaths(line, options))
  if (options.published) print(publishedSizesText(experiment))
  else if (options.run !== undefined) print(await experimentResultsText(experiment, options.run))
  else {
    print(experimentText(experiment, commands))
    if (options.dryRun) return
    for (const line of commands) await runCommandLine(entries, line)
    print(`\n${await experimentResultsText(experiment, options.out)}`)
  }
}

/** Paths may hold spaces: they are put in after the line was cut. */
const fillPaths = (line: string, { data, out }: ExperimentCommandOptions): string[] =>
  line.split(' ').map(word => word.replace('{data}', () => data).replace('{out}', () => out))

async function runCommandLine(
  entries: readonly CommandEntry[],
  [, ...words]: readonly string[],
): Promise<void> {
  printNote(`$ geogap ${words.join(' ')}`)
  await (await buildProgram(entries, words[0])).parseAsync([...words], { from: 'user' })
}
