import { type OutcomeMetricName } from '../results/metricNames.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { shortList } from '../lib/table/text.ts'
import { groupByKey } from '../lib/tally.ts'
import { groupBy } from '../metrics/accuracy.ts'
import { countsNotes, isOfCounts } from '../results/schema.ts'
import { clusterMoments, groupClusterings, independentImages } from '../metrics/designEffect.ts'
import { defaultMinN, splitBySize } from '../metrics/disparity.ts'
import { pairedImageCount } from '../metrics/pairedTests.ts'
import { joinOutcomes } from '../metrics/signFlip.ts'
import { countByColumns } from '../results/counts.ts'
import {
  answerFromReadable,
  consistentResults,
  type CurrentResults,
} from '../results/currentResults.ts'
import { countByHousehold, hasHouseholds } from '../results/households.ts'
import { distinctFieldValues, type StoredEvaluation } from '../results/storedEvaluations.ts'
import { countBothSides } from './compareCounts.ts'
import { changeClusterings, outcomesByGroup, overallChangeClustering } from './compare.ts'
import {
  type GateCheck,
  defaultAlpha,
  type GateSubject,
  type GroupAccuracy,
  type GroupDrop,
  type GroupedEvaluation,
  judgeDisparities,
  judgeDrops,
  judgeWorst,
} from './gateChecks.ts'
import { contradictionNotes, countPairs, type PairedSides } from './imagePairs.ts'
import { checkBinaryMetric, outcomeMetric } from '../results/outcomeMetrics.ts'
import { unusableNotes } from '../results/unusableResults.ts'
import { exclusionNotes } from '../results/slices.ts'
import {
  type EvaluationPair,
  evaluationsOfModel,
  matchEvaluations,
  newestEvaluations,
} from './evaluationPairs.ts'

/** Options of a gate. */
export interface GateOptions {
  /** Folder of the results to compare with. */
  baseline?: string
  /** Limits as shares, 0 … 1; a limit that is not given is not judged, but `maxDrop` is 0.02 with a baseline. */
  maxDrop?: number
  minWorst?: number
  maxDisparity?: number
  /** Column of the groups. Default `region`. */
  by?: string
  /** Groups with fewer images are listed and not judged. Default 30. */
  minN?: number
  /** Only results with this preprocessing, on both sides. */
  preprocessing?: PreprocessingMode
  /** A slice whose images are left out on both sides. */
  exclude?: string
  /** What is right about an answer: `top1` (default) or `top5`. */
  metric?: OutcomeMetricName
  /** Probability of any false alarm. Default 0.04. */
  alpha?: number
}

/** The verdict on a run. */
export interface GateResult {
  passed: boolean
  by: string
  minN: number
  alpha: number
  limits: Partial<Record<GateCheck['rule'], number>>
  checks: GateCheck[]
  leftOut: (GateSubject & { n: number })[]
  notes: string[]
}

const gateDefaults = { maxDrop: 0.02, by: 'region', minN: defaultMinN, alpha: defaultAlpha }

/** Judges all evaluations in `dir`. Errors: nothing-to-judge, unknown-column, nothing-in-common, choose-models. */
export async function judgeEvaluations(dir: string, options: GateOptions): Promise<GateResult> {
  const { baseline, minWorst, maxDisparity, exclude, metric = 'top1' } = options
  checkBinaryMetric(metric, 'the gate')
  if (options.maxDrop !== undefined && baseline === undefined)
    throw inputError('no-baseline', '--max-drop is judged against a run: give --baseline')
  const maxDrop = baseline === undefined ? undefined : (options.maxDrop ?? gateDefaults.maxDrop)
  const limits = givenLimits({
    'max-drop': maxDrop,
    'min-worst': minWorst,
    'max-disparity': maxDisparity,
  })
  const given = { ...gateDefaults, ...options, metric, limits, dir }
  const resultsIn = async (folder: string): Promise<CurrentResults> =>
    consistentResults(
      withPreprocessing(await newestEvaluations(folder, exclude, metric), options.preprocessing),
    )
  const before = baseline === undefined ? noResults : await resultsIn(baseline)
  return answerFromReadable(await resultsIn(dir), now =>
    answerFromReadable(before, before => judgeResults(now, before, given)),
  )
}

