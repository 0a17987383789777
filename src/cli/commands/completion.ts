import { readFileSync } from 'node:fs'
import { type Option } from 'commander'
import { choicesOf, type CommandEntry, defineCommand } from './command.ts'
import { oneOf } from './parsers.ts'
import { buildProgram, findLeaf } from './program.ts'

const shells = oneOf(['bash', 'zsh', 'fish', 'words'])

export const command = defineCommand({
  name: 'completion',
  text: 'Print a script that lets a shell complete commands, options, models, benchmarks and figures.',
  arguments: {
    '<shell>': { text: 'bash, zsh or fish', parse: shells },
    '[words...]': 'for the scripts: the words so far, after --',
  },
  examples: [
    'geogap completion bash >> ~/.bashrc',
    'geogap completion zsh >> ~/.zshrc',
    'geogap completion fish > ~/.config/fish/completions/geogap.fish',
  ],
  run: async ({ shell, words }, entries) => {
    const text =
      shell === 'words'
        ? (await completionsOf(entries, words)).map(word => `${word}\n`).join('')
        : readFileSync(new URL(`./completion.${shell}`, import.meta.url), 'utf8')
    process.stdout.write(text)
  },
})

/** Returns the completions of the last of `words`; none where a file is expected. */
export async function completionsOf(
  entries: readonly CommandEntry[],
  words: readonly string[],
): Promise<string[]> {
  const last = words.at(-1) ?? ''
  const found = await continuations(entries, words.slice(0, -1), last)
  return found.filter(word => word.startsWith(last))
}

async function continuations(
  entries: readonly CommandEntry[],
  before: readonly string[],
  last: string,
): Promise<readonly string[]> {
  if (before.length === 0) return entries.map(({ name }) => name)
  const { command, path, rest } = findLeaf(await buildProgram(entries, before[0]), before)
  if (last.startsWith('-')) return command.options.flatMap(({ long }) => long ?? [])
  const option = optionAwaitingValue(command.options, rest)
  if (option) return choicesOf(option) ?? namesByOption[option.attributeName()]?.() ?? []
  const inner = rest.length === 0 ? command.commands.map(each => each.name()) : []
  const argument = command.registeredArguments[rest.length]
  const choices = argument && choicesOf(argument)
  return [...inner, ...(choices ?? (await namesByOption[path]?.()) ?? [])]
}

/** Returns the option whose value comes next. */
function optionAwaitingValue(
  options: readonly Option[],
  rest: readonly string[],
): Option | undefined {
  const at = rest.findLastIndex(word => word.startsWith('-'))
  const option = options.find(
    ({ short, long }) => rest[at] !== undefined && (rest[at] === long || rest[at] === short),
  )
  return option?.required && (option.variadic || at === rest.length - 1) ? option : undefined
}

const modelNames = async (): Promise<string[]> =>
  (await import('../../models/catalog.ts')).modelNames()
const datasetNames = async (): Promise<readonly string[]> =>
  (await import('../../datasets/benchmarks/index.ts')).benchmarkNames

/** Names by an option's attribute, or by a command's path for its arguments. */
const namesByOption: Partial<Record<string, () => Promise<readonly string[]>>> = {
  model: modelNames,
  models: modelNames,
  dataset: datasetNames,
  suite: async () => Object.keys((await import('../../datasets/benchmarks/index.ts')).suites),
  fetch: datasetNames,
  datasets: datasetNames,
  manifest: datasetNames,
  power: datasetNames,
  experiment: async () => (await import('../../report/page/experiments.ts')).listExperiments(),
  figure: async () =>
    (await import('../../report/figures/index.ts')).figureKinds.map(({ name }) => name),
}
