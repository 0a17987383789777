import { type Argument, Option } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { isObjectStoreUrl } from '../../lib/storage/storage.ts'
import { type WorkShare } from '../../evaluate/units.ts'
import { type OutputFormat } from '../../lib/table/write.ts'
import { preprocessingModes } from '../../lib/pixels/steps.ts'
import { type TableFormat, tableFormats } from '../../lib/table/columns.ts'

/** A whole number of at least `least` and at most `most`, from an option's text. */
export const wholeNumber =
  (option: string, least = 1, most = Infinity) =>
  (text: string): number => {
    const value = text.trim() === '' ? NaN : Number(text)
    if (!Number.isInteger(value) || value < least || value > most)
      throw inputError(
        'bad-option',
        `${option} takes a whole number from ${least}${most < Infinity ? ` to ${most}` : ''}, not ${text}`,
      )
    return value
  }

/** A share in 0 … 1, from an option's text. */
export const shareOf =
  (option: string) =>
  (text: string): number => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= 0 && value <= 1))
      throw inputError(
        'bad-option',
        `${option} takes a share from 0 to 1 (0.02 is two points), not ${text}`,
      )
    return value
  }

/** A number above 0, from an option's text. */
export const positive =
  (option: string) =>
  (text: string): number => {
    const value = Number(text)
    if (!(value > 0 && value < Infinity))
      throw inputError('bad-option', `${option} takes a number above 0, not ${text}`)
    return value
  }

/** Percents with commas as rising shares: `5,10,100` as 0.05, 0.1, 1. */
export const percents =
  (option: string) =>
  (text: string): number[] => {
    const values = text.split(',').map(Number)
    const bad = values.find(value => !(value > 0 && value <= 100))
    if (bad !== undefined)
      throw inputError('bad-option', `${option} takes percents such as 5,10,100, not ${text}`)
    return [...new Set(values)].sort((a, b) => a - b).map(value => value / 100)
  }

/** A folder, for what writes to no store. */
export const folder =
  (option: string) =>
  (text: string): string => {
    if (isObjectStoreUrl(text))
      throw inputError('bad-option', `${option} takes a folder, not a store: ${text}`)
    return text
  }

/** One of a few words. */
export const oneOf = <T extends string>(option: string, words: readonly T[]) => {
  const parse = (text: string): T => {
    const found = words.find(word => word === text)
    if (!found) throw inputError('bad-option', `${option} takes ${words.join(', ')}, not ${text}`)
    return found
  }
  return Object.assign(parse, { words })
}

/** The words that an option or argument takes, where `oneOf` reads it. */
export const choicesOf = ({ parseArg }: Option | Argument): readonly string[] | undefined =>
  (parseArg as { words?: readonly string[] } | undefined)?.words

export const preprocessingOption = (use: string): Option =>
  new Option('--preprocessing <mode>', `${preprocessingModes.join(', ')} ${use}`).argParser(
    oneOf('--preprocessing', preprocessingModes),
  )

export const formatOption = (): Option =>
  new Option('--format <format>', 'text, markdown, csv, json or latex')
    .argParser(oneOf<TableFormat>('--format', tableFormats))
    .default('text')

/** Of what is written with sentences: text, Markdown, or all of it as JSON. */
export const textFormatOption = (): Option =>
  new Option('--format <format>', 'text, markdown or json')
    .argParser(oneOf('--format', ['text', 'markdown', 'json']))
    .default('text')

export const labelsOption = (): Option =>
  new Option('--labels <map>', 'label map: original, imagenet or a file')

export const choicesOption = (): Option =>
  new Option('--choices <which>', 'classes that compete: all or mapped').argParser(
    oneOf('--choices', ['all', 'mapped']),
  )

export const classesOption = (): Option =>
  new Option('--classes <file>', "the manifest's own class list, one name a line, or JSON")

export const regionsOption = (): Option =>
  new Option(
    '--regions <scheme>',
    'derive regions from countries: a shipped scheme (continents-1) or a file',
  )

/** `image=photo,label=sku` as an object. */
export function assignments(option: string) {
  return (text: string): Record<string, string> => {
    const pairs = text.split(',').map(pair => pair.split('=').map(part => part.trim()))
    const bad = pairs.find(pair => pair.length !== 2 || pair.includes(''))
    if (bad)
      throw inputError('bad-option', `${option} takes name=column pairs, not ${bad.join('=')}`)
    return Object.fromEntries(pairs) as Record<string, string>
  }
}

/** Collects a repeatable option that also takes lists with commas. */
export const parseList = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  ...text.split(',').filter(part => part !== ''),
]

export const parseOutputFormat = oneOf<OutputFormat>('--format', [...tableFormats, 'parquet'])

/** Without the keys whose value is undefined. */
export const withoutUndefined = <T extends object>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never

/** `3/8`; `auto` is the place in a Slurm array or in a Kubernetes Indexed Job, whose size comes from JOB_COMPLETIONS. */
export function parseShare(text: string, env: NodeJS.ProcessEnv = process.env): WorkShare {
  const share = text === 'auto' ? shareFromEnvironment(env) : text
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(share) ?? []
  const [i, n] = [Number(index), Number(count)]
  if (count === undefined || i < 1 || i > n)
    throw inputError('bad-option', `--part takes i/n with i from 1 to n, or auto, not ${share}`)
  return { index: i, count: n }
}

function shareFromEnvironment(env: NodeJS.ProcessEnv): string {
  const {
    SLURM_ARRAY_TASK_ID: task,
    SLURM_ARRAY_TASK_MIN = '0',
    SLURM_ARRAY_TASK_COUNT: tasks,
  } = env
  if (task !== undefined && tasks !== undefined)
    return `${Number(task) - Number(SLURM_ARRAY_TASK_MIN) + 1}/${tasks}`
  const { JOB_COMPLETION_INDEX: pod, JOB_COMPLETIONS: pods } = env
  if (pod !== undefined && pods !== undefined) return `${Number(pod) + 1}/${pods}`
  throw inputError(
    'no-array',
    '--part auto: neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor JOB_COMPLETION_INDEX and JOB_COMPLETIONS are set',
  )
}

/** Options of what writes results. */
export interface TagOptions {
  tag?: Record<string, string>
}

export const tagOption = (): Option =>
  new Option(
    '--tag <key=value>',
    'name this run for geogap history; repeatable, part of no key',
  ).argParser(parseTags)

/** A comma begins another tag where a name and `=` follow it. */
function parseTags(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const pairs = text.split(/,(?=[\w.-]+=)/).map((tag): [string, string] => {
    const [, name, value] = /^([\w.-]+)=(\S.*)$/.exec(tag.trim()) ?? []
    if (name === undefined || value === undefined)
      throw inputError('bad-option', `--tag takes name=value, such as commit=3fa9c1, not ${tag}`)
    return [name, value]
  })
  return { ...before, ...Object.fromEntries(pairs) }
}

/** Options of an analysis that leaves images out. */
export interface ExcludeOptions {
  exclude?: string
}

export const excludeOption = (): Option =>
  new Option('--exclude <slice>', 'leave out the images that a slice.csv lists')
