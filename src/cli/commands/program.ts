import { type Argument, Command, type CommanderError } from 'commander'
import { closeNames, inputError } from '../../lib/errors.ts'
import { buildCommand, type CommandEntry } from './command.ts'
import { setTextWidth } from '../../lib/table/fitToTerminal.ts'
import { setQuiet } from './terminal.ts'

/**
 * Builds commander's tree of all commands, or of the command `name`, with the common options. Errors:
 * unknown-command.
 */
export async function buildProgram(
  entries: readonly CommandEntry[],
  name?: string,
): Promise<Command> {
  const root = new Command('geogap').helpCommand(false)
  for (const { load } of name === undefined ? entries : [findCommand(entries, name)]) {
    const command = buildCommand((await load()).command, entries)
    root.addCommand(command)
    addCommonOptions(command, `geogap ${command.name()}`)
  }
  return root
}

function findCommand(entries: readonly CommandEntry[], name: string): CommandEntry {
  const names = entries.map(entry => entry.name)
  const entry = entries[names.indexOf(name)]
  if (entry) return entry
  const close = closeNames(name, names)
  const hint = close.length > 0 ? `nearest: ${close.join(', ')}` : 'geogap --help lists all'
  throw inputError('unknown-command', `unknown command: ${name}; ${hint}`)
}

/** Adds the common options, and turns commander's errors into `GeogapError`s. */
function addCommonOptions(command: Command, path: string): void {
  const has = (option: string): boolean => command.options.some(({ long }) => long === option)
  if (has('--format') && !has('--json'))
    command
      .option('--json', 'the same as --format json')
      .on('option:json', () => command.setOptionValueWithSource('format', 'json', 'cli'))
  command.option('--quiet', 'no progress and no notes, only the result and errors')
  command.on('option:quiet', () => setQuiet())
  command.option('--wide', 'tables with all columns, however wide the terminal is')
  command.on('option:wide', () => setTextWidth(null))
  command.option(
    '--config <file>',
    'defaults of the options (default: geogap.config.json or .yaml in this folder)',
  )
  command.option('--debug', 'show the stack trace of an error')
  command.exitOverride(error => {
    if (error.exitCode === 0) process.exit(0)
    throw inputError('bad-usage', `${usageFault(command, error, path)}; see ${path} --help`)
  })
  command.configureOutput({ outputError: () => undefined, writeErr: () => undefined })
  for (const inner of command.commands) addCommonOptions(inner, `${path} ${inner.name()}`)
}

/** Complaints that a mistyped option leads to. */
const usageCodes = [
  'commander.unknownOption',
  'commander.missingMandatoryOptionValue',
  'commander.excessArguments',
]

/** Returns the first word of the command line that looks like an option that the command does not have. */
function unknownOption(command: Command): string | undefined {
  let root = command
  while (root.parent) root = root.parent
  const { rawArgs } = root as unknown as { rawArgs: readonly string[] }
  const end = rawArgs.indexOf('--')
  return (end < 0 ? rawArgs : rawArgs.slice(0, end))
    .map(word => word.split('=')[0]!)
    .find(word => /^--[a-z]/.test(word) && !command.options.some(({ long }) => long === word))
}

/** Returns what is wrong with a command line, by commander's error. */
function usageFault(command: Command, { code, message }: CommanderError, path: string): string {
  const unknown = unknownOption(command)
  if (unknown !== undefined && usageCodes.includes(code)) {
    const close = closeNames(
      unknown,
      command.options.flatMap(({ long }) => long ?? []),
    )
    return `unknown option '${unknown}'${close.length > 0 ? `; nearest: ${close.join(', ')}` : ''}`
  }
  if (code === 'commander.help')
    return `${path} takes a command: ${command.commands.map(inner => inner.name()).join(', ')}`
  const text = message
    .replace(/^error: /, '')
    .replaceAll('\n', ' ')
    .replace(/\.$/, '')
  if (code === 'commander.missingArgument') return `${text}${greedyOptionHint(command)}`
  if (code !== 'commander.excessArguments') return text
  const taken = command.registeredArguments.map(argumentForm)
  return `${text}: ${[path, ...taken].join(' ')}`
}

/** Returns `<dir>`, `[name]` or `<names...>`. */
function argumentForm(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`
  return argument.required ? `<${name}>` : `[${name}]`
}

/** Returns a hint that an option with several values also takes the arguments after it. */
function greedyOptionHint(command: Command): string {
  const greedy = command.options.find(
    option => option.variadic && command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  return greedy ? ` (${greedy.long!} takes every word that follows: put arguments before it)` : ''
}

/** Returns the innermost command that `words` (without `geogap`) name, and the words after it. */
export function findLeaf(
  root: Command,
  words: readonly string[],
): { command: Command; path: string; rest: string[] } {
  const inner = root.commands.find(each => each.name() === words[0])
  if (!inner) return { command: root, path: '', rest: [...words] }
  const { command, path, rest } = findLeaf(inner, words.slice(1))
  return { command, path: `${inner.name()} ${path}`.trim(), rest }
}
