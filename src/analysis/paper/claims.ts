/** The numbers of the paper's text, each beside what the run says. */
import { disparityTrend } from '../../metrics/disparityTrend.ts'
import { mean, meanInterval } from '../../metrics/numbers.ts'
import { oodBenchmarks, progressGap, progressRate } from '../../metrics/progress.ts'
import { testbedRows } from '../../models/listing.ts'
import { testbed, testbedModel, type TestbedRow } from '../../models/testbed.ts'
import { scalingTrend } from '../../metrics/scaling.ts'
import { readStudy, type StudyValues } from '../../results/studies.ts'
import { paperClaims } from './printedNumbers.ts'
import { compareWithPaper, type PaperComparison, type MeasuredValue } from './comparison.ts'
import { europeAfrica, largestDisparity } from './disparities.ts'
import { type PaperView } from './paperView.ts'
import { missingResultsText, progressBenchmarks } from './progressTable.ts'
import { meanOverSeeds, retrainingRows } from './retraining.ts'

type ClaimAnswer = (evidence: PaperView) => MeasuredValue | Promise<MeasuredValue>

const claimAnswers: Readonly<Record<string, ClaimAnswer>> = {
  'improvement-standard': evidence => netImprovementOf(evidence, oodBenchmarks),
  'improvement-dollarstreet': evidence => netImprovementOf(evidence, ['dollarstreet']),
  'improvement-geode': evidence => netImprovementOf(evidence, ['geode']),
  gap: oodProgressGap,
  'resnet-disparity-dollarstreet': evidence => meanDifference(evidence, 'dollarstreet', isResNet),
  'resnet-disparity-geode': evidence => meanDifference(evidence, 'geode', isResNet),
  'clip-disparity-dollarstreet': evidence => bestClipDisparity(evidence, 'dollarstreet'),
  'clip-disparity-geode': evidence => bestClipDisparity(evidence, 'geode'),
  'disparity-growth': disparityGrowth,
  'rate-europe-africa': europeAfricaRateRatio,
  'geode-no-trend': evidence => {
    const { p, n, reason } = europeAfricaTrend(evidence, 'geode')
    return { value: p, n, note: reason }
  },
  'slopes-significant': largestRateP,
  'augmix-geode': evidence => augmixReduction(evidence, 'geode'),
  'augmix-dollarstreet': evidence => augmixReduction(evidence, 'dollarstreet'),
  'scaling-data': evidence => scalingClaim(evidence, 'images', 200e6),
  'scaling-parameters': evidence => scalingClaim(evidence, 'parameters', 100e6),
  'dinov2-geode': evidence => europeAfrica(evidence, 'geode', testbedModel('DINOv2')),
  'dinov2-parameters': () => {
    const row = testbedRows().find(({ alias }) => alias === 'DINOv2')!
    return { value: row.parameters / 1e6, n: 1, from: 'computed from the graph' }
  },
  'retrained-dollarstreet': evidence => retrainedChange(evidence, 'dollarstreet accuracy', 1),
  'retrained-dollarstreet-disparity': evidence =>
    retrainedChange(evidence, 'dollarstreet disparity', -1),
  'retrained-geode': evidence => retrainedChange(evidence, 'geode accuracy', 1),
  'retrained-geode-disparity': evidence => retrainedChange(evidence, 'geode disparity', -1),
  'western-share-disparity': westernRatio,
}

export async function compareClaims(evidence: PaperView): Promise<PaperComparison[]> {
  const rows: PaperComparison[] = []
  for (const { id, section, says, value, unit, relation, note } of paperClaims()) {
    const ours = (await claimAnswers[id]?.(evidence)) ?? {
      value: null,
      note: 'comes from an experiment of its own',
    }
    const setting = relation === 'setting'
    const place = {
      table: 'claims',
      set: section,
      row: says,
      quantity: id,
      unit: setting ? 'points' : unit,
    }
    const known = [ours.note, note].filter(text => text != null).join('; ')
    const row = compareWithPaper(
      place,
      { ...ours, note: known === '' ? null : known },
      setting ? null : { value },
    )
    rows.push(relation === 'equal' ? row : { ...row, difference: null })
  }
  return rows
}

