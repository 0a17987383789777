import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemas, writtenSchema } from '../../../scripts/exportSchema.ts'
import { writeOutput } from '../../../src/lib/files.ts'
import { inferDisparities } from '../../../src/analysis/inferDisparities.ts'
import { paperComparison, paperTables } from '../../../src/analysis/paper/index.ts'
import { publishedTable } from '../../../src/analysis/paper/publishedTable.ts'
import { fieldColumns, numericColumns } from '../../../src/lib/table/columns.ts'
import { formatTable } from '../../../src/lib/table/formats.ts'
import { type Table } from '../../../src/lib/table/table.ts'
import { tablesSchema, writeTables } from '../../../src/lib/table/writeTables.ts'
import { groupAccuracyTable, inferenceTable } from '../../../src/report/tables/accuracyTables.ts'
import { openRun } from '../../../src/results/run.ts'
import { query } from '../../../src/lib/sql.ts'
import { geogap } from '../../helpers/cli.ts'
import { evenly, storeRun } from '../../helpers/storedRun.ts'

let dir: string
let out: string

beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'geogap-output-'))
  const groups = (i: number) => ({ region: i < 100 ? 'Europe' : 'Africa' })
  dir = await storeRun([
    { model: 'm', dataset: 'd', correct: [...evenly(100, 0.8), ...evenly(100, 0.5)], groups },
  ])
})
afterAll(async () => {
  for (const folder of [dir, out]) await rm(folder, { recursive: true, force: true })
})

const table = (...args: string[]) => geogap(['table', dir, '--draws', '100', ...args])

