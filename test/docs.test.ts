import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { groups } from '../docs/.vitepress/pages.ts'
import { describe, expect, it } from 'vitest'
import {
  callsIn,
  codeBlocks,
  commandsOf,
  pages,
  parseOnly,
  unknownOptions,
} from '../scripts/commandLines.ts'
import { errorCodes } from '../scripts/errorCodes.ts'
import { proseFaults } from '../scripts/prose.ts'
import { glossaryFile, glossaryPage } from '../scripts/glossaryDocs.ts'
import { modelPage, page } from '../scripts/modelDocs.ts'
import { commands } from '../src/cli/commands/index.ts'
import { buildProgram } from '../src/cli/commands/program.ts'
import { benchmarks } from '../src/datasets/benchmarks/index.ts'

const read = (file: string | URL): string => readFileSync(file, 'utf8')

it('docs/reference/models.md is what the catalogue says; npm run docs:models draws it anew', () => {
  expect(read(page)).toBe(modelPage())
})

it('docs/glossary.md has every exported type with its docstring; npm run docs:glossary writes it', () => {
  expect(read(glossaryFile)).toBe(glossaryPage())
  expect(read(glossaryFile)).not.toContain('|  |')
})

it('no two files export types of one name', () => {
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter(name => /\.tsx?$/.test(name))
    .flatMap(name => [...read(`src/${name}`).matchAll(/^export (?:interface|type) (\w+)/gm)])
    .map(([, name]) => name!)
  expect(names.length).toBeGreaterThan(300)
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([])
})

it('the sidebar lists every page once', () => {
  const flat = (items: readonly object[]): string[] =>
    items.flatMap(item => [
      ...('link' in item ? [String(item.link)] : []),
      ...('items' in item ? flat(item.items as object[]) : []),
    ])
  const files = pages().flatMap(name => /^docs(\/.+)\.md$/.exec(name)?.[1] ?? [])
  const listed = flat(groups).filter(link => !link.startsWith('/api/'))
  expect(listed.toSorted()).toEqual(files.filter(name => name !== '/index').toSorted())
})

describe('commands of the pages', async () => {
  const root = await buildProgram(commands)
  /** `docs/reference/commands.md` describes these once for all commands. */
  const common = ['--json', '--quiet', '--wide', '--config', '--debug']

  it.each(pages())('%s names commands and options that exist', async name => {
    for (const { text, synopsis } of commandsOf(name)) {
      if (synopsis) expect(unknownOptions(root, text), text).toEqual([])
      else for (const words of callsIn(text)) await parseOnly(root, words)
    }
  })

  it.each(root.commands)('the pages of commands name every option of geogap $_name', command => {
    const name = command.name()
    const sections = pages()
      .filter(page => page.startsWith('docs/reference/commands/'))
      .flatMap(page => read(page).split(/^## /m))
      .filter(section => section.includes(`geogap ${name} `))
      .join('\n')
    const options = command.options
      .map(({ long, short }) => (short === '-o' ? short : long!))
      .filter(option => !common.includes(option))
    expect(options.filter(option => !sections.includes(option))).toEqual([])
  })

  it('every command has a place in docs/reference/commands.md', () => {
    const known = root.commands.map(command => command.name())
    expect(
      known.filter(name => !read('docs/reference/commands.md').includes(`geogap ${name}`)),
    ).toEqual([])
  })
})

it.each(benchmarks)('the page of $name states its terms and source', ({ name, terms, source }) => {
  expect(read(`docs/reference/datasets/${name}.md`)).toContain(terms)
  expect(read(`docs/reference/datasets/${name}.md`)).toContain(source)
})

it('the code in adding.md stands like that in the sources', () => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => read(`src/${name}`))
    .join('\n')
  const blocks = [...read('docs/developers/adding.md').matchAll(/```ts\n([^]*?)\n```/g)].map(
    match => match[1]!,
  )
  expect(blocks.length).toBeGreaterThan(3)
  for (const block of blocks) expect(sources).toContain(block)
})

it('docs/troubleshooting.md explains every error code, and no code that no error has', () => {
  const rows = [...read('docs/troubleshooting.md').matchAll(/^\| (`[^|]+`) \|/gm)].flatMap(
    ([, cell]) => [...cell!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!),
  )
  const codes = errorCodes()
  expect(codes.filter(code => !rows.includes(code))).toEqual([])
  expect(rows.filter((code, i) => rows.indexOf(code) < i)).toEqual([])
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => read(`src/${name}`))
    .join('\n')
  const isThrown = (code: string) => codes.includes(code) || sources.includes(`'${code}'`)
  // A value of a column is unknown by the name of the column.
  const byColumn = ['unknown-region', 'unknown-country']
  expect(rows.filter(code => !isThrown(code) && !byColumn.includes(code))).toEqual([])
})

it.each(pages())('%s is spelled, and its sentences are short where they have to be', async name => {
  expect(await proseFaults(name)).toEqual([])
})

it('the check of sentences finds long ones, wrong words, repeated ones and articles', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'geogap-prose-'))
  const page = join(folder, 'page.md')
  const long = `It ${'and it '.repeat(13)}ends`
  writeFileSync(
    page,
    `# An ilustration\n\nThe the code is a example.\n\n- ${long}.\n\n\`\`\`sh\nteh\n\`\`\`\n`,
  )
  const faults = await proseFaults(page, { plain: true })
  rmSync(folder, { recursive: true })
  expect(faults.map(fault => fault.replace(/:.*/, ''))).toEqual([
    expect.stringContaining('Unexpected unknown word `ilustration`'),
    'Unexpected repeated `the`, remove one occurrence',
    'Unexpected article `a` before `example`, expected `an`',
    '28 words where 25 are allowed',
  ])
})

it.each(pages())('every code block of %s has a language', name => {
  expect(codeBlocks(name).filter(({ language }) => language === '')).toEqual([])
  const inside = new Set(
    codeBlocks(name).flatMap(({ line, lines }) => lines.map((_, i) => line + i)),
  )
  const indented = read(name)
    .replace(/^---\n[^]*?\n---\n/, head => '\n'.repeat(head.split('\n').length - 1))
    .split('\n')
    .filter((text, i) => /^ {4}/.test(text) && !inside.has(i + 1))
  expect(indented, 'code is fenced, not indented').toEqual([])
})

it.each(pages())('the links of %s lead to pages and headings that exist', name => {
  for (const [, target] of read(name).matchAll(/\]\(([^)\s]+)\)/g)) {
    // `npm run docs:build` writes the schema of config files.
    if (/^([a-z]+:|\/)|config-1\.json$/.test(target!)) continue
    const [file, anchor] = target!.split('#')
    const path = file === '' ? name : join(dirname(name), file!)
    expect(existsSync(path), `${target} of ${name}`).toBe(true)
    if (anchor) expect(anchors(read(path)), `${target} of ${name}`).toContain(anchor)
  }
})

/** The anchors of a page's headings, as VitePress makes them. */
const anchors = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .replaceAll(/[^\p{L}\p{N}]+/gu, '-')
      .replaceAll(/^-+|-+$/g, '')
      .toLowerCase(),
  )

it('examples have less than 40 lines', () => {
  for (const name of readdirSync('examples'))
    expect(read(`examples/${name}`).split('\n').length, name).toBeLessThan(41)
})
