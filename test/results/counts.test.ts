import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { incomeRegion } from '../../src/report/figures/incomeRegion.ts'
import { runView } from '../../src/analysis/runView.ts'
import { openRun, openRunByColumns } from '../../src/results/run.ts'
import { evenly, type Groups, storeRun } from '../helpers/storedRun.ts'

let dir: string
afterEach(() => rm(dir, { recursive: true, force: true }))

async function opened(incomeOf: (i: number) => Groups[string], dataset = 'homes') {
  const groups = (i: number): Groups => ({
    region: i % 2 === 0 ? 'Europe' : 'Africa',
    income: incomeOf(i),
  })
  dir = await storeRun([{ model: 'a', dataset, correct: evenly(400, 0.5), groups }])
  return openRun(dir)
}

const groupsOf = (run: Awaited<ReturnType<typeof opened>>) =>
  run.accuracy({ by: 'income_group' }).map(({ group, n }) => [group, n])

describe('incomes in numbers', () => {
  it('are cut into quarters of the images, Q1 the highest', async () => {
    const run = await opened(i => i + 1)
    expect(groupsOf(run)).toEqual([
      ['Q1 (above 300.3)', 100],
      ['Q2 (to 300.3)', 100],
      ['Q3 (to 200.5)', 100],
      ['Q4 (to 100.8)', 100],
    ])
    const [figure] = incomeRegion.make(runView(run), {})
    expect(figure!.rows).toHaveLength(8)
    expect(figure!.caption).toContain('Q1 is the highest')
  })

  it('that are unknown are in no group', async () => {
    const run = await opened(i => (i % 4 === 0 ? null : i))
    expect(groupsOf(run).reduce((sum, [, n]) => sum + Number(n), 0)).toBe(300)
  })

  it('of a few different values stay as they are', async () => {
    const run = await opened(i => i % 3)
    expect(() => groupsOf(run)).toThrow('unknown column: income_group')
    const [figure] = incomeRegion.make(runView(run), {})
    expect([...new Set(figure!.rows.map(row => row['income']))]).toEqual(['0', '1', '2'])
  })
})

it('named incomes keep their names, in their order', async () => {
  const run = await opened(i => ['high', 'low', 'middle'][i % 3]!)
  const [figure] = incomeRegion.make(runView(run), {})
  const text = JSON.stringify(figure!.spec(720))
  const places = ['low', 'middle', 'high'].map(name => text.indexOf(`"text":"${name}"`))
  expect(places).toEqual([...places].sort((a, b) => a - b))
  expect(Math.min(...places)).toBeGreaterThan(0)
  expect(figure!.caption).toContain('Groups are the data set’s own')
})

it('has the rows of the whole run where the columns are named beforehand, and no others', async () => {
  const whole = await opened(i => i + 1)
  for (const columns of [
    [],
    ['region'],
    ['region', 'income_group'],
    ['label'],
    ['label', 'region'],
  ]) {
    const narrow = await openRunByColumns(dir, { columns, exclude: undefined })
    expect(narrow.accuracy({ by: columns })).toEqual(whole.accuracy({ by: columns }))
    expect(narrow.cells.length).toBeLessThanOrEqual(whole.cells.length)
  }
  const total = await openRunByColumns(dir, { columns: [], exclude: undefined })
  expect(total.cells).toHaveLength(1)
  expect(() => total.disparity()).toThrow(
    'no counts by region: the run was opened by no column alone',
  )
  const regions = await openRunByColumns(dir, { columns: ['region'], exclude: undefined })
  for (const by of ['label', 'income', ['region', 'label']])
    expect(() => regions.accuracy({ by })).toThrow('the run was opened by region alone')
  const unknown = await openRunByColumns(dir, { columns: ['nothing'], exclude: undefined })
  expect(unknown.cells).toEqual(whole.cells)
})

describe('a run that was opened with a third argument, once a list of columns', () => {
  const places = ['Ghana', 'Kenya', 'Spain', 'Italy']
  const groups = (i: number): Groups => ({
    region: i % 4 < 2 ? 'Africa' : 'Europe',
    country: places[i % 4]!,
  })
  const label = (i: number): string => ['bed', 'stove'][Math.floor(i / 4) % 2]!
  const open = async () => {
    dir = await storeRun([
      { model: 'a', dataset: 'homes', correct: evenly(80, 0.5), groups, label },
    ])
    return (openRun as (...given: unknown[]) => ReturnType<typeof openRun>)(dir, undefined, [
      'region',
    ])
  }

  it.each([
    { by: 'label', expected: ['bed 40', 'stove 40'] },
    {
      by: ['region', 'label'],
      expected: ['Africa × bed 20', 'Africa × stove 20', 'Europe × bed 20', 'Europe × stove 20'],
    },
    { by: 'country', expected: ['Ghana 20', 'Italy 20', 'Kenya 20', 'Spain 20'] },
  ])('has accuracies by $by', async ({ by, expected }) => {
    const rows = (await open()).accuracy({ by })
    expect(rows.map(({ group, n }) => `${group} ${n}`)).toEqual(expected)
  })

  it('has the value of each column in its rows', async () => {
    const rows = (await open()).accuracy({ by: ['region', 'label'] })
    expect(rows[1]!.groups).toEqual({ region: 'Africa', label: 'stove' })
  })
})

it('keeps groups apart whose texts are equal, and knows no columns that objects inherit', async () => {
  dir = await storeRun([
    {
      model: 'a',
      dataset: 'homes',
      correct: evenly(4, 0.5),
      groups: i => ({ region: i < 2 ? 'a × b' : 'a', room: i < 2 ? 'c' : 'b × c' }),
    },
    {
      model: 'a',
      dataset: 'others',
      correct: evenly(4, 0.5),
      groups: i => ({ constructor: i < 3 ? 'constructor' : 'b' }),
    },
  ])
  const run = await openRun(dir)
  expect(run.accuracy({ by: ['region', 'room'] }).map(({ groups, n }) => [groups, n])).toEqual([
    [{ region: 'a', room: 'b × c' }, 2],
    [{ region: 'a × b', room: 'c' }, 2],
  ])
  expect(run.accuracy({ by: 'constructor' }).map(({ dataset, n }) => [dataset, n])).toEqual([
    ['others', 1],
    ['others', 3],
  ])
  const { sizes } = [...run.datasets.values()].find(({ name }) => name === 'others')!
  expect(sizes!['constructor']).toEqual({ constructor: 3, b: 1 })
})
