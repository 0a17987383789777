/** Tables 4 and 9: retraining the last layer of a ViT on DollarStreet. */
import { overlapObjects } from '../../datasets/benchmarks/geode.ts'
import { plain } from '../../datasets/labels/labels.ts'
import { groupBy, sumCounts } from '../../metrics/accuracy.ts'
import { disparity } from '../../metrics/disparity.ts'
import { wilson } from '../../metrics/intervals.ts'
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { testbedModel } from '../../models/testbed.ts'
import { readStudy, type StudyValues } from '../../results/studies.ts'
import { compare, type Comparison, type Ours, printedIn } from './comparison.ts'
import { largestDisparity, meanAccuracy, notRun } from './disparities.ts'
import { type Evidence } from './evidence.ts'

const study = 'last-layer'
const settings = [0.05, 0.1, 0.25, 0.5, 0.75, 1]
const quantities = ['dollarstreet accuracy', 'geode accuracy', 'dollarstreet disparity', 'geode disparity']

const unitOf = (quantity: string): string => (quantity.endsWith(' accuracy') ? 'percent' : 'points')

/** One retrained model: the paper's, whether it is stored or not, or another one. */
interface Studied {
  model: string
  name: string
  stored: StudyValues[] | null
  quantities: readonly string[]
}

/** The paper's model and its data sets come first, then what else is stored. */
async function studied({ run }: Evidence): Promise<Studied[]> {
  const paper = testbedModel('vit')
  const all = await readStudy(run.dir, study)
  const models = new Set([paper, ...(all ?? []).map(({ model = paper }) => model)])
  return [...models].map(model => {
    const stored = all && all.filter(row => (row.model ?? paper) === model)
    const own = (stored ?? []).map(({ metric }) => metric).filter(metric => /. (accuracy|disparity)$/.test(metric))
    const isPaper = model === paper
    const known = new Set([...(isPaper ? quantities : []), ...own])
    return { model, name: isPaper ? 'vit' : model, stored, quantities: [...known] }
  })
}

export async function tableFour(evidence: Evidence): Promise<Comparison[]> {
  const printed = printedIn('4')
  const vit = await pretrainedVit(evidence)
  return (await studied(evidence)).flatMap(({ model, name, stored, quantities }) =>
    [name, `retrained ${name}`].flatMap((row, retrained) =>
      quantities.map(quantity => {
        const evaluated = name === 'vit' && retrained === 0 ? vit[quantity] : undefined
        const ours = evaluated?.value == null ? overSeeds(stored, retrained, quantity) : evaluated
        const shown = ours.value === null && evaluated ? evaluated : ours
        return compare({ table: '4', set: model, row, quantity, unit: unitOf(quantity) }, shown, printed(row, quantity))
      }),
    ),
  )
}

export async function tableNine(evidence: Evidence): Promise<Comparison[]> {
  const printed = printedIn('9')
  return (await studied(evidence)).flatMap(({ model, name, stored, quantities }) => {
    const own = (stored ?? []).map(({ setting }) => setting).filter(setting => setting > 0)
    const all = [...new Set([...(name === 'vit' ? settings : []), ...own])].sort((a, b) => a - b)
    return all.flatMap(setting =>
      quantities.map(quantity => {
        const row = String(Math.round(1000 * setting) / 10)
        const ours = overSeeds(stored, setting, quantity)
        const paper = name === 'vit' ? printed(row, quantity) : undefined
        return compare({ table: '9', set: model, row, quantity, unit: unitOf(quantity) }, ours, paper)
      }),
    )
  })
}

/** The paper's model as it was evaluated, before training. */
const pretrainedVit = async (evidence: Evidence): Promise<Record<string, Ours>> => {
  const model = testbedModel('vit')
  return {
    'dollarstreet accuracy': meanAccuracy(evidence, ['dollarstreet'], model),
    'dollarstreet disparity': await largestDisparity(evidence, 'dollarstreet', model),
    ...overlapOnGeode(evidence, model),
  }
}

/** Mean over the seeds with its t-interval; `n` counts seeds. */
export function overSeeds(stored: readonly StudyValues[] | null, setting: number, metric: string): Ours {
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
  return { value, interval: meanInterval(values), n: values.length, note: `mean of ${values.length} seeds` }
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
