/** Reads the commands in the pages, and checks them against the tree of commands that there is. */
import { type Command } from 'commander'
import { readdirSync, readFileSync } from 'node:fs'
import { findLeaf } from '../src/cli/commands/program.ts'

export interface PageCommand {
  page: string
  /** As the page has it, on one line. */
  text: string
  /** A form with placeholders, of which only the command and the options' names can be checked. */
  synopsis: boolean
}

/** README.md, CONTRIBUTING.md and every page below docs/. */
export const pages = (): string[] => [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md') && !/^(api|\.vitepress)\//.test(name))
    .map(name => `docs/${name}`)
    .sort(),
]

/** A code block of a page: its language and its lines. */
export interface CodeBlock {
  /** The number of its first line, from 1. */
  line: number
  language: string
  /** The name in brackets after the language, such as `json [model.json]`. */
  file: string | null
  lines: readonly string[]
}

/** The code blocks of a page in their order, indented ones of lists included. */
export function codeBlocks(page: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  let open: { indent: string; lines: string[] } | null = null
  for (const [i, line] of readFileSync(page, 'utf8').split('\n').entries()) {
    const [, indent = '', language = '', file = null] =
      /^( *)```(\S*)(?: \[(.+)\])?/.exec(line) ?? []
    if (open && line === `${open.indent}\`\`\``) open = null
    else if (open) open.lines.push(line.slice(open.indent.length))
    else if (/^ *```/.test(line)) {
      open = { indent, lines: [] }
      blocks.push({ line: i + 2, language, file, lines: open.lines })
    }
  }
  return blocks
}

/**
 * Every command of a page: the lines of its `sh` blocks, and the forms that a `text` block begins with `geogap`, whose
 * indented lines continue the form above them.
 */
export function commandsOf(page: string): PageCommand[] {
  return codeBlocks(page).flatMap(({ language, lines }) => {
    const isForm = language === 'text' && lines[0]!.startsWith('geogap ')
    if (language !== 'sh' && !isForm) return []
    const whole = lines.join('\n').replaceAll(isForm ? /\n +/g : /\\\n */g, ' ')
    return whole
      .split('\n')
      .filter(text => text.trim() !== '')
      .map(text => ({ page, text: text.trim(), synopsis: isForm || /\[--|…/.test(text) }))
  })
}

/** The words of each `geogap` call in a shell line: quotes, comments, pipes, `&&`, redirections and NAME=value in front. */
export function callsIn(line: string): string[][] {
  const parts =
    line.match(
      /'[^']*'|"[^"]*"|#.*$|&&|\|\||[|;>]|[^\s|;>&'"]+(?:'[^']*'|"[^"]*"|[^\s|;>&'"])*/g,
    ) ?? []
  const calls: string[][] = [[]]
  let skip = false
  for (const part of parts) {
    if (part.startsWith('#')) break
    if (/^(&&|\|\||\||;)$/.test(part)) calls.push([])
    else if (part === '>') skip = true
    else if (skip) skip = false
    else if (!(calls.at(-1)!.length === 0 && /^[A-Z_]+=/.test(part)))
      calls.at(-1)!.push(part.replace(/'([^']*)'|"([^"]*)"/g, '$1$2'))
  }
  return calls.flatMap(([first, second, ...rest]) =>
    first === 'geogap'
      ? [[second!, ...rest]]
      : first === 'npx' && second === 'geogap'
        ? [rest]
        : [],
  )
}

/** Parses the words with the real commands, which then do nothing. @throws GeogapError as the command line does */
export async function parseOnly(root: Command, words: readonly string[]): Promise<void> {
  if (words.some(word => ['--help', '--version', 'help', '-h'].includes(word))) return
  disarm(root)
  await root.parseAsync([...words], { from: 'user' })
}

function disarm(command: Command): void {
  command.action(() => undefined)
  for (const inner of command.commands) disarm(inner)
}

/** The options in a form that its command does not have. */
export function unknownOptions(root: Command, text: string): string[] {
  const words = text.replace(/^geogap /, '').split(/[\s[\]()|]+/)
  const { command, path } = findLeaf(root, words)
  if (path === '') return [words[0]!]
  const known = new Set(command.options.flatMap(({ long, short }) => [long, short]))
  return (text.match(/(?<=[\s[|(])--?[a-z][\w-]*/g) ?? []).filter(option => !known.has(option))
}
