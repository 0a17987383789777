/** Compares tables 4 and 9 of the paper, retraining the last layer of a ViT on DollarStreet, with stored studies. */
import { overlapObjects } from '../../datasets/benchmarks/geode.ts'
import { normalizeLabel } from '../../datasets/labels/labelSpace.ts'
import { groupBy, sumCounts } from '../../metrics/accuracy.ts'
import { disparity } from '../../metrics/disparity.ts'
import { shareInterval } from '../../metrics/intervals.ts'
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { testbedModel } from '../../models/testbed.ts'
import { readStudy, type StudyValues } from '../../results/studies.ts'
import { comparisonRow, type MeasuredValue, type PaperComparison } from './comparison.ts'
import { largestDisparity, meanAccuracy, noResultsText } from './disparities.ts'
import { type PaperView } from './paperView.ts'

const studyName = 'last-layer'
const tableNineShares = [0.05, 0.1, 0.25, 0.5, 0.75, 1]
const tableFourQuantities = [
  'dollarstreet accuracy',
  'geode accuracy',
  'dollarstreet disparity',
  'geode disparity',
]

/** A retrained model: the paper's, stored or not, or another stored one. */
interface RetrainedModel {
  model: string
  name: string
  stored: StudyValues[] | null
  quantities: readonly string[]
}

/** Returns the paper's model and its data sets first, then the other stored ones. */
async function retrainedModels({ run }: PaperView): Promise<RetrainedModel[]> {
  const paper = testbedModel('vit')
  const all = await readStudy(run.dir, studyName)
  const models = new Set([paper, ...(all ?? []).map(({ model = paper }) => model)])
  return [...models].map(model => {
    const stored = all && all.filter(row => (row.model ?? paper) === model)
    const own = (stored ?? [])
      .map(({ metric }) => metric)
      .filter(metric => /. (accuracy|disparity)$/.test(metric))
    const isPaper = model === paper
    const known = new Set([...(isPaper ? tableFourQuantities : []), ...own])
    return { model, name: isPaper ? 'vit' : model, stored, quantities: [...known] }
  })
}

export async function retrainingRows(evidence: PaperView): Promise<PaperComparison[]> {
  const rowOf = comparisonRow('4')
  const vit = await pretrainedQuantities(evidence)
  return (await retrainedModels(evidence)).flatMap(({ model, name, stored, quantities }) =>
    [name, `retrained ${name}`].flatMap((row, retrained) =>
      quantities.map(quantity => {
        const evaluated = name === 'vit' && retrained === 0 ? vit[quantity] : undefined
        const ours =
          evaluated?.value == null ? meanOverSeeds(stored, retrained, quantity) : evaluated
        const shown = ours.value === null && evaluated ? evaluated : ours
        return rowOf({ set: model, row, quantity }, shown)
      }),
    ),
  )
}

export async function dataShareRows(evidence: PaperView): Promise<PaperComparison[]> {
  const rowOf = comparisonRow('9')
  return (await retrainedModels(evidence)).flatMap(({ model, name, stored, quantities }) => {
    const own = (stored ?? []).map(({ setting }) => setting).filter(setting => setting > 0)
    const all = [...new Set([...(name === 'vit' ? tableNineShares : []), ...own])].sort(
      (a, b) => a - b,
    )
    return all.flatMap(setting =>
      quantities.map(quantity => {
        const row = String(Math.round(1000 * setting) / 10)
        const column = name === 'vit' ? quantity : ''
        return rowOf(
          { set: model, row, quantity, column },
          meanOverSeeds(stored, setting, quantity),
        )
      }),
    )
  })
}

/** Returns the quantities of the paper's model as evaluated, before training. */
const pretrainedQuantities = async (
  evidence: PaperView,
): Promise<Record<string, MeasuredValue>> => {
  const model = testbedModel('vit')
  return {
    'dollarstreet accuracy': meanAccuracy(evidence, ['dollarstreet'], model),
    'dollarstreet disparity': await largestDisparity(evidence, 'dollarstreet', model),
    ...overlapOnGeode(evidence, model),
  }
}

/** Returns the mean over seeds with its t-interval; `n` is the number of seeds. */
export function meanOverSeeds(
  stored: readonly StudyValues[] | null,
  setting: number,
  metric: string,
): MeasuredValue {
  if (!stored) return { value: null, note: 'no retraining results stored' }
  const row = stored.find(one => Math.abs(one.setting - setting) < 1e-9 && one.metric === metric)
  const values = row?.values.filter(value => value !== null) ?? []
  if (values.length === 0) {
    const known = [...new Set(stored.map(one => one.metric))].join(', ')
    const what = `no ${metric} stored for ${Math.round(1000 * setting) / 10} % of the data`
    return { value: null, note: known === '' ? what : `${what}; stored are ${known}` }
  }
  const value = mean(values)
  if (values.length === 1) return { value, n: 1, note: 'one seed' }
  return {
    value,
    interval: meanInterval(values),
    n: values.length,
    note: `mean of ${values.length} seeds`,
  }
}

/** Returns the GeoDE columns of table 4, which are on the objects that share ImageNet classes with DollarStreet (appendix E). */
function overlapOnGeode(
  evidence: PaperView,
  model: string,
): Record<'geode accuracy' | 'geode disparity', MeasuredValue> {
  const objects = new Set(overlapObjects)
  const cells = evidence
    .cellsOf('geode', model)
    .filter(({ label }) => objects.has(normalizeLabel(label)))
  const { n, top1 } = sumCounts(cells)
  const nothing = { value: null, note: noResultsText(model, 'geode') }
  if (n === 0) return { 'geode accuracy': nothing, 'geode disparity': nothing }
  const found = disparity(groupBy(cells, ['region']).groups, evidence.minN)
  return {
    'geode accuracy': {
      value: top1 / n,
      interval: shareInterval(top1, n),
      n: 1,
      note: `${objects.size} overlapping classes`,
    },
    'geode disparity': {
      value: found.disparity,
      n: 1,
      note: found.reason ?? `${objects.size} overlapping classes`,
    },
  }
}
