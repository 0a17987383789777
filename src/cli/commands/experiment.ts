import { Command } from 'commander'
import { type CommandEntry, program } from './program.ts'
import { note } from './progress.ts'

interface Options {
  data: string
  out: string
  run?: string
  published?: boolean
  dryRun?: boolean
}

export function command(entries: readonly CommandEntry[]): Command {
  return new Command('experiment')
    .description("Run one of the paper's experiments, or show its command, the paper's values and ours.")
    .argument('[name]', 'an experiment; without it they are listed')
    .option('--dry-run', "print its commands, the paper's values and what is known here")
    .option('--run <dir>', "ours beside the paper's, from stored results")
    .option('--published', 'by accuracies that others published')
    .option('--data <dir>', 'folder that holds the benchmarks', 'data')
    .option('--out <dir>', 'folder for the results', 'geogap-results')
    .addHelpText('after', '\nExample:\n  geogap experiment retraining --dry-run')
    .action(async (name: string | undefined, options: Options) => run(entries, name, options))
}

async function run(entries: readonly CommandEntry[], name: string | undefined, options: Options): Promise<void> {
  const { experimentList, experimentNamed, experimentText, publishedText, resultsText } =
    await import('../../report/page/experiments.ts')
  const print = (text: string): void => void process.stdout.write(text)
  if (name === undefined) {
    print(await experimentList())
    return
  }
  const experiment = await experimentNamed(name)
  const commands = experiment.commands.map(line => filled(line, options))
  if (options.published) print(publishedText(experiment))
  else if (options.run !== undefined) print(await resultsText(experiment, options.run))
  else {
    print(experimentText(experiment, commands))
    if (options.dryRun) return
    for (const line of commands) await execute(entries, line)
    print(`\n${await resultsText(experiment, options.out)}`)
  }
}

/** Paths may hold spaces: they are put in after the line was cut. */
const filled = (line: string, { data, out }: Options): string[] =>
  line.split(' ').map(word => word.replace('{data}', () => data).replace('{out}', () => out))

async function execute(entries: readonly CommandEntry[], [, ...words]: readonly string[]): Promise<void> {
  note(`$ geogap ${words.join(' ')}`)
  await (await program(entries, words[0])).parseAsync([...words], { from: 'user' })
}
