/**
 * Counts how often the intervals that geogap prints contain the truth, in worlds of known truth, and writes the tables into
 * docs/developers/coverage.md: `npx tsx scripts/coverage.ts [--samples N] [--only KIND]`, N 2,000 by default.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { measureStandings, type ModelMeasures } from '../src/analysis/standing.ts'
import { accuracy } from '../src/metrics/accuracy.ts'
import { pairDifference } from '../src/metrics/disparity.ts'
import { inferDisparity } from '../src/metrics/disparityInference.ts'
import { binomialCdf } from '../src/metrics/distributions.ts'
import { correctedSlope, meanInference, slopeInference } from '../src/metrics/familyInference.ts'
import { mixedSlope } from '../src/metrics/mixedModel.ts'
import { incomeControlled } from '../src/metrics/incomeControlled.ts'
import { spread } from '../src/metrics/numbers.ts'
import { type Random, randomFrom } from '../src/lib/random.ts'
import { pairedInterval } from '../src/metrics/pairedInterval.ts'
import { accuracyTable, progressGap } from '../src/metrics/progress.ts'
import { disparityTrend } from '../src/metrics/disparityTrend.ts'
import { joinOutcomes } from '../src/metrics/signFlip.ts'
import { changeClusterings } from '../src/analysis/compare.ts'
import { independentImages } from '../src/metrics/designEffect.ts'
import { type PairedCounts } from '../src/analysis/imagePairs.ts'
import { meanRows, partRows } from './coverageParts.ts'
import { shrunkenHead, shrunkenRows, valueRows } from './coverageValues.ts'
import { percent, tableText, Tally } from './coverageTally.ts'
import { flipped, gateFails } from './coverageGate.ts'
import {
  betaChance,
  binomial,
  drawGroups,
  drawModels,
  groupWorlds,
  modelWorlds,
  opinionWorlds,
} from './coverageWorlds.ts'

const page = new URL('../docs/developers/coverage.md', import.meta.url)

type Rows = (samples: number) => string[][]

const accuracyRows: Rows = () =>
  [30, 40, 60, 100, 250, 1000, 5000].map(n => {
    const intervals = Array.from({ length: n + 1 }, (_, top1) => accuracy({ n, top1 }).interval!)
    return [
      n.toLocaleString('en-US'),
      ...[0.5, 0.7, 0.85, 0.9, 0.95, 0.98, 0.99, 0.995].map(share => {
        let [covered, width] = [0, 0]
        for (const [k, [low, high]] of intervals.entries()) {
          const chance = binomialCdf(k, n, share) - binomialCdf(k - 1, n, share)
          if (low <= share && share <= high) covered += chance
          width += chance * (high - low)
        }
        return `${percent(covered)} (${(100 * width).toFixed(1)})`
      }),
    ]
  })

const groupRows: Rows = samples =>
  groupWorlds.map(setting => {
    const random = randomFrom(20_261)
    const disparity = new Tally()
    const difference = new Tally()
    let fails = 0
    const truth = spread([...setting.shares])
    const last = `${setting.shares.length - 1}`
    for (let i = 0; i < samples; i++) {
      const sample = drawGroups(setting, random)
      const { groups, clusters } = sample
      const { interval } = inferDisparity(groups, { seed: i, draws, clusters: clusters ?? null })
      disparity.add(interval, truth)
      difference.add(
        pairDifference(groups, { pair: [last, '0'], clusters }).interval,
        setting.shares.at(-1)! - setting.shares[0]!,
      )
      // The gate's interval is wider, so it excludes the truth from below only where this one does.
      const mayBreak = interval !== null && interval[0] > truth
      if (gateFails(sample, setting, random, mayBreak)) fails++
    }
    return report([
      setting.text,
      disparity.text(1, 100),
      difference.text(1, 100),
      percent(fails / samples),
    ])
  })

/** Draws of a disparity: fewer than the 1,000 of the product, to save time. */
const draws = 400

const slopes = { standard: 1.3, geographic: 0.7 }

