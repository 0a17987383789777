import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { schemas, writtenSchema } from '../../../scripts/exportSchema.ts'
import { writeOutput } from '../../../src/lib/files.ts'
import { tablesSchema } from '../../../src/lib/table/write.ts'
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