const noResults: CurrentResults = { entries: [], failures: [] }

type GivenGate = Required<Pick<GateOptions, 'by' | 'minN' | 'alpha' | 'metric'>> &
  Pick<GateResult, 'limits'> & { dir: string }

async function judgeResults(
  { entries, failures }: CurrentResults,
  before: CurrentResults,
  { by, minN, alpha, metric, limits, dir }: GivenGate,
): Promise<GateResult> {
  const alphaPerLimit = alpha / Math.max(1, Object.keys(limits).length)
  const result: GateResult = {
    passed: true,
    by,
    minN,
    alpha,
    limits,
    checks: [],
    leftOut: [],
    notes: [...exclusionNotes(entries), ...unusableNotes(failures)],
  }
  checkGateColumn(entries, by)
  result.notes.push(...householdNotes(entries), ...countsNotes(entries))
  if (metric !== 'top1')
    result.notes.push(
      `Every number here is of ${outcomeMetric(metric).title}, not of top-1 accuracy.`,
    )
  const { 'max-drop': maxDrop, 'min-worst': minWorst, 'max-disparity': maxDisparity } = limits
  if (maxDrop !== undefined) {
    result.notes.push(...unusableNotes(before.failures).map(note => `in the baseline, ${note}`))
    const drops = await pairedDrops(entries, before.entries, result)
    result.checks.push(...judgeDrops(drops, maxDrop, alphaPerLimit))
  }
  if (minWorst !== undefined || maxDisparity !== undefined) {
    const runs = await groupAccuracies(entries, result)
    const groups = largeGroups(runs, result)
    if (minWorst !== undefined) result.checks.push(...judgeWorst(groups, minWorst, alphaPerLimit))
    if (maxDisparity !== undefined)
      result.checks.push(...judgeDisparities(runs, maxDisparity, { minN, alpha: alphaPerLimit }))
  }
  if (result.checks.length === 0)
    throw inputError(
      'nothing-to-judge',
      Object.keys(limits).length === 0
        ? 'nothing to judge: give --baseline, --min-worst or --max-disparity'
        : `nothing to judge: no two groups by ${by} with at least ${minN} images in ${dir}`,
    )
  return { ...result, passed: result.checks.every(({ verdict }) => verdict !== 'broken') }
}

/** Keeps the evaluations with one preprocessing. Errors: unknown-preprocessing. */
function withPreprocessing(results: CurrentResults, mode: string | undefined): CurrentResults {
  if (mode === undefined) return results
  const entries = results.entries.filter(({ identity }) => identity.preprocessing === mode)
  if (entries.length === 0)
    throw unknownNameError(
      'preprocessing',
      mode,
      distinctFieldValues(results.entries, 'preprocessing'),
    )
  return { ...results, entries }
}

type EvaluationSubject = Pick<GateSubject, 'model' | 'dataset'>

/** Returns the names of an evaluation in checks, with its preprocessing where the model has results with another on the data set. */
function subjectOf(
  { identity: { model, dataset, preprocessing } }: StoredEvaluation,
  entries: readonly StoredEvaluation[],
): EvaluationSubject {
  const own = entries.filter(
    ({ identity }) => identity.model === model && identity.dataset === dataset,
  )
  const hasOthers = own.some(({ identity }) => identity.preprocessing !== preprocessing)
  return { model, dataset: hasOthers ? `${dataset}, ${preprocessing} preprocessing` : dataset }
}

/** Names the data sets whose images are judged by household. */
function householdNotes(entries: readonly StoredEvaluation[]): string[] {
  const named = entries.filter(hasHouseholds)
  const datasets = distinctFieldValues(named, 'dataset')
  return datasets.length === 0
    ? []
    : [`The images of one household are judged together on ${datasets.join(', ')}.`]
}

const givenLimits = (limits: Record<GateCheck['rule'], number | undefined>): GateResult['limits'] =>
  Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined))

function checkGateColumn(entries: readonly StoredEvaluation[], by: string): void {
  const known = [...new Set(entries.flatMap(({ shards }) => shards[0]!.columns))]
  if (by !== 'label' && !known.includes(by))
    throw unknownNameError('column', by, [...known, 'label'])
}