const modelRows: Rows = samples =>
  modelWorlds.map(setting => {
    const random = randomFrom(20_262)
    const tallies = Array.from({ length: 5 }, () => new Tally()) as [
      Tally,
      Tally,
      Tally,
      Tally,
      Tally,
    ]
    const [rate, difference, ratio, mean, prediction] = tallies
    let claims = 0
    for (let i = 0; i < samples; i++) {
      const models = drawModels(setting, random)
      const on = (slope: number, which: 0 | 1) =>
        models.map(({ model, truth, deviations }) => ({
          model,
          accuracy: Math.min(1, Math.max(0, 0.5 + slope * (truth - 0.7) + deviations[which])),
        }))
      const table = accuracyTable([
        ...models.map(({ model, x }) => ({ model, benchmark: 'imagenet-1k', accuracy: x })),
        ...on(slopes.standard, 0).map(row => ({ ...row, benchmark: 'standard' })),
        ...on(slopes.geographic, 1).map(row => ({ ...row, benchmark: 'geographic' })),
      ])
      const families = new Map(models.map(({ model, family }) => [model, family]))
      const images = new Map(models.map(({ model }) => [model, setting.images]))
      const benchmarks = { standard: 'standard', geographic: 'geographic' }
      const gap = progressGap(table, benchmarks, { families, images })
      rate.add(gap.geographic.interval, slopes.geographic)
      difference.add(gap.intervals.difference, slopes.standard - slopes.geographic)
      ratio.add(gap.intervals.ratio, slopes.standard / slopes.geographic)
      const names = models.map(({ family }) => family)
      const deviations = models.map(one => one.deviations[0])
      mean.add(meanInference(deviations, names, 0.95).interval, 0)
      const trend = disparityTrend(
        models.map((one, k) => ({ model: one.model, accuracy: one.x, disparity: deviations[k]! })),
        { families, images },
      ).interval
      if (trend !== null && (trend[0] > 0 || trend[1] < 0)) claims++
      addPrediction(prediction, models, random)
    }
    return report([
      setting.text,
      ...[rate, difference, ratio].map(one => one.text(2, 1)),
      percent(claims / samples),
      ...[mean, prediction].map(one => one.text(1, 100)),
    ])
  })

/** Half as many samples, as each fits a mixed model. */
const opinionRows: Rows = samples =>
  opinionWorlds.map(setting => {
    const random = randomFrom(20_265)
    const least = new Tally()
    const mixed = new Tally()
    const corrected = new Tally()
    const truth = slopes.standard - slopes.geographic
    for (let i = 0; i < samples / 2; i++) {
      const models = drawModels(setting, random)
      const x = models.map(one => one.x)
      const families = models.map(({ family }) => family)
      const apart = models.map(one => truth * one.truth + one.deviations[0] - one.deviations[1])
      const xVariances = x.map(value => (value * (1 - value)) / setting.images)
      least.add(slopeInference({ x, families, xVariances }, apart, 0.95).interval, truth)
      corrected.add(correctedSlope({ x, families, xVariances }, apart, 0.95).interval, truth)
      mixed.add(mixedSlope({ x, families }, apart, 0.95).interval, truth)
    }
    const isExact = setting.images >= 50_000
    return report([
      setting.text,
      least.text(2, 1),
      isExact ? mixed.text(2, 1) : 'takes x as exact',
      corrected.text(2, 1),
    ])
  })

/** Predicts a model, drawn among all, from the others. */
function addPrediction(tally: Tally, models: ReturnType<typeof drawModels>, random: Random): void {
  const measured = models.map(({ model, x, truth, deviations }): ModelMeasures => ({
    model,
    kind: '1K',
    values: new Map([
      ['reference', x],
      ['other', 0.5 + 0.7 * (truth - 0.7) + deviations[0]],
    ]),
  }))
  const own = measured[Math.floor(random() * measured.length)]!
  const [found] = measureStandings(own, measured, 'reference')
  tally.add(found?.interval ?? null, found?.value ?? 0)
}

