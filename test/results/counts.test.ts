import { rm } from 'node:fs/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { incomeRegion } from '../../src/report/figures/incomeRegion.ts'
import { runView } from '../../src/analysis/runView.ts'
import { openRun } from '../../src/results/run.ts'
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

it('gives the same rows to who names the columns beforehand', async () => {
  const whole = await opened(i => i + 1)
  for (const by of [[], ['region'], ['region', 'income_group'], ['label'], ['label', 'region']]) {
    const narrow = await openRun(dir, undefined, by)
    expect(narrow.accuracy({ by })).toEqual(whole.accuracy({ by }))
    expect(narrow.cells.length).toBeLessThanOrEqual(whole.cells.length)
  }
  expect((await openRun(dir, undefined, [])).cells).toHaveLength(1)
  expect((await openRun(dir, undefined, ['nothing'])).cells).toEqual(whole.cells)
})
