/** Metrics beyond top-1 accuracy; the fixed values are scikit-learn 1.9.1's, or NumPy's where it has none. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareEvaluations } from '../../src/analysis/compareRun.ts'
import { inferDisparities } from '../../src/analysis/inferDisparities.ts'
import { chooseEvaluationPairs } from '../../src/analysis/evaluationPairs.ts'
import { judgeEvaluations } from '../../src/analysis/gate.ts'
import { comparisonSentence } from '../../src/cli/print/compare.ts'
import { groupMetricTable } from '../../src/report/tables/metricTables.ts'
import { makeFigures } from '../../src/report/figures/index.ts'
import { groupAccuracyTable } from '../../src/report/tables/accuracyTables.ts'
import { type OutcomeMetricName } from '../../src/results/metricNames.ts'
import { openRun, openRunByMetric, type Run } from '../../src/results/run.ts'
import { metricWorld, removeTargetProbabilities, storeLogged } from './metricWorld.ts'

let folder: string
let run: Run
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-metrics-'))
  await storeLogged(join(folder, 'kept'), metricWorld(7, true), { keep: true })
  await storeLogged(join(folder, 'kept'), metricWorld(8, true), { model: 'second', keep: true })
  await storeLogged(join(folder, 'bare'), metricWorld(7, false))
  await storeLogged(join(folder, 'old'), metricWorld(7, false))
  await storeLogged(join(folder, 'old'), metricWorld(7, false), { model: 'logged', keep: true })
  await removeTargetProbabilities(join(folder, 'old'))
  await storeLogged(join(folder, 'old'), metricWorld(7, false), { model: 'new' })
  run = await openRun(join(folder, 'kept'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const expected: Record<
  string,
  Record<OutcomeMetricName | 'macro' | 'error' | 'confidence', number>
> = {
  Africa: {
    top1: 0.72,
    top5: 0.93,
    mrr: 0.7998214285714286,
    probability: 0.3508721916827389,
    macro: 0.7221427236712563,
    error: 0.3452442706191336,
    confidence: 0.37475572938086643,
  },
  Asia: {
    top1: 0.78,
    top5: 0.95,
    mrr: 0.8409047619047617,
    probability: 0.425754292037416,
    macro: 0.779339590606774,
    error: 0.3387002266400178,
    confidence: 0.4412997733599822,
  },
  Europe: {
    top1: 0.745,
    top5: 0.975,
    mrr: 0.8283750000000001,
    probability: 0.4743983458807996,
    macro: 0.7391880456045954,
    error: 0.25948759438745395,
    confidence: 0.4914031213812157,
  },
}

/** The values of a table's columns, a record a row. */
const rowsOf = ({ columns, values }: Awaited<ReturnType<typeof groupMetricTable>>) =>
  values.map(row => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])))