/** Returns the paired counts of every group, and of all images of each data set. */
async function pairedDrops(
  entries: readonly StoredEvaluation[],
  baseline: readonly StoredEvaluation[],
  { by, minN, notes, leftOut }: GateResult,
): Promise<GroupDrop[]> {
  const drops: GroupDrop[] = []
  const pairs = pairWithBaseline(baseline, entries, notes)
  const isCounted = ({ first, second }: EvaluationPair): boolean =>
    [first, second].some(({ identity }) => isOfCounts(identity))
  const paired = await countPairs(
    pairs.filter(pair => !isCounted(pair)),
    by,
  )
  for (const pair of pairs) {
    const subject = subjectOf(pair.second, entries)
    const sides = paired.get(pair)
    if (!sides) {
      drops.push(...(await countedDrops(pair, { by, notes, subject })))
      continue
    }
    notes.push(...pairNotes(pair, sides))
    const group = 'all images'
    const whole = joinOutcomes(sides.all)
    if (pairedImageCount(whole) > 0)
      drops.push({
        ...subject,
        group,
        counts: whole,
        ...overallChangeClustering(sides.all, group),
      })
    if (!sides.groups) {
      notes.push(`${pair.dataset} has no ${by}: only all its images together are judged.`)
      continue
    }
    const clusterings = changeClusterings(sides.groups)
    for (const [group, own] of [...outcomesByGroup(sides.groups)].sort(([a], [b]) =>
      a < b ? -1 : 1,
    )) {
      const counts = joinOutcomes(own)
      const n = pairedImageCount(counts)
      if (n >= minN)
        drops.push({ ...subject, group, counts, ...(clusterings.get(group) ?? independentImages) })
      else leftOut.push({ ...subject, group, n })
    }
  }
  return drops
}

const unpairedReason = 'no bound: counts by group do not say which images each side has right'

/** Returns the drops of counts by group, of which no bound can be given: images are not paired. Groups of other sizes are named. */
async function countedDrops(
  pair: EvaluationPair,
  { by, notes, subject }: Pick<GateResult, 'by' | 'notes'> & { subject: EvaluationSubject },
): Promise<GroupDrop[]> {
  const { all, groups } = await countBothSides(pair, by)
  const changed = [
    { group: 'all images', before: all[0], after: all[1] },
    ...groups.map(([before, after]) => ({ group: before.group, before, after })),
  ]
  const unequal = changed.filter(({ before, after }) => before.n !== after.n)
  if (unequal.length > 0)
    notes.push(
      `${subject.model} on ${pair.dataset}: the two runs count different numbers of images in ${shortList(
        unequal.map(({ group }) => group),
        5,
      )}, of which no drop is judged.`,
    )
  return changed
    .filter(({ before, after }) => before.n === after.n)
    .map(({ group, before, after }) => ({
      ...subject,
      group,
      counts: {
        both: Math.min(before.top1, after.top1),
        onlyFirst: Math.max(0, before.top1 - after.top1),
        onlySecond: Math.max(0, after.top1 - before.top1),
        neither: before.n - Math.max(before.top1, after.top1),
      },
      inflation: 1,
      reason: unpairedReason,
    }))
}

/** Pairs models by their names, or the only model with the only model of the baseline. */
function pairWithBaseline(
  baseline: readonly StoredEvaluation[],
  entries: readonly StoredEvaluation[],
  notes: string[],
): EvaluationPair[] {
  const old = distinctFieldValues(baseline, 'model')
  const now = distinctFieldValues(entries, 'model')
  const pairsOf = (before: string, after: string): EvaluationPair[] => {
    const pairs = matchEvaluations(
      evaluationsOfModel(baseline, before),
      evaluationsOfModel(entries, after),
      {
        models: before === after ? after : `${before} and ${after}`,
        sides: ['in the baseline', 'here'],
      },
    )
    notes.push(...pairs[0]!.unmatched)
    return pairs
  }
  if (old.length === 1 && now.length === 1) return pairsOf(old[0]!, now[0]!)
  const added = now.filter(name => !old.includes(name))
  const gone = old.filter(name => !now.includes(name))
  if (added.length === now.length)
    throw inputError(
      'choose-models',
      `no model in common: ${now.join(', ')} here, ${old.join(', ')} in the baseline; they are matched by name, or one with one`,
    )
  if (added.length > 0)
    notes.push(`Not in the baseline and not judged against it: ${added.join(', ')}.`)
  if (gone.length > 0) notes.push(`Only in the baseline and not judged: ${gone.join(', ')}.`)
  return now.filter(name => old.includes(name)).flatMap(name => pairsOf(name, name))
}

