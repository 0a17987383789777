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

/** Every line of a page's code blocks that calls a program; continued lines are joined. */
export function commandsOf(page: string): PageCommand[] {
  const found: PageCommand[] = []
  let fence = ''
  let open = false
  for (const line of readFileSync(page, 'utf8').split('\n')) {
    const mark = /^```(\w*)/.exec(line)
    if (mark) [fence, open] = [fence === '' ? mark[1] || 'text' : '', false]
    else if (/^ {6,}[[(-]/.test(line) && open && fence === '')
      found.at(-1)!.text += ` ${line.trim()}`
    else if (
      (open = fence === 'sh' || (fence === '' && /^ {4}geogap /.test(line))) &&
      line.trim() !== ''
    ) {
      const text = line.trim()
      found.push({ page, text, synopsis: fence === '' && /[[|…]|\b[A-Z]{3,}\b/.test(text) })
    }
  }
  return found.map(each => ({
    ...each,
    synopsis: each.synopsis || (/\[--|…/.test(each.text) && !/'/.test(each.text)),
  }))
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
