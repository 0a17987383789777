import { inputError, unknownNameError } from '../lib/errors.ts'
import { groupBy } from '../metrics/accuracy.ts'
import { designEffect } from '../metrics/designEffect.ts'
import { splitBySize } from '../metrics/disparity.ts'
import { pairedImageCount } from '../metrics/pairedTests.ts'
import { joinOutcomes } from '../metrics/signFlip.ts'
import { countByColumns } from '../results/counts.ts'
import { countByHousehold } from '../results/households.ts'
import { distinctFieldValues, type StoredEvaluation } from '../results/store.ts'
import { pairedCountsByGroup } from './compare.ts'
import {
  type GateCheck,
  defaultAlpha,
  judgeDisparities,
  judgeDrops,
  judgeWorst,
  type GateSubject,
} from './gate.ts'
import { pairCoverage, pairedCounts, sharedColumns } from './imagePairs.ts'
import { exclusionNotes } from '../results/slices.ts'
import { matchEvaluations, type EvaluationPair, newestEvaluations } from './evaluationPairs.ts'

export interface GateOptions {
  /** Folder of the results to compare with. */
  baseline?: string
  /** Limits as shares, 0 … 1; a limit that is not given is not judged, but `maxDrop` is 0.02 with a baseline. */
  maxDrop?: number
  minWorst?: number
  maxDisparity?: number
  by?: string
  /** Groups with fewer images are listed and not judged. */
  minN?: number
  /** A slice whose images are left out on both sides. */
  exclude?: string
  alpha?: number
}

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

const gateDefaults = { maxDrop: 0.02, by: 'region', minN: 100, alpha: defaultAlpha }