/** Names what of a pair is not compared, or not alike in the baseline, which is the first side. */
function pairNotes(pair: EvaluationPair, sides: PairedSides): string[] {
  const { inOneRun, unscoredFirst, unscoredSecond } = sides
  const unpaired = inOneRun + unscoredFirst + unscoredSecond
  const subject = `${pair.second.identity.model} on ${pair.dataset}`
  const contradictions = contradictionNotes(pair, sides).map(note => `${subject}: ${note}`)
  if (unpaired === 0) return contradictions
  return [
    `${subject}: ${unpaired} images are not compared (in one run only: ${inOneRun}; without an outcome here: ${unscoredSecond}, in the baseline: ${unscoredFirst}).`,
    ...contradictions,
  ]
}

/** Returns the counts by group of all evaluations, and notes those with too few groups. */
async function groupAccuracies(
  entries: readonly StoredEvaluation[],
  { by, minN, limits, notes }: GateResult,
): Promise<GroupedEvaluation[]> {
  const runs: GroupedEvaluation[] = []
  const few: { model: string; dataset: string; what: string }[] = []
  const grouped = entries.filter(({ shards }) => by === 'label' || shards[0]!.columns.includes(by))
  const counted = await countByColumns(grouped, [by])
  const cells = new Map(grouped.map((entry, i) => [entry, counted[i]!]))
  for (const entry of entries) {
    const { model, dataset } = subjectOf(entry, entries)
    const { groups } = groupBy(cells.get(entry) ?? [], [by])
    const clusters = cells.has(entry) ? await countByHousehold(entry, by) : null
    const { length } = splitBySize(groups, minN).kept
    if (length < (limits['max-disparity'] === undefined ? 1 : 2))
      few.push({
        model,
        dataset,
        what: `${length === 0 ? 'no group' : 'one group'} by ${by} of at least ${minN} images with an outcome: no ${length === 0 ? 'accuracy or disparity' : 'disparity'} is judged there`,
      })
    if (groups.length > 0) runs.push({ model, dataset, group: 'all', groups, clusters })
  }
  for (const [what, those] of groupByKey(few, one => one.what)) {
    const datasets = [...new Set(those.map(({ dataset }) => dataset))]
    const models = [...new Set(those.map(({ model }) => model))]
    notes.push(
      `${shortList(datasets, 5)} ${datasets.length === 1 ? 'has' : 'have'} ${what} (${shortList(models, 3)}).`,
    )
  }
  return runs
}

/** Returns the groups of at least `minN` images, and lists each of the others once in `leftOut`. */
function largeGroups(
  runs: readonly GroupedEvaluation[],
  { minN, leftOut }: GateResult,
): GroupAccuracy[] {
  const keyOf = ({ model, dataset, group }: GateSubject): string =>
    JSON.stringify([model, dataset, group])
  const listed = new Set(leftOut.map(keyOf))
  return runs.flatMap(run => {
    const { groups, model, dataset } = run
    for (const { group, n } of splitBySize(groups, minN).leftOut)
      if (!listed.has(keyOf({ model, dataset, group }))) leftOut.push({ model, dataset, group, n })
    return groupsWithEnough(run, minN)
  })
}

/** Returns the groups of at least `minN` images with the inflation of their variance by households. */
export function groupsWithEnough(
  { groups, clusters, model, dataset }: GroupedEvaluation,
  minN: number,
): GroupAccuracy[] {
  const clusterings = groupClusterings(clusterMoments(clusters ?? []))
  return splitBySize(groups, minN).kept.map(counts => {
    const { group } = counts
    return { model, dataset, group, counts, ...(clusterings.get(group) ?? independentImages) }
  })
}
