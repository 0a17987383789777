import { Option } from 'commander'
import { inputError } from '../../lib/errors.ts'
import { preprocessingModes } from '../../lib/pixels/steps.ts'
import { type TableFormat, tableFormats } from '../../lib/table/columns.ts'
import { oneOf } from './parsers.ts'

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

/** Without the keys whose value is undefined. */
export const withoutUndefined = <T extends object>(
  values: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never

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