describe('a mean over images', () => {
  it.each(['top5', 'mrr', 'probability'] as const)(
    '%s is that of scikit-learn in each region, with an interval over households',
    async name => {
      const measured = await openRunByMetric(join(folder, 'kept'), {
        exclude: undefined,
        metric: name,
      })
      const rows = measured.accuracy({ by: 'region', model: 'm' })
      const [share] = run.accuracy({ by: 'region', model: 'm' })
      for (const { group, top1, top5, low, high, n } of rows) {
        // Probabilities are stored as float32.
        expect(top1).toBeCloseTo(expected[group]![name], name === 'probability' ? 8 : 12)
        expect([n, top5]).toEqual([200, null])
        expect(low!).toBeLessThan(top1!)
        expect(high!).toBeGreaterThan(top1!)
      }
      if (name !== 'top5')
        expect(rows[0]!.high! - rows[0]!.low!).toBeLessThan(share!.high! - share!.low!)
      const title = groupAccuracyTable(measured, ['region'], name).text('text')
      expect(title.split('\n')[0]).not.toContain('top-1')
      const [disparity] = await inferDisparities(measured, { by: 'region', model: 'm', draws: 200 })
      const values = Object.values(expected).map(row => row[name])
      expect(disparity!.disparity).toBeCloseTo(
        Math.max(...values) - Math.min(...values),
        name === 'probability' ? 7 : 12,
      )
      expect(disparity!.interval![1]).toBeGreaterThan(disparity!.disparity!)
      expect(disparity!.p).toBeGreaterThan(0)
    },
  )

  it('has the probability of the right class from rows, from kept logits, or null with the reason and what to do', async () => {
    const measured = await openRunByMetric(join(folder, 'old'), {
      exclude: undefined,
      metric: 'probability',
    })
    const africa = (model: string) => measured.accuracy({ by: 'region', model })[0]!.top1
    const { probability } = expected['Africa']!
    expect(africa('new')).toBeCloseTo(probability, 8)
    // Kept logits are float16.
    expect(africa('logged')).toBeCloseTo(probability, 4)
    expect(africa('m')).toBeNull()
    expect(groupAccuracyTable(measured, ['region'], 'probability').notes.join()).toMatch(
      /m on world: probability of the right class: not known for \d+ of 600 images; .*evaluate into another folder/,
    )
    const plain = await openRun(join(folder, 'old'))
    expect(plain.accuracy({ by: 'region' }).map(({ top1 }) => top1)).toHaveLength(9)
    const ranks = await openRunByMetric(join(folder, 'bare'), { exclude: undefined, metric: 'mrr' })
    expect(ranks.accuracy({ by: 'region' })[0]!.top1).toBeCloseTo(expected['Africa']!.mrr, 12)
  })

  it('is compared: exactly where answers are right or wrong, else by the mean difference', async () => {
    const compare = async (metric: OutcomeMetricName) => {
      const options = { models: ['m', 'second'], metric }
      const [pair] = await chooseEvaluationPairs(join(folder, 'kept'), undefined, options)
      return compareEvaluations(pair!, { by: ['region'] })
    }
    const five = await compare('top5')
    expect(five.rows[0]!.gained! - five.rows[0]!.lost!).toBe(Math.round(600 * five.rows[0]!.change))
    const ranks = await compare('mrr')
    expect(ranks.rows.map(({ by }) => by)).toEqual(['overall', 'region', 'region', 'region'])
    expect(ranks.rows[0]).toMatchObject({ gained: null, midP: null })
    const [low, high] = ranks.rows[0]!.interval!
    expect(low < ranks.rows[0]!.change && ranks.rows[0]!.change < high).toBe(true)
    expect(low < 0 && high > 0).toBe(ranks.rows[0]!.p! > 0.05)
    expect(comparisonSentence(ranks)).toMatch(/^mean reciprocal rank: overall/)
  })

  it('is judged by the gate where answers are right or wrong, and refused else', async () => {
    const judged = await judgeEvaluations(join(folder, 'kept'), { minWorst: 0.9, metric: 'top5' })
    expect(judged.notes).toContain('Every number here is of top-5 accuracy, not of top-1 accuracy.')
    await expect(
      judgeEvaluations(join(folder, 'kept'), { minWorst: 0.9, metric: 'mrr' }),
    ).rejects.toThrow(/mean reciprocal rank is not made of: --metric top1 or top5/)
  })

  it('is named in figures', async () => {
    const measured = await openRunByMetric(join(folder, 'kept'), {
      exclude: undefined,
      metric: 'mrr',
    })
    const [figure] = makeFigures(measured, 'regions')
    expect(figure!.subtitle).toMatch(/^accuracy is mean reciprocal rank, × 100/)
    expect(figure!.caption).toContain('in place of top-1 accuracy')
  })
})

