import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { geogap } from '../helpers/cli.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-stats-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

interface Group {
  name: string
  n: number
  right: number
  household?: string
}

/** Imports predictions with so many right in each group, and returns the folder of results. */
async function imported(column: string, groups: readonly Group[]): Promise<string> {
  const dir = await mkdtemp(join(folder, 'case-'))
  const images = groups.flatMap(({ name, n, right, household = '' }) =>
    Array.from({ length: n }, (_, i) => ({ id: `${name}-${i}`, name, household, hit: i < right })),
  )
  const manifest = images.map(({ id, name, household }) => `${id},x.jpg,a,${name},${household}`)
  const predictions = images.map(({ id, hit }) => `${id},${hit ? 'a;b' : 'b;a'}`)
  await writeFile(
    join(dir, 'images.csv'),
    [`id,image,label,${column},household`, ...manifest].join('\n'),
  )
  await writeFile(join(dir, 'predictions.csv'), ['id,top5', ...predictions].join('\n'))
  await writeFile(join(dir, 'classes.txt'), 'a\nb\n')
  const { stderr } = await geogap([
    'import',
    join(dir, 'predictions.csv'),
    '--dataset',
    join(dir, 'images.csv'),
    '--classes',
    join(dir, 'classes.txt'),
    '--model',
    'm',
    '--out',
    join(dir, 'results'),
  ])
  expect(stderr).toBe('')
  return join(dir, 'results')
}

/** What a gate says in JSON. */
async function gate(dir: string, ...options: string[]) {
  const { code, stdout } = await geogap(['gate', dir, ...options, '--format', 'json'])
  const { checks } = JSON.parse(stdout) as {
    checks: { group: string; verdict: string; bound: number | null; reason: string | null }[]
  }
  return { code, checks }
}

/** The rows of `table --disparity`. */
async function disparity(dir: string, by: string) {
  const args = ['table', dir, '--by', by, '--disparity', '--format', 'json']
  const { stdout } = await geogap(args)
  const [table] = (JSON.parse(stdout) as { tables: { rows: Record<string, unknown>[] }[] }).tables
  return table!.rows
}

it.each([24, 25])(
  'two regions of 40 images with 24 and %i right: nothing can be shown of a limit of 5 points',
  async right => {
    const regions = [
      { name: 'Africa', n: 40, right: 24 },
      { name: 'Europe', n: 40, right },
    ]
    const dir = await imported('region', regions)
    const { code, checks } = await gate(dir, '--max-disparity', '0.05', '--min-n', '30')
    expect(code).toBe(0)
    expect(checks).toMatchObject([{ verdict: 'undecided', bound: 0 }])
    expect(new Set(checks[0]!.group.split(' − ')).size).toBe(2)
  },
)

it('six regions near 100 %: the interval contains 0 as p says, and the gate does not fail', async () => {
  const right = [100, 99, 100, 99, 99, 96]
  const regions = right.map((hits, i) => ({ name: `R${i}`, n: 100, right: hits }))
  const dir = await imported('region', regions)
  const { code, checks } = await gate(dir, '--max-disparity', '0.01')
  expect([code, checks[0]!.verdict]).toEqual([0, 'undecided'])
  const [row] = await disparity(dir, 'region')
  expect(row!['p']).toBeGreaterThan(0.05)
  expect(row!['low']).toBe(0)
})

it('countries of one household each: no interval, no bound and no verdict, with the reason', async () => {
  const countries = [21, 31, 85, 104, 111, 100].map((hits, i) => ({
    name: `C${i}`,
    n: 120,
    right: hits,
    household: `h${i}`,
  }))
  const dir = await imported('country', countries)
  const { code, checks } = await gate(dir, '--by', 'country', '--min-worst', '0.5')
  expect(code).toBe(0)
  expect(checks.map(({ verdict, bound }) => [verdict, bound])).toEqual(
    countries.map(() => ['undecided', null]),
  )
  expect(checks[1]!.reason).toBe('no interval: all images of C1 are of one household')
  const spread = await gate(dir, '--by', 'country', '--max-disparity', '0.5')
  expect(spread).toMatchObject({ code: 0, checks: [{ verdict: 'undecided', bound: null }] })
  const [row] = await disparity(dir, 'country')
  expect([row!['low'], row!['high'], row!['p']]).toEqual([null, null, 1])
  const same = await gate(dir, '--baseline', dir, '--by', 'country')
  expect(same.checks.find(({ group }) => group === 'C0')).toMatchObject({
    verdict: 'undecided',
    bound: null,
  })
})
