import { describe, expect, it } from 'vitest'
import { readTable } from '../../../src/datasets/readTable.ts'
import { testbedModel } from '../../../src/models/testbed.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import { accuracyTable } from '../../../src/metrics/progress.ts'
import {
  publishedAccuracies,
  publishedSources,
  unpublishedRows,
} from '../../../src/analysis/paper/publishedAccuracies.ts'
import { paperClaims, paperTable } from '../../../src/analysis/paper/printedNumbers.ts'
import { publishedProgress } from '../../../src/analysis/paper/publishedProgress.ts'

describe('published accuracies', () => {
  const rows = publishedAccuracies()

  it('cover the testbed but for the rows that nobody publishes', () => {
    const known = new Set(rows.map(row => row.row))
    const missing = unpublishedRows.flatMap(({ rows: names }) => names)
    expect(known.size + missing.length).toBe(98)
    expect(missing.some(name => known.has(name))).toBe(false)
    const of = (kind: string) =>
      new Set(rows.filter(row => row.kind === kind).map(row => row.row)).size
    expect([of('1K'), of('zero-shot')]).toEqual([69, 17])
  })

  it('are of the weights that the testbed pins', () => {
    for (const { row, model, source } of rows)
      if (source === 'timm') expect(model, row).toBe(testbedModel(row))
  })

  it('are shares without duplicates, each with a dated source', () => {
    expect(accuracyTable(rows).get('imagenet-1k')!.size).toBe(86)
    for (const row of rows) {
      expect(row.accuracy).toBeGreaterThan(0)
      expect(row.accuracy).toBeLessThan(1)
      expect(publishedSources[row.source].date).toMatch(/^20\d\d-\d\d-\d\d$/)
    }
  })

  it('have one image size for each model', () => {
    for (const { row, imageSize, source } of rows) {
      const own = rows.filter(other => other.row === row).map(other => other.imageSize)
      expect(new Set(own).size).toBe(1)
      expect(imageSize === null).toBe(source === 'open_clip')
    }
  })

  it.skipIf(!shared)("are those of timm's files at that size", async () => {
    for (const [name, benchmark] of [
      ['imagenet', 'imagenet-1k'],
      ['sketch', 'imagenet-sketch'],
      ['imagenet-r', 'imagenet-r'],
    ] as const) {
      const table = await readTable(sharedPath(`data/published/timm-results-${name}.csv`))
      const published = new Map(
        table.rows.map(({ model, img_size, top1 }) => [
          `${String(model)} ${String(img_size)}`,
          Number(top1) / 100,
        ]),
      )
      for (const row of rows.filter(one => one.benchmark === benchmark && one.source === 'timm'))
        expect(row.accuracy).toBeCloseTo(published.get(`${row.model} ${row.imageSize}`)!, 9)
    }
  })

  it.each([
    ['resnet50', 'resnet50.a1_in1k', 'imagenet-1k', 0.80382],
    ['regnet', 'regnety_004.pycls_in1k', 'imagenet-1k', 0.74004],
    ['convnext-small', 'convnext_small.fb_in22k_ft_in1k', 'imagenet-1k', 0.84582],
    ['clip-vit32-openai', 'ViT-B-32/openai', 'objectnet', 0.4431],
    ['clip-vit32-openai', 'ViT-B-32/openai', 'geode-datacomp', 0.8217],
  ])('say %s (%s) on %s', (row, model, benchmark, accuracy) => {
    expect(rows.find(r => r.row === row && r.benchmark === benchmark)).toMatchObject({
      model,
      accuracy,
    })
  })
})