describe('geogap table: formats and files', () => {
  it('JSON is what the schema says, and holds accuracy and disparity', async () => {
    const { stdout } = await table('--by', 'region', '--format', 'json')
    const { tables } = tablesSchema.parse(JSON.parse(stdout))
    expect(tables.map(({ name }) => name)).toEqual(['accuracy', 'disparity'])
    expect(tables[1]!.rows[0]).toMatchObject({
      best: 'Europe',
      worst: 'Africa',
      groups: 2,
      unit: 'images',
      warning: null,
    })
    expect(tables[1]!.rows[0]!['p']).toBeLessThan(0.05)
  })

  it('docs/schema is what the code says; npm run docs:schema writes it anew', async () => {
    for (const [name, text] of Object.entries(schemas()))
      expect(await writtenSchema(name), name).toEqual(JSON.parse(text))
  })

  it('a file says its format by its ending; Parquet has typed columns', async () => {
    const file = join(out, 'disparity.parquet')
    expect((await table('--by', 'region', '--disparity', '-o', file)).stdout).toBe(`${file}\n`)
    const rows = await query<{ disparity: number; low: number; best: string }>(
      'SELECT * FROM read_parquet($1)',
      [file],
    )
    expect(rows[0]!.disparity).toBeCloseTo(0.3, 12)
    expect(rows[0]).toMatchObject({ best: 'Europe' })
    await table('-o', join(out, 'accuracy.csv'))
    expect(await readFile(join(out, 'accuracy.csv'), 'utf8')).toMatch(
      /^model,dataset,.*\nm,d,paper,200,0\.65,/,
    )
  })

  it('TSV, JSONL and HTML are what their names say', async () => {
    const written = async (name: string): Promise<string> => {
      await table('-o', join(out, name))
      return readFile(join(out, name), 'utf8')
    }
    expect(await written('a.tsv')).toMatch(/^model\tdataset\t.*\nm\td\tpaper\t200\t0\.65\t/)
    const lines = (await written('a.JSONL')).trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line) as unknown)).toMatchObject([{ model: 'm', n: 200 }])
    await table('--by', 'region', '-o', join(out, 'a.html'))
    const page = await readFile(join(out, 'a.html'), 'utf8')
    expect(page).toMatch(/^<!doctype html>\n<meta charset="utf-8">\n<title>Accuracy by region, /)
    expect(page.match(/<table>/g)).toHaveLength(2)
    expect(page).toContain('<td>Europe</td><td style="text-align:right">100</td>')
  })

  it('hostile text stays text in every format', () => {
    const rows = [{ name: 'a\tb\n"c",<b>&=1', n: null }]
    const columns = [...fieldColumns({ name: 'name' }), ...numericColumns({ n: 'n' })]
    expect(formatTable(columns, rows, 'tsv')).toBe('name\tn\n"a\tb\n""c"",<b>&=1"\t\n')
    expect(JSON.parse(formatTable(columns, rows, 'jsonl'))).toEqual(rows[0])
    expect(formatTable(columns, rows, 'html')).not.toContain('<b>')
  })

  it('a Parquet column has one type whether or not its values are null', async () => {
    const typesOf = async (name: string, values: Table): Promise<unknown> => {
      const file = join(out, `${name}.parquet`)
      await writeTables([values], 'parquet', file)
      return query('SELECT name, type FROM parquet_schema($1) WHERE type IS NOT NULL', [file])
    }
    const run = await openRun(dir)
    const tables = [
      groupAccuracyTable(run, ['region']),
      inferenceTable(await inferDisparities(run, { by: 'region', draws: 100 }), 'region'),
      publishedTable(),
      ...(await Promise.all(paperTables.map(which => paperComparison(run, which)))),
    ]
    for (const one of tables) {
      const emptied = { ...one, values: one.values.map(row => row.map(() => null)) }
      expect([one.name, await typesOf('full', one)]).toEqual([
        one.name,
        await typesOf('empty', emptied),
      ])
      for (const [i, { name, type }] of one.columns.entries()) {
        const others = one.values.filter(row => row[i] !== null && typeof row[i] === 'number')
        if (type === 'text') expect([one.name, name, others]).toEqual([one.name, name, []])
      }
    }
  })

  it.each(['a.xlsx', 'a.ods', 'a.pdf', 'a.html.bak', 'a.constructor', 'results.v2'])(
    'a table does not go to %s under a false name',
    async name => {
      const { code, stderr } = await table('-o', join(out, name))
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(
          /a table takes a file ending in \.csv, \.tsv, \.json, \.jsonl, \.html, \.md, \.tex, \.parquet, \.txt, not/,
        ),
      ])
      await expect(stat(join(out, name))).rejects.toThrow('ENOENT')
      expect((await table('--format', 'csv', '-o', join(out, name))).code).toBe(0)
    },
  )

  it.each([
    ['report', '-o', 'a.pdf'],
    ['report', '--bundle', '-o', 'a.zip'],
    ['pack', '-o', 'a.zip'],
    ['slice', '--wrong', '-o', 'a.xlsx'],
    ['gate', '--junit', 'a.html'],
    ['compare', '--flips', 'a.parquet'],
    ['place', '--figure', 'a.gif'],
    ['figure', 'regions', '-o', 'a.jpg'],
    ['manifest', '-o', 'a.pdf'],
    ['pull', '-o', 'a.json'],
  ])('%s refuses what it does not write: %s %s %s', async (command, ...args) => {
    const { code, stderr } = await geogap([command, dir, ...args])
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/ takes a (file ending in \.|folder)/),
    ])
  })

  it.skipIf(process.platform === 'win32')('a pipe gets the table and stays a pipe', async () => {
    const pipe = join(out, 'pipe.csv')
    execFileSync('mkfifo', [pipe])
    const [text] = await Promise.all([readFile(pipe, 'utf8'), writeOutput(pipe, 'a,b\n')])
    expect(text).toBe('a,b\n')
    expect((await stat(pipe)).isFIFO()).toBe(true)
  })

  it('published numbers say that they are, with their sources', async () => {
    const { stdout } = await geogap(['table', 'published', '--format', 'json', '--draws', '200'])
    const { tables } = tablesSchema.parse(JSON.parse(stdout))
    const { rows, notes } = tables[0]!
    const sketch = rows.find(
      row => row['row'] === 'imagenet-sketch' && row['quantity'] === 'progress rate',
    )!
    expect(sketch).toMatchObject({ set: '1K', paper: 1.37, from: 'published by timm' })
    expect(sketch['ours']).toBeCloseTo(1.37, 1)
    expect(rows.every(row => String(row['from']).startsWith('published by'))).toBe(true)
    expect(notes.join(' ')).toMatch(/2025-10-30.*2023-11-22.*DataComp/)
  })

  it('an own metric sees the run as ours do', async () => {
    const file = join(out, 'errors.mjs')
    await writeFile(
      file,
      `export default { name: 'wrong', columns: ['model', 'wrong'],
        rows: run => run.accuracy().map(({ model, n, top1 }) => ({ model, wrong: Math.round(n * (1 - top1)) })) }`,
    )
    expect((await table('--plugin', file, '--format', 'csv')).stdout).toBe('model,wrong\nm,70\n')
  })

  it.each([
    ['no export', 'export const rows = 1', /has no default export \{name, columns, rows\(run\)\}/],
    [
      'NaN',
      "export default { name: 'x', columns: ['a'], rows: () => [{ a: NaN }] }",
      /row 1 of plug-in x: a is NaN/,
    ],
    ['a syntax error', 'export default {', /cannot load plug-in/],
  ])('a plug-in with %s is one line', async (name, code, message) => {
    const file = join(out, `${name.replaceAll(' ', '-')}.mjs`)
    await writeFile(file, code)
    const { code: exit, stderr } = await table('--plugin', file)
    expect([exit, stderr.trim().split('\n').length]).toEqual([2, 1])
    expect(stderr).toMatch(message)
  })

  it.each([
    [['--paper', '5'], /--paper takes 1, 2, .*claims, not 5/],
    [['--format', 'parquet'], /--format parquet takes -o FILE/],
    [['--disparity'], /--disparity takes one column after --by, not 0/],
    [['--by', 'regoin'], /unknown column: regoin/],
  ])('%j is refused', async (args, message) => {
    const { code, stderr } = await table(...args)
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
  })
})