describe('a metric of groups', () => {
  const tableRows = async (name: Parameters<typeof groupMetricTable>[1], by = ['region']) =>
    rowsOf(await groupMetricTable(run, name, { by, minN: 30 })).filter(row => row['model'] === 'm')

  it('macro accuracy is scikit-learn’s balanced accuracy', async () => {
    for (const row of await tableRows('macro')) {
      expect(row['value']).toBeCloseTo(expected[row['group'] as string]!.macro, 12)
      expect(row['low']).toBeLessThan(row['value'] as number)
    }
  })

  it('calibration is NumPy’s', async () => {
    for (const row of await tableRows('calibration')) {
      const own = expected[row['group'] as string]!
      expect(row['error']).toBeCloseTo(own.error, 7)
      expect(row['confidence']).toBeCloseTo(own.confidence, 7)
      expect(row['accuracy']).toBe(own.top1)
      expect(row['high']).toBeGreaterThan(own.confidence - own.top1)
    }
  })

  it('recall and confusions are scikit-learn’s', async () => {
    const recall = await tableRows('recall')
    const a = recall.filter(row => row['label'] === 'a')
    expect(a.map(row => row['value'])).toEqual([
      expect.closeTo(0.7619047619047619, 12),
      expect.closeTo(0.8095238095238095, 12),
      expect.closeTo(0.7391304347826086, 12),
    ])
    const confusions = await tableRows('confusion')
    const taken = (group: string) =>
      confusions
        .filter(row => row['group'] === group && row['label'] === 'a')
        .map(row => [row['instead'], row['taken']])
    expect(taken('Africa')).toEqual([
      ['2', 3],
      ['4', 1],
      ['5', 1],
    ])
    expect(taken('Europe')).toEqual([
      ['5', 3],
      ['2', 1],
      ['3', 1],
      ['6', 1],
    ])
  })

  it('the worst groups have an interval that holds for all at once', async () => {
    const [worst] = await tableRows('worst')
    expect(worst).toMatchObject({ value: 0.72, worst: 'Africa', groups: 3 })
    expect(worst!['low']).toBeLessThan(0.66)
    const [fifth] = await tableRows('cvar')
    expect(fifth).toMatchObject({ value: 0.72, worst: 'Africa' })
  })
})

describe('what was photographed', () => {
  it('is taken out of a gap, with a sentence, over households', async () => {
    const table = await groupMetricTable(run, 'adjusted', { by: ['region'], minN: 30 })
    const rows = rowsOf(table).filter(row => row['model'] === 'm')
    const parts = [
      'gap',
      'which objects',
      'left at an equal mix (adjusted gap)',
      'without counterpart',
    ]
    const pairs = ['Europe − Africa', 'Europe − Asia', 'Asia − Africa']
    expect(rows.map(row => [row['pair'], row['part']])).toEqual(
      pairs.flatMap(pair => parts.map(part => [pair, part])),
    )
    const gaps = rows.filter(row => row['part'] === 'gap').map(row => row['value'] as number)
    expect(gaps[0]! - gaps[1]!).toBeCloseTo(gaps[2]!, 12)
    expect(table.notes).toContain(
      'intervals are of each of 3 pairs alone: of 20 gaps that are none, one is expected to seem shown',
    )
    const value = (i: number): number => rows[i]!['value'] as number
    expect(value(0)).toBeCloseTo(expected['Europe']!.top1 - expected['Africa']!.top1, 12)
    expect(value(1) + value(2) + value(3)).toBeCloseTo(value(0), 12)
    expect(table.notes[0]).toMatch(
      /^m on world, Europe − Africa: of 2\.5 points: −?\d\.\d which objects, −?\d\.\d left; a gap is not shown at an equal mix/,
    )
  })

  it('is shrunken by cell, the worst first; incomes are asked for', async () => {
    const cells = rowsOf(
      await groupMetricTable(run, 'shrunken', { by: ['label', 'region'], minN: 30 }),
    ).filter(row => row['model'] === 'm')
    expect(cells).toHaveLength(24)
    const shrunken = cells.map(row => row['shrunken'] as number)
    expect(shrunken).toEqual([...shrunken].sort((a, b) => a - b))
    const income = await groupMetricTable(run, 'income', { by: ['region'], minN: 30 })
    expect([income.values, income.notes[0]]).toEqual([
      [],
      'nothing is known: it needs a column income or income_group',
    ])
  })

  it('says why there is nothing to tell where groups are too few', async () => {
    const large = await groupMetricTable(run, 'adjusted', { by: ['region'], minN: 300 })
    expect(large.notes[0]).toBe(
      'world: no gap, for fewer than two groups by region have 300 images',
    )
    const [alone] = rowsOf(await groupMetricTable(run, 'shrunken', { by: [], minN: 30 }))
    expect(alone).toMatchObject({
      n: 600,
      shrunken: null,
      reason: 'one cell with images does not tell how cells differ',
    })
  })
})