describe("the paper's numbers", () => {
  const paperValue = (table: string, row: string, column: string) =>
    paperTable(table).values.find(value => value.row === row && value.column === column)!

  it('are kept by table, row and column', () => {
    expect(paperValue('2', 'dollarstreet', 'progress rate')).toMatchObject({
      value: 0.53,
      error: null,
    })
    expect(paperValue('9', '5', 'geode accuracy')).toMatchObject({
      value: 71.51,
      error: 2.98,
      unit: 'percent',
    })
    expect(['2', '3', '4', '8', '9'].map(table => paperTable(table).values.length)).toEqual([
      24, 24, 8, 6, 24,
    ])
    expect(() => paperTable('5')).toThrow('unknown paper table: 5; nearest: 2, 3, 4')
  })

  it('agree with themselves where they can', () => {
    const value = (row: string, column: string) => paperValue('2', row, column).value
    const ood = ['imagenet-sketch', 'imagenet-r', 'objectnet']
    for (const [column, digits] of [
      ['net improvement', 2],
      ['progress rate', 2],
    ] as const) {
      const mean = ood.reduce((sum, name) => sum + value(name, column), 0) / 3
      expect(Math.abs(mean - value('ood average', column))).toBeLessThan(10 ** -digits)
    }
    for (const name of [...ood, 'imagenet-v2', 'ood average']) {
      const ratio = value(name, 'progress rate') / value('dollarstreet', 'progress rate')
      expect(Math.abs(ratio - value(name, 'progress gap'))).toBeLessThan(0.06)
    }
    for (const row of ['Q2', 'Q3']) {
      const [europe, africa, gap] = ['europe accuracy', 'africa accuracy', 'disparity'].map(
        c => paperValue('8', row, c).value,
      )
      expect(Math.abs(europe! - africa! - gap!)).toBeLessThan(0.11)
    }
  })

  it('have claims with unique names', () => {
    const claims = paperClaims()
    expect(new Set(claims.map(claim => claim.id)).size).toBe(claims.length)
    expect(claims.find(claim => claim.id === 'augmix-geode')).toMatchObject({
      value: 1.86,
      relation: 'equal',
      note: null,
    })
    const drop =
      paperValue('3', 'baseline', 'geode disparity').value -
      paperValue('3', 'augmix', 'geode disparity').value
    expect(drop).toBeCloseTo(1.86, 10)
  })
})

describe('publishedProgress', () => {
  const [heads, zeroShot] = publishedProgress()

  it('is near table 2 for models with a 1,000-class head', () => {
    expect(heads).toMatchObject({ kind: '1K', models: 69, gaps: [] })
    // Sketch's rate depends on the image size of the 11 models that have two: 1.392 at the smaller ones, 1.363 at the larger ones.
    for (const [name, rate, r2, bounds] of [
      ['imagenet-v2', 1.17, 0.989, [0.012, 0.012]],
      ['imagenet-sketch', 1.392, 0.754, [0.025, 0.012]],
      ['imagenet-r', 1.504, 0.728, [0.012, 0.015]],
    ] as const) {
      const found = heads!.rates.find(row => row.name === name)!
      expect(found.line.slope).toBeCloseTo(rate, 3)
      expect(found.line.r2).toBeCloseTo(r2, 3)
      const printed = (column: string): number =>
        paperTable('2').values.find(value => value.row === name && value.column === column)!.value
      expect(Math.abs(found.line.slope! - printed('progress rate'))).toBeLessThan(bounds[0])
      expect(Math.abs(found.line.r2! - printed('r2'))).toBeLessThan(bounds[1])
      expect(found.line.interval![0]).toBeLessThan(printed('progress rate'))
      expect(found.line.interval![1]).toBeGreaterThan(printed('progress rate'))
    }
    expect(heads!.reason).toContain('no geographic accuracies')
  })

  it('shows gaps of zero-shot models, with intervals by training data or the reason for none', () => {
    expect(zeroShot).toMatchObject({ kind: 'zero-shot', models: 17, reason: null })
    expect(zeroShot!.gaps).toHaveLength(12)
    const ood = zeroShot!.gaps.find(
      gap => gap.standard === 'ood average' && gap.geographic === 'dollarstreet-datacomp',
    )!
    expect(ood.gap.ratio).toBeGreaterThan(3)
    for (const { gap } of zeroShot!.gaps) {
      const { difference, ratio, reason } = gap.intervals
      expect(difference![0]).toBeLessThan(gap.difference!)
      if (ratio === null) expect(reason).toContain('no interval')
      else expect(ratio[0] < gap.ratio! && gap.ratio! < ratio[1]).toBe(true)
    }
  })
})
