/** Commands as data. The flags of arguments and options determine the types of a command's inputs. */
import { Argument, Command, Option } from 'commander'

/** Reads the text of an option or argument; `before` is the value of the words that came before it. */
export interface Parser<T> {
  (text: string, flag: string, before?: T): T
  /** The words that it accepts, if they are a short list. */
  words?: readonly string[]
}

export interface InputDefinition {
  text: string
  parse?: (text: string, flag: string, before?: never) => unknown
  default?: unknown
  required?: boolean
  /** The environment variable that is read if the option is not given. */
  env?: string
}

/** Arguments by their forms (`<dir>`, `[names...]`), options by their flags (`-o, --output <file>`); a text is a description. */
export type InputDefinitions = Readonly<Record<string, string | InputDefinition>>

type CamelCase<S> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<CamelCase<B>>}` : S
type LongName<F> = F extends `${string}--${infer N} ${string}`
  ? N
  : F extends `${string}--${infer N}`
    ? N
    : F extends `${'<' | '['}${infer N}...${string}`
      ? N
      : F extends `${'<' | '['}${infer N}${'>' | ']'}`
        ? N
        : never
type FlagValue<F> = F extends `${string}${'<' | '['}${string}...${string}`
  ? string[]
  : F extends `${string}<${string}` | `[${string}`
    ? string
    : F extends `${string}[${string}`
      ? string | true
      : true
type ValueOf<F, D> = D extends { parse: Parser<infer T> }
  ? F extends `-${string}[${string}`
    ? T | true
    : T
  : FlagValue<F>
/** Whether a value is always present: with a default, required, or a variadic argument. */
type IsPresent<F, D> = D extends { default: unknown } | { required: true }
  ? true
  : F extends `<${string}` | `[${string}...]`
    ? true
    : false

/** The values of arguments and options by their names in camel case; values not given are absent. */
export type InputValues<D> = {
  [F in keyof D as IsPresent<F, D[F]> extends true ? CamelCase<LongName<F>> : never]: ValueOf<
    F,
    D[F]
  >
} & {
  [F in keyof D as IsPresent<F, D[F]> extends true ? never : CamelCase<LongName<F>>]?: ValueOf<
    F,
    D[F]
  >
}

export interface CommandEntry {
  name: string
  summary: string
  load: () => Promise<{ command: CommandDefinition }>
}

export interface CommandDefinition {
  name: string
  text: string
  arguments?: InputDefinitions
  options?: InputDefinitions
  /** Examples for the help; a test parses each of them. */
  examples: readonly string[]
  commands?: readonly CommandDefinition[]
  /** Runs the command; `entries` are all commands. Absent for a command that only groups others. */
  run?: (inputs: never, entries: readonly CommandEntry[]) => Promise<void>
}

/** Returns the definition, with `run` typed by the arguments and options. */
export const defineCommand = <const A extends InputDefinitions, const O extends InputDefinitions>(
  definition: Omit<CommandDefinition, 'arguments' | 'options' | 'run'> & {
    arguments?: A
    options?: O
    run: (
      inputs: InputValues<A> & InputValues<O>,
      entries: readonly CommandEntry[],
    ) => Promise<void>
  },
): CommandDefinition => definition

/** Returns the command as commander has it. */
export function buildCommand(
  definition: CommandDefinition,
  entries: readonly CommandEntry[],
): Command {
  const { name, text, examples, commands = [], run } = definition
  const command = new Command(name).description(text)
  for (const [form, input] of Object.entries(definition.arguments ?? {}))
    command.addArgument(buildInput(new Argument(form, textOf(input)), input, { flag: form }))
  for (const [flags, input] of Object.entries(definition.options ?? {}))
    command.addOption(buildOption(command, flags, input))
  for (const inner of commands) command.addCommand(buildCommand(inner, entries))
  command.addHelpText('after', examplesText(examples))
  if (!run) return command
  return command.action(async () => {
    const given = command.registeredArguments.flatMap((argument, i) => {
      const value = command.processedArgs[i] as unknown
      return value === undefined ? [] : [[argument.name(), value]]
    })
    await run(Object.assign(command.opts(), Object.fromEntries(given)) as never, entries)
  })
}

const textOf = (input: string | InputDefinition): string =>
  typeof input === 'string' ? input : input.text

function buildOption(command: Command, flags: string, input: string | InputDefinition): Option {
  const option = new Option(flags, textOf(input))
  if (typeof input === 'string') return option
  if (input.env !== undefined) option.env(input.env)
  option.makeOptionMandatory(input.required ?? false)
  // A default value does not count as an earlier value.
  const isDefault = (): boolean =>
    command.getOptionValueSource(option.attributeName()) === 'default'
  return buildInput(option, input, { flag: option.long!, isDefault })
}

function buildInput<T extends Option | Argument>(
  made: T,
  input: string | InputDefinition,
  { flag, isDefault = () => true }: { flag: string; isDefault?: () => boolean },
): T {
  if (typeof input === 'string') return made
  if (input.default !== undefined) made.default(input.default)
  const parse = input.parse as Parser<unknown> | undefined
  if (!parse) return made
  const { words } = parse
  made.argParser(
    Object.assign(
      (text: string, before: unknown) => parse(text, flag, isDefault() ? undefined : before),
      { words },
    ),
  )
  return made
}

/** Returns the words that an option or argument accepts, if they are a short list. */
export const choicesOf = ({ parseArg }: Option | Argument): readonly string[] | undefined =>
  (parseArg as { words?: readonly string[] } | undefined)?.words

const examplesText = (examples: readonly string[]): string =>
  `\n${examples.length > 1 ? 'Examples' : 'Example'}:\n${examples.map(line => `  ${line}`).join('\n')}`

/** Returns the values of some names; a name without a value stays absent. */
export const pick = <T extends object, K extends keyof T>(
  values: T,
  names: readonly K[],
): Pick<T, K> =>
  Object.fromEntries(
    names.flatMap(name => (values[name] === undefined ? [] : [[name, values[name]]])),
  ) as Pick<T, K>
