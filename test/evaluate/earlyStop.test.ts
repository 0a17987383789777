import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Dataset, type Sample } from '../../src/datasets/dataset.ts'
import { randomFrom } from '../../src/lib/random.ts'
import { estimateTable, savingLines } from '../../src/report/tables/estimateTable.ts'
import { openRun } from '../../src/results/run.ts'
import { parseStoppingRule, createStoppingMonitor } from '../../src/evaluate/stoppingRule.ts'
import { ownDataset } from '../datasets/ownDataset.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate()

describe('what until means', () => {
  it.each([
    ['region ±1', { by: 'region', halfWidth: 0.01 }],
    ['country +-2.5', { by: 'country', halfWidth: 0.025 }],
    [' ±0.5 ', { by: null, halfWidth: 0.005 }],
  ])('%s', (text, rule) => expect(parseStoppingRule(text)).toEqual(rule))

  it.each(['region', 'region 1', 'region ±0', '±60', 'a b ±1'])('refuses %s', text =>
    expect(() => parseStoppingRule(text)).toThrow(`cannot read until: ${text}`),
  )
})

/** Two regions of `size` images, in visiting order. */
const halves = (size: number): Dataset => {
  const items = Array.from({ length: 2 * size }, (_, i): Sample => ({
    id: `${i}`,
    image: { kind: 'file', file: `${i}.jpg` },
    labels: [0],
    label: 'cup',
    groups: { region: i < size ? 'Africa' : 'Europe' },
  }))
  return ownDataset(items, ['region'], { order: 'random' })
}

/** Reads both regions in shards of 25 until nothing is wanted; `hit` decides each outcome, failures are read as such. */
function readOn(size: number, hits: readonly (number | 'hung')[], until: string) {
  const rule = createStoppingMonitor(halves(size), parseStoppingRule(until), {
    models: ['m'],
    bins: new Uint8Array(2 * size),
  })
  for (let at = 0; at < size; at += 25) {
    for (const start of [at, size + at]) {
      if (!rule.isNeeded({ start, end: start + 25 })) continue
      const part = hits.slice(start, start + 25)
      const status = part.map(hit => (hit === 'hung' ? 'hung' : 'ok'))
      rule.addPredictions(
        { model: 'm', status, rank: Int32Array.from(part, hit => (hit === 1 ? 1 : 7)) },
        start,
      )
    }
  }
  return rule.estimates('m')
}

describe('stopping', () => {
  const share = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length

  it('ends region by region, and covers what all images would give in at least 95 % of 1,000 estimates', () => {
    const random = randomFrom(9)
    let covered = 0
    for (let run = 0; run < 500; run++) {
      const chance = random()
      const hits = Array.from({ length: 400 }, () => Number(random() < chance))
      for (const { group, low, high, read, images } of readOn(200, hits, 'region ±12')) {
        expect(read === images || high - low <= 0.24).toBe(true)
        const truth = share(group === 'Africa' ? hits.slice(0, 200) : hits.slice(200))
        if (low <= truth && truth <= high) covered++
      }
    }
    expect(covered / 1000).toBeGreaterThanOrEqual(0.95)
  })

  it('needs fewer images where answers are sure', () => {
    const hits = [
      ...new Array<number>(1000).fill(1),
      ...Array.from({ length: 1000 }, (_, i) => i % 2),
    ]
    const [sure, unsure] = readOn(1000, hits, 'region ±5')
    expect(sure!.read).toBeLessThan(250)
    expect(unsure!.read).toBeGreaterThan(400)
    expect(unsure!.read).toBeLessThan(800)
  })

  it('reckons with images that failed on both sides', () => {
    const hits = Array.from({ length: 200 }, (_, i): number | 'hung' =>
      i % 10 === 0 ? 'hung' : Number(i % 3 === 0),
    )
    const [africa] = readOn(100, hits, 'region ±0.1')
    const readable = hits.slice(0, 100).filter(hit => hit !== 'hung')
    expect(africa).toMatchObject({ read: 100, failed: 10 })
    expect(africa!.low).toBeLessThan(share(readable))
    expect(africa!.high).toBeGreaterThan(share(readable))
    expect(africa!.estimate).toBeCloseTo(share(readable), 10)
  })

  it('refuses images in the order of Parquet files', () => {
    const files = halves(10)
    delete files.order
    expect(() =>
      createStoppingMonitor(files, parseStoppingRule('±1'), { models: ['m'], bins: [] }),
    ).toThrow('made up is read in the order of its Parquet files')
  })
})

describe('an evaluation until it knows enough', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'geogap-until-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it('stops early with an estimate that holds, uses models that are done, and goes on later', async () => {
    const name = await writeWorld(folder, 320)
    const models = [
      await writeModel(join(folder, 'models')),
      await writeModel(join(folder, 'models'), 2),
    ]
    const options = {
      datasets: [{ name, classes: join(folder, 'classes.txt') }],
      out: join(folder, 'out'),
    }
    await evaluate({ ...options, models: [models[0]!] })
    const early = await evaluate({ ...options, models: [models[1]!], until: 'region ±11' })
    expect(
      early.estimates.map(({ group, images, controls }) => ({ group, images, controls })),
    ).toEqual([
      { group: 'Africa', images: 160, controls: 1 },
      { group: 'Europe', images: 160, controls: 1 },
    ])
    for (const { low, high } of early.estimates) expect(high - low).toBeLessThanOrEqual(0.22)
    expect(early.estimates.reduce((sum, { read }) => sum + read, 0)).toBeLessThan(320)
    const partial = early.accuracy({ by: 'region', model: models[1]!.name })
    for (const [i, { n, of }] of partial.entries()) {
      expect(of).toBe(160)
      expect(n).toBeGreaterThanOrEqual(early.estimates[i]!.read)
    }
    expect(savingLines(early.estimates)[0]).toMatch(
      /region ±11 with \d+ of 320 images .*outcomes of 1 other models about \d+$/,
    )
    expect(estimateTable(early.estimates).text('text')).toContain('Africa')

    const whole = await evaluate({ ...options, models: [models[1]!] })
    expect(whole.estimates).toEqual([])
    for (const { group, n, of, top1 } of whole.accuracy({ by: 'region', model: models[1]!.name })) {
      expect([n, of]).toEqual([160, null])
      const { low, high } = early.estimates.find(row => row.group === group)!
      expect(top1).toBeGreaterThanOrEqual(low)
      expect(top1).toBeLessThanOrEqual(high)
    }
    expect((await openRun(options.out)).accuracy()).toHaveLength(2)
  })
})
