import { inferDisparities } from '../../src/analysis/inferDisparities.ts'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { europeAfrica } from '../../src/analysis/paper/disparities.ts'
import { incomeRows } from '../../src/analysis/paper/income.ts'
import { paperView } from '../../src/analysis/paper/paperView.ts'
import { pairDifference } from '../../src/metrics/disparity.ts'
import { type Interval } from '../../src/metrics/intervals.ts'
import { testbedModel } from '../../src/models/testbed.ts'
import { wilson } from '../../src/metrics/intervals.ts'
import { countByHousehold } from '../../src/results/households.ts'
import { openRun } from '../../src/results/run.ts'
import { outcomes } from '../metrics/golden.ts'
import { shared } from '../helpers/shared.ts'
import { evenly, storeRun } from '../helpers/storedRun.ts'

const side = (i: number) => ({ region: i < 200 ? 'Europe' : 'Africa' })

describe('disparities of stored runs with inference', () => {
  it('beside the disparity: what equality would show, p, the corrected value and the interval, by seed', async () => {
    const dir = await storeRun([
      {
        model: 'a',
        dataset: 'd',
        correct: [...evenly(200, 0.8), ...evenly(200, 0.6)],
        groups: side,
      },
      {
        model: 'b',
        dataset: 'd',
        correct: [...evenly(200, 0.7), ...evenly(200, 0.7)],
        groups: side,
      },
    ])
    const run = await openRun(dir)
    const [apart, equal] = await inferDisparities(run, { by: 'region', seed: 2, draws: 400 })
    expect(apart).toMatchObject({ unit: 'images', failed: 0, failureP: null, warning: null })
    expect(apart!.disparity).toBeCloseTo(0.2, 12)
    expect(apart!.p).toBeLessThan(0.01)
    expect(apart!.interval![0]).toBeGreaterThan(0.05)
    expect(apart!.corrected).toBeGreaterThan(0.15)
    expect(equal!.p).toBe(1)
    expect(equal!.interval![0]).toBe(0)
    expect(await inferDisparities(run, { by: 'region', seed: 2, draws: 400 })).toEqual([
      apart,
      equal,
    ])
    expect(await inferDisparities(run, { by: 'region', seed: 2, draws: 400, model: 'b' })).toEqual([
      equal,
    ])
    await rm(dir, { recursive: true, force: true })
  })

  it('warns where failures differ between groups', async () => {
    const failing = Array.from({ length: 200 }, (_, i) => (i % 5 === 0 ? null : true))
    const dir = await storeRun([
      { model: 'a', dataset: 'd', correct: [...evenly(200, 0.8), ...failing], groups: side },
    ])
    const [row] = await inferDisparities(await openRun(dir), { by: 'region', draws: 200 })
    expect(row!.failed).toBe(40)
    expect(row!.failureP).toBeLessThan(0.001)
    expect(row!.warning).toMatch(/^failures differ between groups \(40 images, p = /)
    await rm(dir, { recursive: true, force: true })
  })

  it('images without a household are households of their own', async () => {
    const groups = (i: number) => ({
      ...side(i),
      household: i % 200 < 100 ? `home ${Math.floor(i / 10)}` : null,
    })
    const dir = await storeRun([
      { model: 'a', dataset: 'd', correct: [...evenly(200, 0.8), ...evenly(200, 0.6)], groups },
    ])
    const run = await openRun(dir)
    const counts = (await countByHousehold(run.entries[0]!, 'region'))!
    expect(counts.filter(({ group }) => group === 'Europe')).toHaveLength(10 + 100)
    expect(counts.reduce((sum, { n }) => sum + n, 0)).toBe(400)
    expect((await inferDisparities(run, { by: 'region', draws: 100 }))[0]!.unit).toBe('clusters')
    expect(await countByHousehold(run.entries[0]!, 'household')).toBeNull()
    await rm(dir, { recursive: true, force: true })
  })

  it('Europe minus Africa has one interval, over households, in the run, its pack and the tables', async () => {
    const home = (i: number) => Math.floor(i / 10)
    const groups = (i: number) => ({ ...side(i), income_group: 'Q2', household: `home ${home(i)}` })
    const correct = Array.from({ length: 400 }, (_, i) => (home(i) * 7) % 10 < (i < 200 ? 8 : 5))
    const model = testbedModel('clip-vit32-openai')
    const dir = await storeRun([
      { model, dataset: 'dollarstreet', correct, groups, zeroShot: true },
      { model, dataset: 'photos', correct, groups: side, zeroShot: true },
    ])
    const run = await openRun(dir)
    const [housed, single] = run.disparity({ by: 'region' })
    const clusters = await countByHousehold(run.entries[0]!, 'region')
    const counts = run.accuracy({ by: 'region', dataset: 'dollarstreet' })
    const sizes = counts.map(({ group, n, top1 }) => ({ group, n, top1: Math.round(n * top1!) }))
    const expected = pairDifference(sizes, { clusters })
    expect(housed!.europeMinusAfricaInterval).toEqual(expected.interval)
    expect(single!.europeMinusAfricaInterval).toEqual(pairDifference(sizes).interval)
    const width = (interval: Interval | null) => interval![1] - interval![0]
    expect(width(expected.interval)).toBeGreaterThan(2 * width(single!.europeMinusAfricaInterval))
    const evidence = paperView(run, [])
    expect(europeAfrica(evidence, 'dollarstreet', model)).toMatchObject({
      value: expected.value,
      interval: expected.interval,
    })
    const { rows } = await incomeRows(evidence)
    const shown = rows.filter(({ quantity }) => quantity.startsWith('disparity'))
    expect(shown.filter(({ row }) => row === 'Q2').map(({ low, high }) => [low, high])).toEqual([
      expected.interval!.map(end => 100 * end),
    ])
    const overall = shown.find(({ row }) => row === 'all')!
    expect((overall.high! - overall.low!) / 100).toBeGreaterThan(
      2 * width(single!.europeMinusAfricaInterval),
    )
    await writeFile(join(dir, 'a.pack'), await writePack(run))
    expect((await readPack(join(dir, 'a.pack'))).disparity()).toEqual(run.disparity())
    await rm(dir, { recursive: true, force: true })
  })

  it('a region that is one household has a difference without an interval, with the reason', async () => {
    const groups = (i: number) => ({ ...side(i), household: i < 200 ? 'one' : `home ${i}` })
    const correct = [...evenly(200, 0.8), ...evenly(200, 0.6)]
    const dir = await storeRun([{ model: 'a', dataset: 'dollarstreet', correct, groups }])
    const run = await openRun(dir)
    expect(run.disparity({ by: 'region' })[0]).toMatchObject({
      europeMinusAfrica: expect.closeTo(0.2, 12) as number,
      europeMinusAfricaInterval: null,
      europeMinusAfricaReason: 'no interval: all images of Europe are of one household',
    })
    await rm(dir, { recursive: true, force: true })
  })

  it('quarters of incomes are counted by household, as groups that the data set names are', async () => {
    const home = (i: number) => Math.floor(i / 10)
    const income = (i: number) => 10 * home(i) + (home(i) % 2)
    const groups = (i: number) => ({ income: income(i), household: `home ${home(i)}` })
    const named = (i: number) => ({
      ...groups(i),
      income_group: `group ${3 - Math.floor(i / 100)}`,
    })
    const correct = Array.from({ length: 400 }, (_, i) => (home(i) * 7) % 10 < (i < 200 ? 8 : 5))
    const dir = await storeRun([
      { model: 'a', dataset: 'own', correct, groups },
      { model: 'a', dataset: 'stated', correct, groups: named },
      { model: 'part', dataset: 'own', correct: correct.slice(0, 200), groups, content: 'own-400' },
    ])
    const run = await openRun(dir)
    const [own, stated, part] = (
      await inferDisparities(run, { by: 'income_group', draws: 300 })
    ).sort((a, b) => (a.model + a.dataset < b.model + b.dataset ? -1 : 1))
    expect(own).toMatchObject({
      model: 'a',
      dataset: 'own',
      unit: 'clusters',
      clusterCorrelation: 1,
    })
    expect([own!.p, own!.interval, own!.corrected]).toEqual([
      stated!.p,
      stated!.interval,
      stated!.corrected,
    ])
    expect(part).toMatchObject({ model: 'part', unit: 'clusters' })
    await rm(dir, { recursive: true, force: true })
  })

  describe.skipIf(!shared)('on the golden outcomes', () => {
    it('regions, disparity and households are those of pandas', async () => {
      const { images, correct, expected } = outcomes()
      const groups = (i: number) => ({ region: images[i]!.region, household: images[i]!.household })
      const [[model, hits]] = [...correct] as [[string, Uint8Array]]
      const dir = await storeRun([
        { model, dataset: 'd', correct: Array.from(hits, hit => hit === 1), groups },
      ])
      const run = await openRun(dir)
      const truth = expected.models[model]!
      for (const { group, n, top1, low, high } of run.accuracy({ by: 'region' })) {
        expect(n).toBe(truth.region.n[group])
        expect(top1).toBeCloseTo(truth.region.accuracy[group]!, 9)
        const independent = wilson(n * top1!, n)!
        expect(independent[0]).toBeCloseTo(truth.region.wilson95[group]![0], 9)
        expect(independent[1]).toBeCloseTo(truth.region.wilson95[group]![1], 9)
        expect(low).toBeLessThan(independent[0])
        expect(high).toBeGreaterThan(independent[1])
      }
      const [row] = await inferDisparities(run, { by: 'region' })
      expect(row!.disparity).toBeCloseTo(truth.region.disparity, 9)
      expect(row!.europeMinusAfrica).toBeCloseTo(truth.europe_minus_africa, 9)
      expect(row!.unit).toBe('clusters')
      const [low, high] = truth.cluster_bootstrap95.region_disparity
      expect(row!.interval![0]).toBeLessThan(high)
      expect(row!.interval![1]).toBeGreaterThan(low)
      await rm(dir, { recursive: true, force: true })
    })
  })
})