interface ChangeWorld {
  text: string
  /** Images, or households. */
  n: number
  lost: number
  gained: number
  /** Largest household. */
  most: number
  /** Correlation of the images of a household; 1 where they flip alike. */
  rho: number
}

const change = (n: number, lost: number, gained: number, most?: number): ChangeWorld => ({
  text: `${n.toLocaleString('en-US')} images, ${100 * lost} % lost, ${100 * gained} % gained${most === undefined ? '' : `, households of 1 to ${most}`}`,
  n,
  lost,
  gained,
  most: most ?? 1,
  rho: 1,
})

/** Returns the setting of `n` households of 1 to `most` images. */
const fewHomes = (
  n: number,
  lost: number,
  gained: number,
  [most, rho]: [number, number],
): ChangeWorld => ({
  text: `${n} households of 1 to ${most}, correlation ${rho}, ${100 * lost} % lost, ${100 * gained} % gained`,
  n,
  lost,
  gained,
  most,
  rho,
})

const changeWorlds = [
  change(40, 0.02, 0.02),
  change(40, 0.15, 0.05),
  change(100, 0.01, 0.01),
  change(100, 0.06, 0.01),
  change(400, 0.005, 0.005),
  change(400, 0.06, 0.01),
  change(2000, 0.002, 0.001),
  change(2000, 0.1, 0.12),
  change(300, 0.05, 0.05, 12),
  change(300, 0.1, 0.02, 12),
  change(1500, 0.02, 0.02, 30),
  change(1500, 0.08, 0.08, 5),
  fewHomes(2, 0.1, 0.3, [40, 0.3]),
  fewHomes(3, 0.3, 0.3, [60, 0.2]),
  fewHomes(3, 0.1, 0.4, [30, 0.3]),
  fewHomes(5, 0.3, 0.1, [40, 0.3]),
  fewHomes(5, 0.02, 0.02, [30, 0.3]),
  fewHomes(7, 0.05, 0.1, [60, 0.05]),
  fewHomes(10, 0.1, 0.3, [40, 0.3]),
  fewHomes(10, 0.2, 0.5, [8, 0.6]),
  fewHomes(20, 0.2, 0.5, [8, 0.6]),
  fewHomes(20, 0.03, 0, [20, 0.3]),
  fewHomes(20, 0.1, 0.1, [20, 0.05]),
]

/** The regions of a comparison that are measured together. */
const comparedRegions = 4

const changeRows: Rows = samples =>
  changeWorlds.map(setting => {
    const random = randomFrom(20_263)
    const tally = new Tally()
    const isHoused = setting.most > 1
    for (let i = 0; i < samples; i++) {
      const cells = Array.from({ length: isHoused ? comparedRegions : 1 }, (_, k) =>
        drawChange(`${k}`, setting, random),
      )
      const { inflation, reason } = changeClusterings(cells.flat()).get('0') ?? independentImages
      const interval = pairedInterval(joinOutcomes(cells[0]!), 0.95, inflation)
      tally.add(reason === null ? interval : null, setting.gained - setting.lost)
    }
    return report([setting.text, tally.text(1, 100)])
  })

function drawChange(
  group: string,
  { n, lost, gained, most, rho }: ChangeWorld,
  random: Random,
): PairedCounts[] {
  const cells: PairedCounts[] = []
  for (let left = n; left > 0;) {
    const any = Math.max(1, Math.round(most ** random()))
    const size = rho === 1 ? Math.min(left, any) : any
    left -= rho === 1 ? size : 1
    const [down, up] = flipChances(lost, gained, { rho, random })
    const onlyFirst = binomial(size, down, random)
    const onlySecond =
      down >= 1 ? 0 : binomial(size - onlyFirst, Math.min(1, up / (1 - down)), random)
    const own = { group, n: size, onlyFirst, onlySecond }
    cells.push(flipped(most === 1 ? own : { ...own, cluster: `${cells.length}` }))
  }
  return cells
}

