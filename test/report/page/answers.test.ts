import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { geogap } from '../../helpers/cli.ts'
import { storeRun } from '../../helpers/storedRun.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-answers-'))
  const images = Array.from({ length: 400 }, (_, i) => i)
  const groups = (i: number) => ({
    comment: `said ${i}`,
    dwelling: ['Flat', 'flat', 'hut'][i % 3]!,
    income: 100 + i,
    region: i < 200 ? 'Europe' : 'Africa',
  })
  const correct = images.map(i => i % 3 > 0)
  await storeRun([{ model: 'm', dataset: 'homes', correct, label: () => 'cup', groups }], folder)
})
afterAll(() => rm(folder, { recursive: true }))

describe("answers in people's own words, and incomes in numbers", () => {
  it.each(['top1', 'adjusted', 'worst', 'calibration'])(
    'cannot be grouped by: %s',
    async metric => {
      const table = ['table', folder, '--metric', metric, '--models', 'm', '--by']
      const comment = await geogap([...table, 'comment'])
      expect(comment.stderr).toContain('comment has more than 300 different values')
      const income = await geogap([...table, 'income'])
      expect(income.stderr).toContain('income_group has the quarters of its numbers')
    },
  )

  it('that differ in capitals are said to be different groups', async () => {
    const { stdout } = await geogap(['table', folder, '--by', 'dwelling'])
    expect(stdout).toContain('Flat and flat differ in capitals alone')
  })

  it('say at which income there are no images', async () => {
    const { stdout } = await geogap(['table', folder, '--by', 'region', '--metric', 'income'])
    expect(stdout).toMatch(/Europe − Africa at Q1 \(above [\d.]+\) +100 +–/)
    expect(stdout).toMatch(/Q1 \(above [\d.]+\): no images in Europe/)
  })

  it('split a gap by incomes without households, in quarters of numbers or in levels', async () => {
    const images = Array.from({ length: 400 }, (_, i) => i)
    const stored = (name: string, income: (i: number) => string | number) => ({
      model: name,
      dataset: name,
      correct: images.map(i => i % (name === 'levels' ? 3 : 2) > 0),
      label: () => 'cup',
      groups: (i: number) => ({ region: i % 2 ? 'Europe' : 'Africa', income: income(i) }),
    })
    const results = [
      stored('numbers', i => 100 + i),
      stored('levels', i => (i % 3 ? 'high' : 'low')),
    ]
    const dir = await storeRun(results)
    for (const model of ['numbers', 'levels']) {
      const how = ['table', dir, '--by', 'region', '--models', model, '--metric']
      const { stdout } = await geogap([...how, 'adjusted'])
      expect(stdout).toMatch(/Europe − Africa +income +[−\d]/)
      expect(stdout.match(/(numbers|levels) on/g)).toEqual([`${model} on`])
      expect((await geogap([...how, 'income'])).stdout).toContain('Europe − Africa at equal income')
    }
    await rm(dir, { recursive: true })
  })
})
