/** Tables 4 and 9: retraining the last layer of a ViT on DollarStreet. */
import { overlapObjects } from '../../datasets/geode.ts'
import { plain } from '../../datasets/labels.ts'
import { groupBy, sumCounts } from '../../metrics/accuracy.ts'
import { tQuantile } from '../../metrics/distributions.ts'
import { disparity } from '../../metrics/disparity.ts'
import { wilson } from '../../metrics/intervals.ts'
import { mean } from '../../metrics/numbers.ts'
import { readStudy, type StudyValues } from '../../predictions/studies.ts'
import { compare, type Comparison, type Ours, printedIn } from './comparison.ts'
import { largestDisparity, meanAccuracy, notRun, testbedModel } from './disparities.ts'
import { type Evidence } from './evidence.ts'

const study = 'last-layer'
const settings = [5, 10, 25, 50, 75, 100]
const quantities = [
  ['dollarstreet accuracy', 'percent'],
  ['geode accuracy', 'percent'],
  ['dollarstreet disparity', 'points'],
  ['geode disparity', 'points'],
] as const

export async function tableFour(evidence: Evidence): Promise<Comparison[]> {
  const stored = await readStudy(evidence.run.dir, study)
  const printed = printedIn('4')
  const model = testbedModel('vit')
  const untrained: Record<string, Ours> = {
    'dollarstreet accuracy': meanAccuracy(evidence, ['dollarstreet'], model),
    'dollarstreet disparity': await largestDisparity(evidence, 'dollarstreet', model),
    ...overlapOnGeode(evidence, model),
  }
  return ['vit', 'retrained vit'].flatMap(row =>
    quantities.map(([quantity, unit]) => {
      const ours = row === 'vit' ? untrained[quantity]! : overSeeds(stored, 1, quantity)
      return compare({ table: '4', set: model, row, quantity, unit }, ours, printed(row, quantity))
    }),
  )
}

export async function tableNine(evidence: Evidence): Promise<Comparison[]> {
  const stored = await readStudy(evidence.run.dir, study)
  const printed = printedIn('9')
  return settings.flatMap(percent =>
    quantities.map(([quantity, unit]) =>
      compare(
        { table: '9', set: testbedModel('vit'), row: String(percent), quantity, unit },
        overSeeds(stored, percent / 100, quantity),
        printed(String(percent), quantity),
      ),
    ),
  )
}

/** Mean over the seeds with its t-interval; `n` counts seeds. */
export function overSeeds(stored: readonly StudyValues[] | null, setting: number, metric: string): Ours {
  if (!stored) return { value: null, note: 'no retraining results stored' }
  const row = stored.find(one => Math.abs(one.setting - setting) < 1e-9 && one.metric === metric)
  const values = row?.values.filter(value => value !== null) ?? []
  if (values.length === 0) return { value: null, note: `no ${metric} stored for ${100 * setting} % of the data` }
  const value = mean(values)
  if (values.length === 1) return { value, n: 1, note: 'one seed' }
  const squares = values.reduce((sum, one) => sum + (one - value) ** 2, 0)
  const error = Math.sqrt(squares / (values.length - 1) / values.length)
  const half = tQuantile(0.975, values.length - 1) * error
  return { value, interval: [value - half, value + half], n: values.length, note: `mean of ${values.length} seeds` }
}

/** Table 4's GeoDE columns are on the objects that share ImageNet classes with DollarStreet (appendix E). */
function overlapOnGeode(evidence: Evidence, model: string): Record<'geode accuracy' | 'geode disparity', Ours> {
  const objects = new Set(overlapObjects)
  const cells = evidence.cells('geode', model).filter(({ label }) => objects.has(plain(label)))
  const { n, top1 } = sumCounts(cells)
  const nothing = { value: null, note: notRun(model, 'geode') }
  if (n === 0) return { 'geode accuracy': nothing, 'geode disparity': nothing }
  const found = disparity(groupBy(cells, ['region']).groups, evidence.minN)
  return {
    'geode accuracy': { value: top1 / n, interval: wilson(top1, n), n: 1, note: `${objects.size} overlapping classes` },
    'geode disparity': { value: found.disparity, n: 1, note: found.reason ?? `${objects.size} overlapping classes` },
  }
}