/** Judges all evaluations below `dir`. Errors: nothing-to-judge, unknown-column, nothing-in-common, choose-models. */
export async function judgeEvaluations(dir: string, options: GateOptions): Promise<GateResult> {
  const { by, minN, alpha } = { ...gateDefaults, ...options }
  const { baseline, minWorst, maxDisparity } = options
  if (options.maxDrop !== undefined && baseline === undefined)
    throw inputError('no-baseline', '--max-drop is judged against a run: give --baseline')
  const maxDrop = baseline === undefined ? undefined : (options.maxDrop ?? gateDefaults.maxDrop)
  const limits = givenLimits({
    'max-drop': maxDrop,
    'min-worst': minWorst,
    'max-disparity': maxDisparity,
  })
  const alphaPerLimit = alpha / Math.max(1, Object.keys(limits).length)
  const entries = await newestEvaluations(dir, options.exclude)
  const result: GateResult = {
    passed: true,
    by,
    minN,
    alpha,
    limits,
    checks: [],
    leftOut: [],
    notes: exclusionNotes(entries),
  }
  checkGateColumn(entries, by)
  result.notes.push(...householdNotes(entries))
  if (baseline !== undefined && maxDrop !== undefined)
    result.checks.push(
      ...judgeDrops(
        await pairedDrops(entries, await newestEvaluations(baseline, options.exclude), result),
        maxDrop,
        alphaPerLimit,
      ),
    )
  if (minWorst !== undefined || maxDisparity !== undefined) {
    const runs = await groupAccuracies(entries, result)
    const groups = largeGroups(runs, result)
    if (minWorst !== undefined) result.checks.push(...judgeWorst(groups, minWorst, alphaPerLimit))
    if (maxDisparity !== undefined)
      result.checks.push(...judgeDisparities(runs, maxDisparity, minN, alphaPerLimit))
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

/** Data sets whose images are judged household by household. */
function householdNotes(entries: readonly StoredEvaluation[]): string[] {
  const named = entries.filter(({ shards }) => shards[0]!.columns.includes('household'))
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

type GroupDrop = Parameters<typeof judgeDrops>[0][number]

/** Paired counts of every group, and of all images of each data set. */
async function pairedDrops(
  entries: readonly StoredEvaluation[],
  before: readonly StoredEvaluation[],
  found: GateResult,
): Promise<GroupDrop[]> {
  const all: GroupDrop[] = []
  for (const sides of pairWithBaseline(before, entries, found)) {
    const subject = { model: sides.second.identity.model, dataset: sides.dataset }
    found.notes.push(...(await uncoveredNotes(sides)))
    const byClass = await pairedCounts(sides.first, sides.second, 'label')
    const whole = joinOutcomes(byClass)
    if (pairedImageCount(whole) > 0) all.push({ ...subject, group: 'all images', counts: whole })
    if (found.by !== 'label' && !sharedColumns(sides.first, sides.second).includes(found.by)) {
      found.notes.push(
        `${sides.dataset} has no ${found.by}: only all its images together are judged.`,
      )
      continue
    }
    const cells =
      found.by === 'label' ? byClass : await pairedCounts(sides.first, sides.second, found.by)
    const groups = pairedCountsByGroup(cells)
    for (const group of [...groups.keys()].sort()) {
      const counts = joinOutcomes(groups.get(group)!)
      if (pairedImageCount(counts) >= found.minN) all.push({ ...subject, group, counts })
      else found.leftOut.push({ ...subject, group, n: pairedImageCount(counts) })
    }
  }
  return all
}

/** Models by name, or the only one against the only one. */
function pairWithBaseline(
  before: readonly StoredEvaluation[],
  after: readonly StoredEvaluation[],
  { notes }: GateResult,
): EvaluationPair[] {
  const [old, now] = [distinctFieldValues(before, 'model'), distinctFieldValues(after, 'model')]
  const sides = (
    first: readonly StoredEvaluation[],
    second: readonly StoredEvaluation[],
    what: string,
  ): EvaluationPair[] => {
    const found = matchEvaluations(first, second, what, ['in the baseline', 'here'])
    notes.push(...found[0]!.unmatched)
    return found
  }
  if (old.length === 1 && now.length === 1) return sides(before, after, `${old[0]!} and ${now[0]!}`)
  const [missing, gone] = [
    now.filter(name => !old.includes(name)),
    old.filter(name => !now.includes(name)),
  ]
  if (missing.length === now.length)
    throw inputError(
      'choose-models',
      `no model in common: ${now.join(', ')} here, ${old.join(', ')} in the baseline; they are matched by name, or one with one`,
    )
  if (missing.length > 0)
    notes.push(`Not in the baseline and not judged against it: ${missing.join(', ')}.`)
  if (gone.length > 0) notes.push(`Only in the baseline and not judged: ${gone.join(', ')}.`)
  const of = (entries: readonly StoredEvaluation[], name: string) =>
    entries.filter(({ identity }) => identity.model === name)
  return now
    .filter(name => old.includes(name))
    .flatMap(name => sides(of(before, name), of(after, name), name))
}

async function uncoveredNotes({ first, second, dataset }: EvaluationPair): Promise<string[]> {
  const { onlyFirst, onlySecond, unscoredFirst, unscoredSecond } = await pairCoverage(first, second)
  const away = onlyFirst + onlySecond + unscoredFirst + unscoredSecond
  if (away === 0) return []
  return [
    `${second.identity.model} on ${dataset}: ${away} images are not compared (in one run only: ${onlyFirst + onlySecond}; without an outcome here: ${unscoredSecond}, in the baseline: ${unscoredFirst}).`,
  ]
}

type EvaluationGroups = Parameters<typeof judgeDisparities>[0][number]

/** Counts by group of all evaluations; one that has no group or too few of them is noted. */
async function groupAccuracies(
  entries: readonly StoredEvaluation[],
  { by, minN, limits, notes }: GateResult,
): Promise<EvaluationGroups[]> {
  const runs: EvaluationGroups[] = []
  for (const entry of entries) {
    const { model, dataset } = entry.identity
    const has = by === 'label' || entry.shards[0]!.columns.includes(by)
    const cells = has ? await countByColumns(entry, by === 'label' ? [] : [by]) : []
    const labelled = cells.map(cell => ({ ...cell, groups: { ...cell.groups, label: cell.label } }))
    const { groups } = groupBy(labelled, [by])
    const clusters = has ? await countByHousehold(entry, by) : null
    const { length } = splitBySize(groups, minN).kept
    if (length < (limits['max-disparity'] === undefined ? 1 : 2))
      notes.push(
        `${model} on ${dataset} has ${length === 0 ? 'no group' : 'one group'} by ${by} of at least ${minN} images with an outcome: no ${length === 0 ? 'accuracy or disparity' : 'disparity'} of it is judged.`,
      )
    if (groups.length > 0) runs.push({ model, dataset, group: 'all', groups, clusters })
  }
  return runs
}

/** The groups that are large enough; the others are noted once. */
function largeGroups(
  runs: readonly EvaluationGroups[],
  { minN, leftOut }: GateResult,
): Parameters<typeof judgeWorst>[0] {
  return runs.flatMap(({ groups, clusters, model, dataset }) => {
    const inflation = clusters ? designEffect(clusters).byGroup : new Map<string, number>()
    const { kept, leftOut: small } = splitBySize(groups, minN)
    for (const { group, n } of small)
      if (
        !leftOut.some(one => one.model === model && one.dataset === dataset && one.group === group)
      )
        leftOut.push({ model, dataset, group, n })
    return kept.map(counts => ({
      ...{ model, dataset, group: counts.group, counts },
      inflation: inflation.get(counts.group) ?? 1,
    }))
  })
}
