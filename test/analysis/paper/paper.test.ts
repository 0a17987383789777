import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testbedModel as named } from '../../../src/models/testbed.ts'
import { type PaperView, paperView } from '../../../src/analysis/paper/paperView.ts'
import { incomeRows } from '../../../src/analysis/paper/income.ts'
import { paperComparison, type PaperTable, paperTables } from '../../../src/analysis/paper/index.ts'
import { progressRows } from '../../../src/analysis/paper/progressTable.ts'
import { retrainingRows, dataShareRows } from '../../../src/analysis/paper/retraining.ts'
import { recordStudy } from '../../../src/results/studies.ts'
import { openRun, type Run } from '../../../src/results/run.ts'
import { evenly, type StoredResult, storeRun } from '../../helpers/storedRun.ts'

const options = { seed: 3, draws: 100 }

const regions = ['Europe', 'Africa', 'Asia', 'Americas']

/** 400 images of four regions in two income groups; Europe's share is higher by `gap`. */
function onDollarStreet(
  model: string,
  accuracy: number,
  gap: number,
  zeroShot = false,
): StoredResult {
  const correct = regions.flatMap((region, r) =>
    evenly(100, accuracy + (region === 'Europe' ? gap : 0) - r * 0.001),
  )
  const groups = (i: number) => ({
    region: regions[Math.floor(i / 100)]!,
    income_group: i % 100 < 50 ? 'Q2' : 'Q3',
  })
  return { model, dataset: 'dollarstreet/household', correct, groups, zeroShot }
}

/** Models at 50, 60, 70 and 80 % on ImageNet; V2 falls by 1.2 points a point, Dollar Street by half of one. */
function results(): StoredResult[] {
  return ['vgg-11', 'resnet50cutmixbaseline', 'resnet50augmix', 'vit'].flatMap((name, i) => {
    const [model, accuracy] = [named(name), 0.5 + 0.1 * i]
    return [
      { model, dataset: 'imagenet-1k', correct: evenly(1000, accuracy) },
      {
        model,
        dataset: 'imagenet-v2/matched-frequency',
        correct: evenly(1000, 1.2 * accuracy - 0.2),
      },
      onDollarStreet(model, 0.5 * accuracy, 0.04 + 0.02 * i),
    ]
  })
}

it('table 8 is by quartiles of the incomes where the data set has no groups of its own', async () => {
  const groups = (i: number) => ({ region: regions[i % 2]!, income: 10 * i })
  const result = {
    model: named('clip-vit32-openai'),
    dataset: 'dollarstreet/household',
    zeroShot: true,
    groups,
  }
  const dir = await storeRun([
    { ...result, correct: Array.from({ length: 400 }, (_, i) => i < 300 || i % 2 === 0) },
  ])
  const { rows, notes } = await incomeRows(paperView(await openRun(dir), [], options))
  await rm(dir, { recursive: true, force: true })
  const ours = (income: string) =>
    rows.filter(({ row, unit }) => row === income && unit === 'percent').map(row => row.ours)
  expect([ours('Q1'), ours('Q4')]).toEqual([
    [100, 0],
    [100, 100],
  ])
  expect(notes[0]).toContain('Q1 (above 2,992.5), Q2 (to 2,992.5), Q3 (to 1,995), Q4 (to 997.5)')
})