/** The chances that an image of one household is lost and gained, of the given means and correlation. */
function flipChances(
  lost: number,
  gained: number,
  { rho, random }: { rho: number; random: Random },
): [down: number, up: number] {
  const any = betaChance(lost + gained, rho, random)
  const down = any * betaChance(lost / (lost + gained), rho, random)
  return [down, any - down]
}

const incomeWorlds: readonly { text: string; n: readonly number[]; shares: readonly number[] }[] = [
  { text: '4 levels of 40 and 40', n: [40, 40], shares: [0.7, 0.6] },
  { text: '4 levels of 100 and 25', n: [100, 25], shares: [0.95, 0.9] },
  { text: '4 levels of 30 and 30', n: [30, 30], shares: [0.99, 0.99] },
  { text: '4 levels of 400 and 60', n: [400, 60], shares: [0.995, 0.96] },
]

const incomeRows: Rows = samples =>
  incomeWorlds.map(({ text, n, shares }) => {
    const random = randomFrom(20_264)
    const mean = new Tally()
    const level = new Tally()
    const names = ['Europe', 'Africa']
    for (let i = 0; i < samples; i++) {
      const cells = ['Q1', 'Q2', 'Q3', 'Q4'].flatMap(income =>
        names.map((group, k) => ({
          income,
          group,
          n: n[k]!,
          top1: binomial(n[k]!, shares[k]!, random),
        })),
      )
      const { rows, controlled } = incomeControlled(cells)
      mean.add(controlled.interval, shares[0]! - shares[1]!)
      level.add(rows[0]!.interval, shares[0]! - shares[1]!)
    }
    return [`${text}, ${shares.join(' and ')}`, level.text(1, 100), mean.text(1, 100)]
  })

/** Prints a row as soon as it is there, and returns it. */
function report(row: string[]): string[] {
  process.stderr.write(`${row.join(' | ')}\n`)
  return row
}

/** The kinds of interval: the heads of their table, and its rows. */
const kinds: Record<string, { head: string[]; rows: Rows }> = {
  accuracy: {
    head: ['images', '.5', '.7', '.85', '.9', '.95', '.98', '.99', '.995'],
    rows: accuracyRows,
  },
  groups: {
    head: ['groups and their true accuracies', 'disparity', 'last minus first group', 'gate fails'],
    rows: groupRows,
  },
  models: {
    head: [
      'models and families',
      'rate',
      'gap as difference',
      'gap as ratio',
      'false trend',
      'mean',
      'one more model',
    ],
    rows: modelRows,
  },
  opinions: {
    head: ['models and families', 'gap as difference', 'mixed model', 'corrected by moments'],
    rows: opinionRows,
  },
  changes: { head: ['change between two models', 'change'], rows: changeRows },
  income: {
    head: ['difference at equal income', 'one level', 'mean over levels'],
    rows: incomeRows,
  },
  parts: {
    head: ['gap between two regions', 'gap', 'which objects', 'income', 'left'],
    rows: partRows,
  },
  means: {
    head: ['groups and their true accuracies', 'macro, as classes', 'worst group', 'worst fifth'],
    rows: meanRows,
  },
  values: { head: ['groups and their true means', 'mean', "Student's t"], rows: valueRows },
  shrunken: { head: shrunkenHead, rows: shrunkenRows },
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      samples: { type: 'string', default: '2000' },
      only: { type: 'string', multiple: true, default: Object.keys(kinds) },
    },
  })
  for (const name of values.only) {
    const { head, rows } = kinds[name]!
    const table = tableText(head, rows(Number(values.samples)))
    process.stdout.write(`${table}\n\n`)
    if (values.samples !== '2000') continue
    const text = await readFile(page, 'utf8')
    const [start, end] = [`<!-- coverage: ${name} -->\n`, '\n<!-- end -->']
    const from = text.indexOf(start) + start.length
    await writeFile(page, text.slice(0, from) + table + text.slice(text.indexOf(end, from)))
  }
}

await main()
