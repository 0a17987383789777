/** Names from data sets, files and models are text wherever they are shown, whatever they hold. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeFigures, wideWidthPx } from '../../src/report/figures/index.ts'
import { renderSvg } from '../../src/report/figures/render.ts'
import { runView } from '../../src/analysis/runView.ts'
import { createTable } from '../../src/lib/table/table.ts'
import { reportPage } from '../../src/report/page/reportPage.ts'
import { writeTables } from '../../src/lib/table/writeTables.ts'
import { groupAccuracyTable } from '../../src/report/tables/accuracyTables.ts'
import { formatTable } from '../../src/lib/table/formats.ts'
import { madeUpRun } from './figures/world.ts'

const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/

const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  ']]></style><svg onload=alert(1)>',
  '\u001b]0;title\u0007\u001b[2J\u001b[31mred',
  'abc\rdef\u0008\u202egnp.exe',
  '=HYPERLINK("http://x","y")',
  '+1+1',
  '-2+3',
  '@SUM(A1)',
  '\t=1+1',
  '\n=1+1',
  ' =1+1',
  '＝1+1',
  '\\input{/etc/passwd}',
  '\\write18{ls} $x$ #1 50% {a}_b^c ~ &',
  'a,b"c\nd',
  '| a | `b` [c](http://x) **d**',
]
const name = fc.oneof(
  fc.constantFrom(...hostile),
  fc
    .array(
      fc.constantFrom(...Array.from('=+-@<>&"\'\\{}$%#_^~|,;\t\r\n\u001b\u202e\u009b`[]* ab')),
      { maxLength: 12 },
    )
    .map(all => all.join('')),
)
const column = [
  { name: 'a', heading: 'a', value: (row: { a: string }) => row.a },
  { name: 'b', heading: 'b', value: () => 1 },
]
const table = (a: string, format: 'text' | 'markdown' | 'csv' | 'latex'): string =>
  formatTable(column, [{ a }], format)

describe('a name in a table', () => {
  it('cannot steer a terminal', () => {
    fc.assert(
      fc.property(name, a => {
        expect(table(a, 'text')).not.toMatch(control)
      }),
    )
  })

  it('cannot from its title, a note or a heading either', async () => {
    const evil = '\u001b[2Jred\n\\input{x}'
    const table = createTable(
      { name: 'a', title: evil, notes: [evil] },
      [{ ...column[0]!, heading: evil }],
      [{ a: 'a' }],
    )
    const file = join(await mkdtemp(join(tmpdir(), 'geogap-names-')), 'table')
    for (const format of ['text', 'markdown', 'latex'] as const) {
      await writeTables([table], format, file)
      const text = await readFile(file, 'utf8')
      expect(text).not.toMatch(control)
      expect(text.split('\n').filter(line => line.startsWith('\\input'))).toEqual([])
    }
    await rm(dirname(file), { recursive: true })
  })

  it('may be one of very many', () => {
    const rows = Array.from({ length: 200_000 }, () => ({ a: 'a' }))
    expect(formatTable(column, rows, 'text').split('\n')).toHaveLength(rows.length + 3)
  })

  it('is one cell of CSV and no formula', () => {
    const property = fc.property(name, a => {
      const cells = parseCsv(table(a, 'csv'))
      expect(cells.slice(0, 3)).toEqual(['a', 'b', cells[2]])
      expect(cells).toHaveLength(4)
      expect(cells[2]).not.toMatch(/^[\s]*[=+\-@＝＋－＠]/)
      expect([a, `'${a}`]).toContain(cells[2])
    })
    fc.assert(property)
  })

  it('is one cell of LaTeX without a command of its own', () => {
    const property = fc.property(name, a => {
      const row = table(a, 'latex').split('\n')[4]!
      expect(row).toMatch(/ & 1 \\\\$/)
      const rest = row
        .replace(/ & 1 \\\\$/, '')
        .replace(
          /\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[&%$#_{}]|\$-\$|\$\\times\$/g,
          '',
        )
      expect(rest).not.toMatch(/[\\&%$#_{}~^]/)
      expect(row).not.toMatch(control)
    })
    fc.assert(property)
  })

  it('is one cell of Markdown without markup', () => {
    const property = fc.property(name, a => {
      const [, , row] = table(a, 'markdown').split('\n')
      expect(row!.replace(/\\[\\|<>*_`[\]]/g, '')).toMatch(/^\| [^|<>*_`[\]]* \| +1 \|$/)
    })
    fc.assert(property)
  })
})

describe('hostile names of models, regions, classes and countries', () => {
  const small = { models: 3, standard: ['imagenet-1k'], geographic: ['geode'] }
  let usual: number
  beforeAll(async () => {
    usual = (await reportPage(runView(madeUpRun(small)), [])).split('<script>').length
  })

  it.each([
    `${hostile[1]!}${hostile[3]!}half \ud83d of one`,
    `${hostile[4]!}${hostile[5]!}${hostile[10]!}`,
  ])('%j: are text in the report, in figures and on the terminal', async evil => {
    const run = madeUpRun({ ...small, rename: one => `${one}${evil}` })
    const page = await reportPage(runView(run), [])
    expectText(page, usual)
    for (const kind of ['regions', 'disparity']) {
      const [figure] = makeFigures(run, kind)
      expectText(await renderSvg(figure!.spec(wideWidthPx)), 1)
    }
    expect(groupAccuracyTable(run, ['region']).text('text')).not.toMatch(control)
  })
})

function expectText(page: string, scripts: number): void {
  expect(page.split('<script>')).toHaveLength(scripts)
  expect(page).not.toMatch(/<img|<svg onload/)
  expect(page.replace(/"[^"]*"/g, '""')).not.toMatch(/<[^>]* on(error|load|mouseover)=/)
  expect(page.replace(/[\n\t]/g, '')).not.toMatch(control)
}

/** The cells of a CSV text, line after line. */
function parseCsv(text: string): string[] {
  const cells: string[] = []
  for (const [, quoted, plain] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,\n"]*))(?:,|\n)/g))
    cells.push(quoted === undefined ? plain! : quoted.replaceAll('""', '"'))
  return cells
}