describe("the paper's tables from stored runs", () => {
  let dir: string
  let run: Run
  let evidence: PaperView

  beforeAll(async () => {
    dir = await storeRun([...results(), onDollarStreet(named('clip-vit32-openai'), 0.4, 0.1, true)])
    run = await openRun(dir)
    evidence = paperView(run, [], options)
  })
  afterAll(() => rm(dir, { recursive: true, force: true }))

  const two = (set: string, row: string, quantity: string) =>
    progressRows(evidence).find(
      one => one.set === set && one.row === row && one.quantity === quantity,
    )!

  it('table 2: rate, gap and improvement beside the paper, from models of type 1K', () => {
    const rate = two('1K', 'imagenet-v2', 'progress rate')
    expect(rate).toMatchObject({ n: 4, paper: 1.18, note: null, from: 'measured' })
    expect(rate.ours).toBeCloseTo(1.2, 2)
    expect(rate.difference).toBeCloseTo(rate.ours! - 1.18, 12)
    expect(two('1K', 'dollarstreet', 'net improvement')).toMatchObject({
      paper: 18.92,
      unit: 'points',
    })
    const [standard, street] = [rate.ours!, two('1K', 'dollarstreet', 'progress rate').ours!]
    expect(two('1K', 'imagenet-v2', 'progress gap')).toMatchObject({ paper: 2.2 })
    expect(two('1K', 'imagenet-v2', 'progress gap').ours).toBeCloseTo(standard / street, 9)
    expect(two('1K', 'imagenet-v2', 'progress gap as difference').ours).toBeCloseTo(
      standard - street,
      9,
    )
  })

  it('table 2: what the run lacks is null with its reason', () => {
    expect(two('1K', 'ood average', 'progress rate')).toMatchObject({
      ours: null,
      difference: null,
      paper: 1.44,
      note: 'no results on imagenet-sketch, imagenet-r, objectnet',
    })
    expect(two('zero-shot', 'imagenet-v2', 'progress rate')).toMatchObject({
      ours: null,
      paper: null,
    })
  })

  it('table 2: rows without any number are one line below', async () => {
    const { values, columns, notes } = await paperComparison(run, '2', options)
    const at = (name: string): number => columns.findIndex(column => column.name === name)
    const empty = values.filter(row => row[at('ours')] === null && row[at('paper')] === null)
    expect(empty).toEqual([])
    const left = progressRows(evidence).filter(({ ours, paper }) => ours === null && paper === null)
    expect(left.length).toBeGreaterThan(50)
    const line = notes.find(note => note.startsWith('left out for lack of any number: '))!
    const counts = [...line.matchAll(/\((\d+) rows?\)/g)].map(([, count]) => Number(count))
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(left.length)
    expect(line).toContain('no results on geode')
  })

  it("table 2: imported accuracies on DataComp's subsets are shown", () => {
    const models = ['vgg-11', 'resnet50cutmixbaseline', 'resnet50augmix', 'vit'].map(named)
    const imported = models.flatMap((model, i) =>
      ['dollarstreet-datacomp', 'geode-datacomp'].map(benchmark => ({
        model,
        benchmark,
        accuracy: 0.4 + 0.05 * i,
        n: 1000,
        kind: '1K' as const,
        imageSize: null,
        source: 'results.csv',
      })),
    )
    const rows = progressRows(paperView(run, imported, options))
    for (const name of ['dollarstreet-datacomp', 'geode-datacomp']) {
      const rate = rows.find(
        ({ set, row, quantity }) => set === '1K' && row === name && quantity === 'progress rate',
      )
      expect(rate!.ours).toBeCloseTo(0.5, 9)
      expect(rate!.note).toContain("DataComp's subset")
      const gap = rows.find(
        ({ set, row, quantity }) =>
          set === '1K' && row === 'imagenet-v2' && quantity === `progress gap against ${name}`,
      )
      expect(gap!.ours).toBeCloseTo(2.4, 1)
    }
  })

  it('table 3: accuracies, both readings of disparity, and models that were not run', async () => {
    const { values, columns } = await paperComparison(run, '3', options)
    const at = (name: string): number => columns.findIndex(column => column.name === name)
    const row = (intervention: string, quantity: string) =>
      values.find(one => one[at('row')] === intervention && one[at('quantity')] === quantity)!
    expect(row('baseline', 'imagenet-1k')[at('ours')]).toBeCloseTo(60, 9)
    expect(row('baseline', 'imagenet-1k')[at('paper')]).toBe(76.34)
    const most = row('baseline', 'dollarstreet disparity')
    expect(most[at('ours')]).toBeGreaterThanOrEqual(
      row('baseline', 'dollarstreet europe minus africa')[at('ours')] as number,
    )
    expect(most[at('low')]).not.toBeNull()
    expect(row('cutmix', 'imagenet-1k')[at('note')]).toBe(
      'no results of resnet50.cutmix on imagenet-1k',
    )
  })

  it('Europe minus Africa is of regions with enough images alone', async () => {
    const { values, columns } = await paperComparison(run, '3', { ...options, minN: 101 })
    const at = (name: string): number => columns.findIndex(column => column.name === name)
    const row = values.find(
      one =>
        one[at('row')] === 'baseline' && one[at('quantity')] === 'dollarstreet europe minus africa',
    )!
    expect([row[at('ours')], row[at('note')]]).toEqual([
      null,
      'no group Europe with at least 101 images',
    ])
  })

  it('table 8: the difference within each income group, and what is left of it', async () => {
    const { rows } = await incomeRows(evidence)
    const differences = rows.filter(({ quantity }) => quantity === 'disparity')
    expect(differences.map(({ row, paper }) => [row, paper])).toEqual([
      ['Q1', null],
      ['Q2', 8.7],
      ['Q3', 6.6],
      ['Q4', null],
    ])
    expect(Math.abs(differences[1]!.ours! - 10)).toBeLessThan(3)
    expect(rows.at(-1)!.ours).toBeCloseTo((differences[1]!.ours! + differences[2]!.ours!) / 2, 9)
  })

  it('tables 4 and 9: the paper alone until a study is stored', async () => {
    expect((await dataShareRows(evidence))[0]).toMatchObject({
      ours: null,
      paper: 52.79,
      note: 'no retraining results stored',
    })
    await recordStudy(dir, { study: 'last-layer' }, [
      { setting: 1, metric: 'dollarstreet accuracy', values: [0.7, 0.72] },
    ])
    const found = (await retrainingRows(evidence)).find(
      one => one.row === 'retrained vit' && one.quantity === 'dollarstreet accuracy',
    )!
    expect(found.ours).toBeCloseTo(71, 9)
    expect(found).toMatchObject({ n: 2, paperError: 0.1 })
    expect(found.low).toBeLessThan(found.ours!)
    await recordStudy(dir, { study: 'last-layer', model: 'mine' }, [
      { setting: 0.3, metric: 'homes accuracy', values: [0.4] },
    ])
    const own = (await dataShareRows(evidence)).filter(one => one.set === 'mine')
    expect(own.map(({ row, quantity, ours, paper }) => [row, quantity, ours, paper])).toEqual([['30', 'homes accuracy', 40, null]]) // prettier-ignore
    const mine = (await retrainingRows(evidence)).find(one => one.row === 'retrained mine')!
    expect(mine.note).toBe(
      'no homes accuracy stored for 100 % of the data; stored are homes accuracy',
    )
  })

  it('claims: AugMix against its baseline, growth of the disparity', async () => {
    const { values, columns } = await paperComparison(run, 'claims', options)
    const at = (name: string): number => columns.findIndex(column => column.name === name)
    const claim = (id: string) => values.find(one => one[at('quantity')] === id)!
    expect(claim('disparity-growth')[at('ours')]).toBeCloseTo(10 / 4, 0)
    expect(claim('augmix-dollarstreet')[at('ours')]).toBeLessThan(0)
    expect(claim('augmix-geode')[at('note')]).toBe(
      'no results of resnet50.cutmix_baseline on geode',
    )
    expect(claim('dinov2-parameters')[at('ours')]).toBeCloseTo(86, -1)
    expect(values).toHaveLength(25)
  })

  it.each(paperTables)(
    'table %s never holds NaN, and every null of ours has a reason',
    async which => {
      const { values, columns } = await paperComparison(run, which, options)
      const [ours, note] = ['ours', 'note'].map(name =>
        columns.findIndex(column => column.name === name),
      )
      for (const row of values) {
        for (const value of row) expect(value).not.toBeNaN()
        if (note! >= 0 && row[ours!] === null) expect(row[note!], JSON.stringify(row)).toBeTruthy()
      }
      expect(values.length).toBeGreaterThan(0)
    },
  )
})

describe("the paper's tables with next to nothing", () => {
  const few: Record<string, StoredResult[]> = {
    'one model': results().slice(0, 3),
    'all accuracies equal': ['vgg-11', 'vit'].flatMap(name => [
      { model: named(name), dataset: 'imagenet-1k', correct: evenly(100, 0.5) },
      onDollarStreet(named(name), 0.4, 0),
    ]),
    'a perfect score': ['vgg-11', 'vit'].flatMap(name => [
      { model: named(name), dataset: 'imagenet-1k', correct: evenly(100, 1) },
      onDollarStreet(named(name), 1, 0),
    ]),
    'a benchmark for half of the models': results().filter((_, i) => i < 6 || i % 3 === 0),
  }

  it.each(Object.entries(few))('%s', async (_, stored) => {
    const dir = await storeRun(stored)
    const run = await openRun(dir)
    for (const which of ['2', '3', '4', '8', '9', 'claims'] satisfies PaperTable[]) {
      const { values } = await paperComparison(run, which, options)
      expect(values.flat().some(Number.isNaN)).toBe(false)
    }
    await rm(dir, { recursive: true, force: true })
  })
})
