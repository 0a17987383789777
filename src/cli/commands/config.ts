import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { extname, join, resolve } from 'node:path'
import { type Command, type Option } from 'commander'
import { type ConfigFile, type ConfigValue } from '../../lib/config.ts'
import { firstLine, inputError, unknownNameError } from '../../lib/errors.ts'
import { findLeaf } from './program.ts'

const configFileNames = ['ts', 'js', 'mjs', 'json', 'yaml', 'yml'].map(
  ending => `geogap.config.${ending}`,
)

/**
 * The words of a command line, with what the config file says about options that they leave out. The file is that of
 * `--config`, or the first of `geogap.config.ts`, `.js`, `.mjs`, `.json`, `.yaml`, `.yml` in `folder`.
 * Errors: bad-config, unknown-command, unknown-option.
 */
export async function withConfig(
  root: Command,
  words: readonly string[],
  folder = process.cwd(),
): Promise<string[]> {
  const { command, path, rest } = findLeaf(root, words)
  const file = findConfigFile(words, folder)
  if (file === undefined) return [...words]
  const { [path]: section } = await readConfig(file)
  const added = Object.entries(section ?? {}).flatMap(([key, value]) => {
    const option = optionOf(command, key, `${path} in ${file}`)
    return isGiven(option, rest) ? [] : optionWords(option, value, `${path}.${key} in ${file}`)
  })
  const end = words.indexOf('--')
  return end === -1 ? [...words, ...added] : [...words.slice(0, end), ...added, ...words.slice(end)]
}

function findConfigFile(words: readonly string[], folder: string): string | undefined {
  const at = words.findIndex(word => word === '--config' || word.startsWith('--config='))
  const named = words[at]?.startsWith('--config=')
    ? words[at].slice('--config='.length)
    : words[at + 1]
  if (at === -1 || named === undefined)
    return configFileNames.map(name => join(folder, name)).find(existsSync)
  if (existsSync(named)) return resolve(named)
  throw inputError('bad-config', `no such config file: ${named}`)
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

/** A short option's value may touch it, and `--json` is a word for `--format json`. */
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
