import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { type Command, type Option } from 'commander'
import { type ConfigFile, type ConfigValue } from '../../lib/config.ts'
import { firstLine, type GeogapError, inputError, unknownNameError } from '../../lib/errors.ts'
import { isInside } from '../../lib/files.ts'
import { ownValue } from '../../lib/ownValue.ts'
import { findLeaf } from './program.ts'

const dataConfigNames = ['json', 'yaml', 'yml'].map(ending => `geogap.config.${ending}`)
const codeConfigNames = ['ts', 'js', 'mjs', 'cjs', 'mts', 'cts'].map(
  ending => `geogap.config.${ending}`,
)

/** Options that run code, or choose addresses and what is served. A config that was found, not named, may not set them. */
const trustedOptions = new Set(['plugin', 'queue', 'allow', 'host', 'images'])

/** Options that name output files. A config that was found may name places below its folder only. */
const writingOptions = new Set(['out', 'output', 'junit', 'flips', 'figure'])

/**
 * Adds the options of the config file to a command line that does not give them. The file is that of
 * `--config`, or the first of `geogap.config.json`, `.yaml`, `.yml` in `folder`. A file that was found, not named, is
 * untrusted: it is never run, names no code or address, and writes nothing outside of its folder.
 * Errors: bad-config, untrusted-config, unknown-command, unknown-option.
 */
export async function withConfig(
  root: Command,
  words: readonly string[],
  folder = process.cwd(),
): Promise<string[]> {
  const { command, path, rest } = findLeaf(root, words)
  const named = namedConfigFile(words)
  const file = named ?? findConfigFile(folder)
  if (file === undefined) return [...words]
  const section = ownValue(await readConfig(file), path)
  const added = Object.entries(section ?? {}).flatMap(([key, value]) => {
    const option = optionOf(command, key, `${path} in ${file}`)
    if (isGiven(option, rest)) return []
    if (named === undefined) checkUntrusted({ command, option, value }, file)
    return optionWords(option, value, `${path}.${key} in ${file}`)
  })
  const end = words.indexOf('--')
  return end === -1 ? [...words, ...added] : [...words.slice(0, end), ...added, ...words.slice(end)]
}

function namedConfigFile(words: readonly string[]): string | undefined {
  const at = words.findIndex(word => word === '--config' || word.startsWith('--config='))
  const named = words[at]?.startsWith('--config=')
    ? words[at].slice('--config='.length)
    : words[at + 1]
  if (at === -1 || named === undefined) return undefined
  if (existsSync(named)) return resolve(named)
  throw inputError('bad-config', `no such config file: ${named}`)
}

function findConfigFile(folder: string): string | undefined {
  const find = (names: readonly string[]): string | undefined =>
    names.map(name => join(folder, name)).find(existsSync)
  const code = find(codeConfigNames)
  if (code !== undefined)
    throw inputError(
      'untrusted-config',
      `${code} is a program, which is run only where it is named: pass --config ${basename(code)} if you trust it, or use a .json or .yaml file`,
    )
  return find(dataConfigNames)
}

interface ConfiguredOption {
  command: Command
  option: Option
  value: ConfigValue
}

/** Errors: untrusted-config. */
function checkUntrusted({ command, option, value }: ConfiguredOption, file: string): void {
  const name = option.attributeName()
  const refuse = (why: string): GeogapError =>
    inputError(
      'untrusted-config',
      `${file} sets ${option.long!}, ${why}: give ${option.long!} on the command line, or pass --config ${basename(file)} if you trust the file`,
    )
  if (trustedOptions.has(name))
    throw refuse('which a config that is found in the folder, not named, may not')
  const places = [value].flat().filter(place => typeof place === 'string')
  // `fetch` writes what it downloads to its data folder, which other commands read.
  const isWritten = writingOptions.has(name) || (name === 'data' && command.name() === 'fetch')
  if (isWritten && !places.every(place => isInside(place, dirname(file))))
    throw refuse('a place outside of its folder')
}

/** Errors: bad-config. */
async function readConfig(file: string): Promise<ConfigFile> {
  const content = await readContent(file).catch((error: unknown) => {
    const reason = firstLine(error)
    throw inputError('bad-config', `cannot read ${file}: ${reason}`)
  })
  const sections: unknown[] = isRecord(content) ? Object.values(content) : [content]
  if (sections.every(isRecord)) return content as ConfigFile
  throw inputError('bad-config', `${file}: expected an object of options for each command`)
}

async function readContent(file: string): Promise<unknown> {
  if (!(await stat(file)).isFile()) throw new Error('it is no file')
  const ending = extname(file)
  if (ending === '.json') return JSON.parse(await readFile(file, 'utf8'))
  if (ending === '.yaml' || ending === '.yml')
    return (await import('yaml')).parse(await readFile(file, 'utf8'))
  const { createJiti } = await import('jiti')
  return createJiti(import.meta.url, { fsCache: false }).import(file, { default: true })
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function optionOf(command: Command, key: string, where: string): Option {
  const option = command.options.find(
    each => each.attributeName() === key || each.long === `--${key}`,
  )
  if (option) return option
  throw unknownNameError(
    `option of ${where}`,
    key,
    command.options.map(each => each.attributeName()),
  )
}

/** The value of a short option may follow without a space, and `--json` stands for `--format json`. */
const isGiven = ({ short, long }: Option, words: readonly string[]): boolean =>
  words.some(
    word =>
      word === long ||
      word.startsWith(`${long!}=`) ||
      (short !== undefined && !word.startsWith('--') && word.startsWith(short)) ||
      (long === '--format' && word === '--json'),
  )

function optionWords(option: Option, value: ConfigValue, where: string): string[] {
  const flag = option.long!
  if (typeof value === 'boolean' && !option.required) return value ? [flag] : []
  if (Array.isArray(value) && option.variadic) return [flag, ...value.map(String)]
  const takesValue = option.required || option.optional
  if (Array.isArray(value) && takesValue) return [flag, value.join(',')]
  if ((typeof value === 'string' || typeof value === 'number') && takesValue)
    return [flag, String(value)]
  throw inputError(
    'bad-config',
    `${where} is ${JSON.stringify(value)}; ${option.flags} is what the command takes`,
  )
}