function netImprovementOf(evidence: PaperView, benchmarks: readonly string[]): MeasuredValue {
  const models = evidence.modelsOfKind('1K')
  const {
    netImprovement,
    n,
    reason,
    models: used,
  } = progressRate(evidence.accuracies, benchmarks, { ...evidence.lineOptions, models })
  const value = n < 2 ? null : netImprovement
  const from = evidence.sourcesText(benchmarks, used)
  return {
    value,
    n,
    from,
    note:
      value === null ? (missingResultsText(evidence, benchmarks) ?? reason) : 'models of type 1K',
  }
}

function oodProgressGap(evidence: PaperView): MeasuredValue {
  const gap = progressGap(
    evidence.accuracies,
    { standard: oodBenchmarks, geographic: 'dollarstreet' },
    { ...evidence.lineOptions, models: evidence.modelsOfKind('1K') },
  )
  const used = gap.standard.models
  const note =
    missingResultsText(evidence, [...oodBenchmarks, 'dollarstreet']) ??
    gap.reason ??
    gap.intervals.reason ??
    'OOD average against DollarStreet'
  const from = evidence.sourcesText([...oodBenchmarks, 'dollarstreet'], used)
  return { value: gap.ratio, interval: gap.intervals.ratio, n: used.length, from, note }
}

const isResNet = ({ group }: TestbedRow): boolean => group === 'ResNet'

/** Mean Europe minus Africa over the testbed's models of a kind, with a t-interval over models. */
function meanDifference(
  evidence: PaperView,
  benchmark: string,
  fits: (row: TestbedRow) => boolean,
): MeasuredValue {
  const wanted = testbed().filter(fits)
  const values = wanted.flatMap(({ model }) => europeAfrica(evidence, benchmark, model).value ?? [])
  const note = `${values.length} of ${wanted.length} models have results on ${benchmark}`
  const value = values.length === 0 ? null : mean(values)
  return { value, interval: meanInterval(values), n: values.length, note }
}

/** The zero-shot CLIP model with the highest ImageNet accuracy. */
function bestClipDisparity(evidence: PaperView, benchmark: string): MeasuredValue {
  const accuracies = evidence.accuracies.get('imagenet-1k')
  const known = testbed()
    .filter(({ group, evaluation }) => group === 'CLIP' && evaluation === 'zero-shot')
    .flatMap(({ model }) =>
      accuracies?.has(model) ? [{ model, accuracy: accuracies.get(model)! }] : [],
    )
  if (known.length === 0) return { value: null, note: 'no ImageNet accuracy of a CLIP model' }
  const { model } = known.reduce((a, b) => (b.accuracy > a.accuracy ? b : a))
  const ours = europeAfrica(evidence, benchmark, model)
  return { ...ours, note: [model, ours.note].filter(text => text != null).join(': ') }
}

/** Europe minus Africa against ImageNet accuracy, over models of type 1K. */
function europeAfricaTrend(evidence: PaperView, benchmark: string) {
  const points = evidence.modelsOfKind('1K').map(model => ({
    model,
    accuracy: evidence.accuracies.get('imagenet-1k')?.get(model) ?? null,
    disparity: europeAfrica(evidence, benchmark, model).value,
  }))
  const found = disparityTrend(points, evidence.lineOptions)
  return {
    ...found,
    reason: missingResultsText(evidence, ['imagenet-1k', benchmark]) ?? found.reason,
  }
}

function disparityGrowth(evidence: PaperView): MeasuredValue {
  const found = europeAfricaTrend(evidence, 'dollarstreet')
  if (found.growth === null)
    return { value: null, n: found.n, note: found.reason ?? "the worst model's is not positive" }
  const fitted = found.fittedGrowth === null ? '' : `; ${found.fittedGrowth.toFixed(1)} on the line`
  return {
    value: found.growth,
    n: found.n,
    note: `${found.bestModel!} over ${found.worstModel!}${fitted}`,
  }
}

