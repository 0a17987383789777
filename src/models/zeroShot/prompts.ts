import { basename } from 'node:path'
import {
  classPlaceholder,
  languageCode,
  type LanguageTexts,
  languageTexts,
} from '../../datasets/labels/languages.ts'
import { type GeogapError, inputError } from '../../lib/errors.ts'
import { parseJson, readJson } from '../../lib/archive/json.ts'
import { readStoredFile } from '../../lib/files.ts'
import { type DualEncoder } from '../families/family.ts'
import { defaultPrompts } from '../promptedName.ts'

/** Template lists by name, with their sources. */
const templateLists = readJson(new URL('./englishTemplates.json', import.meta.url)) as Readonly<
  Record<string, { source: string; templates: readonly string[] }>
>

export const promptNames: readonly string[] = [defaultPrompts, ...Object.keys(templateLists)]

/**
 * Returns prompt templates by name, of a file, or the one given; `{}` or `{c}` stands for the class name.
 * @throws GeogapError `unknown-prompts`, `bad-prompts`
 */
export async function promptTemplates(
  prompts: string,
  { prompt }: Pick<DualEncoder, 'prompt'>,
): Promise<readonly string[]> {
  if (prompts === defaultPrompts) return [prompt]
  if (Object.hasOwn(templateLists, prompts)) return templateLists[prompts]!.templates
  const text = (await readStoredFile(prompts))?.toString('utf8')
  if (text === undefined && classPlaceholder.test(prompts)) return [prompts]
  if (text === undefined)
    throw inputError(
      'unknown-prompts',
      `unknown prompts: ${prompts}; there are ${promptNames.join(', ')}, lang:CODE, a file of templates, or one template with {} for the name`,
    )
  if (/[\0\ufffd]/.test(text)) throw badPrompts(prompts, 'it is not UTF-8; save it as UTF-8')
  const templates = parseTemplates(prompts, text)
  if (templates.length === 0) throw badPrompts(prompts, 'it has no templates')
  const without = templates.find(template => !classPlaceholder.test(template))
  if (without !== undefined)
    throw badPrompts(prompts, `no {} in the template ${JSON.stringify(without)}`)
  return templates
}

const badPrompts = (prompts: string, what: string): GeogapError =>
  inputError('bad-prompts', `cannot use the prompts ${prompts}: ${what}`)

/** Prompts in a language: `lang:sw` with the shipped names, or `lang:sw:FILE` with the user's own. */
export interface LanguagePrompts {
  language: string
  file?: string | undefined
}

/** Returns the language that prompts name; undefined for other prompts. */
export function parseLanguagePrompts(prompts: string): LanguagePrompts | undefined {
  const [, written, file] = /^lang:([^:]*)(?::(.+))?$/is.exec(prompts) ?? []
  return written === undefined ? undefined : { language: languageCode(written) ?? written, file }
}

/** Returns the name of prompts in a language, which `parseLanguagePrompts` takes. */
export const languagePromptsName = ({ language, file }: LanguagePrompts): string =>
  file === undefined ? `lang:${language}` : `lang:${language}:${file}`

/** Returns a model's name in results with these prompts, `clip:RN50/openai (prompts lang:sw)`; files have no folder. */
export function promptedName(model: string, prompts: string): string {
  if (prompts === defaultPrompts) return model
  const { language, file = language ? undefined : prompts } = parseLanguagePrompts(prompts) ?? {}
  const short = file && !classPlaceholder.test(file) ? basename(file) : file
  return `${model} (prompts ${language ? languagePromptsName({ language, file: short }) : short})`
}

/** Returns the templates and the class names of prompts. @throws GeogapError those of `promptTemplates` and `languageTexts` */
export async function promptTexts(
  prompts: string,
  encoder: Pick<DualEncoder, 'prompt'>,
  classNames: readonly string[],
): Promise<LanguageTexts> {
  const named = parseLanguagePrompts(prompts)
  return named
    ? languageTexts(named.language, classNames, named.file)
    : { templates: await promptTemplates(prompts, encoder), classNames }
}

/** A line that is quoted, or part of a list in YAML, JSON or Python. */
const codeLine = /^\s*(- |lambda\b|\{"|f?(["']).*\2,?\s*$)/

function parseTemplates(file: string, text: string): string[] {
  if (!text.trimStart().startsWith('[')) {
    const lines = text
      .replace(/^\ufeff/, '')
      .split(/\r?\n/)
      .filter(line => line.trim() !== '')
    const code = lines.find(line => codeLine.test(line))
    if (code === undefined) return lines
    throw badPrompts(
      file,
      `a template in quotes or code: ${code.trim()}; write it bare, one a line`,
    )
  }
  const list = parseJson(text)
  if (Array.isArray(list)) return list.map(String)
  throw badPrompts(file, 'it starts like a JSON list but is not one')
}

/** Returns a class name as a text has it: `hand soap` for a folder called `hand_soap`. */
export const classText = (name: string): string => name.replaceAll('_', ' ').trim()

/** Returns the template with the class name in it. */
export const fillTemplate = (template: string, name: string): string =>
  template.replaceAll(/\{c?\}/g, () => classText(name))
