import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { type LanguageTexts, languageTexts } from '../../datasets/labels/languages.ts'
import { inputError, unknownNameError } from '../../lib/errors.ts'
import { parseJson } from '../../lib/archive/json.ts'
import { orIfMissing } from '../../lib/files.ts'
import { type DualEncoder } from '../families/family.ts'

/** Template lists by name, with their sources. */
const templateLists = JSON.parse(
  readFileSync(new URL('./englishTemplates.json', import.meta.url), 'utf8'),
) as Readonly<Record<string, { source: string; templates: readonly string[] }>>

export const promptNames: readonly string[] = ['paper', ...Object.keys(templateLists)]

/**
 * Returns prompt templates: `paper` (the model's own in the paper's evaluation), `openai`, `simple`, or those of a file, a
 * JSON list or one template a line. `{}` or `{c}` stands for the class name.
 * @throws GeogapError `unknown-prompts`, `bad-prompts`
 */
export async function promptTemplates(
  prompts: string,
  { prompt }: Pick<DualEncoder, 'prompt'>,
): Promise<readonly string[]> {
  if (prompts === 'paper') return [prompt]
  if (Object.hasOwn(templateLists, prompts)) return templateLists[prompts]!.templates
  const text = await orIfMissing(readFile(prompts, 'utf8'), undefined)
  if (text === undefined) throw unknownNameError('prompts', prompts, promptNames)
  const templates = parseTemplates(prompts, text)
  const without = templates.find(template => !classPlaceholder.test(template))
  if (templates.length === 0 || without !== undefined) {
    const what =
      without === undefined
        ? 'it has no templates'
        : `no {} in the template ${JSON.stringify(without)}`
    throw inputError('bad-prompts', `cannot use the prompts ${prompts}: ${what}`)
  }
  return templates
}

/** Prompts in a language: `lang:sw` with the shipped names, or `lang:sw:FILE` with the user's own. */
export interface LanguagePrompts {
  language: string
  file?: string | undefined
}

/** Returns the language that prompts name; undefined for other prompts. */
export function parseLanguagePrompts(prompts: string): LanguagePrompts | undefined {
  const [, language, file] = /^lang:([a-z]{2,3})(?::(.+))?$/.exec(prompts) ?? []
  return language === undefined ? undefined : { language, file }
}

/** Returns the name of prompts in a language, which `parseLanguagePrompts` takes. */
export const languagePromptsName = ({ language, file }: LanguagePrompts): string =>
  file === undefined ? `lang:${language}` : `lang:${language}:${file}`

/**
 * Returns the templates of prompts and the class names that go into them, in the language that the prompts name; other prompts
 * leave the class names unchanged.
 * @throws GeogapError those of `promptTemplates` and `languageTexts`
 */
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

const classPlaceholder = /\{c?\}/

function parseTemplates(file: string, text: string): string[] {
  if (!text.trimStart().startsWith('['))
    return text
      .replace(/^\ufeff/, '')
      .split(/\r?\n/)
      .filter(line => line.trim() !== '')
  const list = parseJson(text)
  if (Array.isArray(list)) return list.map(String)
  throw inputError(
    'bad-prompts',
    `cannot use the prompts ${file}: it starts like a JSON list but is not one`,
  )
}

/** Returns a class name as a text has it: `hand soap` for a folder called `hand_soap`. */
export const classText = (name: string): string => name.replaceAll('_', ' ').trim()

/** Returns the template with the class name in it. */
export const fillTemplate = (template: string, name: string): string =>
  template.replaceAll(/\{c?\}/g, () => classText(name))