function europeAfricaRateRatio(evidence: PaperView): MeasuredValue {
  const models = evidence.modelsOfKind('1K')
  const share = (model: string, region: string): number | null => {
    const group = evidence
      .groupsOf('dollarstreet', model, 'region')
      .find(one => one.group === region)
    return group && group.n > 0 ? group.top1 / group.n : null
  }
  const regions = ['Europe', 'Africa'].map(region => {
    const known = models.flatMap(model => {
      const value = share(model, region)
      return value === null ? [] : [[model, value] as const]
    })
    return [region, new Map(known)] as const
  })
  const table = new Map([
    ...regions,
    ['imagenet-1k', evidence.accuracies.get('imagenet-1k') ?? new Map<string, number>()],
  ])
  const gap = progressGap(
    table,
    { standard: 'Europe', geographic: 'Africa' },
    { ...evidence.lineOptions, models },
  )
  const lacking = missingResultsText(evidence, ['imagenet-1k', 'dollarstreet'])
  return {
    value: gap.ratio,
    interval: gap.intervals.ratio,
    n: gap.standard.models.length,
    note: lacking ?? gap.reason ?? gap.intervals.reason,
  }
}

/** The least significant rate of those that table 2 can be given for. */
function largestRateP(evidence: PaperView): MeasuredValue {
  const models = evidence.modelsOfKind('1K')
  const known = progressBenchmarks.flatMap(({ row, benchmarks }) => {
    const { p, n } = progressRate(evidence.accuracies, benchmarks, {
      ...evidence.lineOptions,
      models,
    })
    return p === null ? [] : [{ row, p, n }]
  })
  if (known.length === 0)
    return {
      value: null,
      note: missingResultsText(evidence, ['imagenet-1k']) ?? 'no rate has a p-value',
    }
  const worst = known.reduce((a, b) => (b.p > a.p ? b : a))
  return { value: worst.p, n: worst.n, note: `largest of ${known.length} rates: ${worst.row}` }
}

/** Fall of the maximum over regions, as table 3 has it. */
async function augmixReduction(evidence: PaperView, benchmark: string): Promise<MeasuredValue> {
  const [before, after] = await Promise.all(
    ['resnet50cutmixbaseline', 'resnet50augmix'].map(name =>
      largestDisparity(evidence, benchmark, testbedModel(name)),
    ),
  )
  if (before!.value === null) return before!
  return after!.value === null ? after! : { value: before!.value - after!.value, n: 2 }
}

async function retrainedChange(
  evidence: PaperView,
  quantity: string,
  sign: 1 | -1,
): Promise<MeasuredValue> {
  const rows = (await retrainingRows(evidence)).filter(row => row.quantity === quantity)
  const [before, after] = rows as [PaperComparison, PaperComparison]
  if (before.ours === null || after.ours === null)
    return { value: null, note: after.ours === null ? after.note : before.note }
  return { value: (sign * (after.ours - before.ours)) / 100, n: after.n }
}

/** Europe minus Africa with western images alone over that with half of them (a stored study `western-share`). */
async function westernRatio({ run }: PaperView): Promise<MeasuredValue> {
  const all: StudyValues[] | null = await readStudy(run.dir, 'western-share')
  const models = (all ?? []).map(row => row.model)
  const model = models.find(name => name === testbedModel('vit')) ?? models[0]
  const stored = all && all.filter(row => row.model === model)
  const [balanced, west] = [0.5, 1].map(share =>
    meanOverSeeds(stored, share, 'europe minus africa'),
  )
  if (balanced!.value === null || west!.value === null)
    return balanced!.value === null ? balanced! : west!
  if (balanced!.value <= 0)
    return { value: null, note: 'no ratio: the balanced difference is not positive' }
  return { value: west!.value / balanced!.value, n: west!.n ?? null, note: model ?? null }
}

/** Change of DollarStreet's Europe minus Africa with `step` more training images or parameters, by a straight line (figure 3). */
function scalingClaim(
  evidence: PaperView,
  size: 'images' | 'parameters',
  step: number,
): MeasuredValue {
  const points = testbedRows().map(row => ({
    model: row.model,
    size: row[size],
    value: europeAfrica(evidence, 'dollarstreet', row.model).value,
  }))
  const { slope, interval, p, n, reason } = scalingTrend(points, 'linear', {
    families: evidence.lineOptions.families,
  })
  if (slope === null)
    return { value: null, n, note: missingResultsText(evidence, ['dollarstreet']) ?? reason }
  return {
    value: slope * step,
    interval: interval && [interval[0] * step, interval[1] * step],
    n,
    note: `change with ${step / 1e6} million more${p === null ? '' : `, p = ${p.toPrecision(2)}`}`,
  }
}
