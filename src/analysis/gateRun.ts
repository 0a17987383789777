import { inputError, unknownName } from '../lib/errors.ts'
import { groupBy } from '../metrics/accuracy.ts'
import { designEffect } from '../metrics/designEffect.ts'
import { largeEnough } from '../metrics/disparity.ts'
import { imagesOf } from '../metrics/pairedTests.ts'
import { joinOutcomes } from '../metrics/signFlip.ts'
import { countCells } from '../results/cube.ts'
import { householdCounts } from '../results/households.ts'
import { distinct, type Entry } from '../results/store.ts'
import { grouped } from './compare.ts'
import { type Check, falseAlarms, judgeDisparities, judgeDrops, judgeWorst, type Subject } from './gate.ts'
import { coverage, pairCells, sharedColumns } from './pairs.ts'
import { excludedNotes } from '../results/slices.ts'
import { matched, type Sides, storedEntries } from './sides.ts'

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

export interface Gate {
  passed: boolean
  by: string
  minN: number
  alpha: number
  limits: Partial<Record<Check['rule'], number>>
  checks: Check[]
  leftOut: (Subject & { n: number })[]
  notes: string[]
}

const defaults = { maxDrop: 0.02, by: 'region', minN: 100, alpha: falseAlarms }

/** Judges all evaluations below `dir`. Errors: nothing-to-judge, unknown-column, nothing-in-common, choose-models. */
export async function gate(dir: string, options: GateOptions): Promise<Gate> {
  const { by, minN, alpha } = { ...defaults, ...options }
  const { baseline, minWorst, maxDisparity } = options
  if (options.maxDrop !== undefined && baseline === undefined)
    throw inputError('no-baseline', '--max-drop is judged against a run: give --baseline')
  const maxDrop = baseline === undefined ? undefined : (options.maxDrop ?? defaults.maxDrop)
  const limits = given({ 'max-drop': maxDrop, 'min-worst': minWorst, 'max-disparity': maxDisparity })
  const share = alpha / Math.max(1, Object.keys(limits).length)
  const entries = await storedEntries(dir, options.exclude)
  const found: Gate = { passed: true, by, minN, alpha, limits, checks: [], leftOut: [], notes: excludedNotes(entries) }
  checkColumn(entries, by)
  found.notes.push(...householdNotes(entries))
  if (baseline !== undefined && maxDrop !== undefined)
    found.checks.push(
      ...judgeDrops(await drops(entries, await storedEntries(baseline, options.exclude), found), maxDrop, share),
    )
  if (minWorst !== undefined || maxDisparity !== undefined) {
    const runs = await accuracies(entries, found)
    const groups = large(runs, found)
    if (minWorst !== undefined) found.checks.push(...judgeWorst(groups, minWorst, share))
    if (maxDisparity !== undefined) found.checks.push(...judgeDisparities(runs, maxDisparity, minN, share))
  }
  if (found.checks.length === 0)
    throw inputError(
      'nothing-to-judge',
      Object.keys(limits).length === 0
        ? 'nothing to judge: give --baseline, --min-worst or --max-disparity'
        : `nothing to judge: no two groups by ${by} with at least ${minN} images in ${dir}`,
    )
  return { ...found, passed: found.checks.every(({ verdict }) => verdict !== 'broken') }
}

/** Data sets whose images are judged household by household. */
function householdNotes(entries: readonly Entry[]): string[] {
  const named = entries.filter(({ shards }) => shards[0]!.columns.includes('household'))
  const datasets = distinct(named, 'dataset')
  return datasets.length === 0 ? [] : [`The images of one household are judged together on ${datasets.join(', ')}.`]
}

const given = (limits: Record<Check['rule'], number | undefined>): Gate['limits'] =>
  Object.fromEntries(Object.entries(limits).filter(([, limit]) => limit !== undefined))

function checkColumn(entries: readonly Entry[], by: string): void {
  const known = [...new Set(entries.flatMap(({ shards }) => shards[0]!.columns))]
  if (by !== 'label' && !known.includes(by)) throw unknownName('column', by, [...known, 'label'])
}

type Pairs = Parameters<typeof judgeDrops>[0][number]

/** Paired counts of every group, and of all images of each data set. */
async function drops(entries: readonly Entry[], before: readonly Entry[], found: Gate): Promise<Pairs[]> {
  const all: Pairs[] = []
  for (const sides of baselineSides(before, entries, found)) {
    const subject = { model: sides.second.identity.model, dataset: sides.dataset }
    found.notes.push(...(await uncovered(sides)))
    const byClass = await pairCells(sides.first, sides.second, 'label')
    const whole = joinOutcomes(byClass)
    if (imagesOf(whole) > 0) all.push({ ...subject, group: 'all images', counts: whole })
    if (found.by !== 'label' && !sharedColumns(sides.first, sides.second).includes(found.by)) {
      found.notes.push(`${sides.dataset} has no ${found.by}: only all its images together are judged.`)
      continue
    }
    const cells = found.by === 'label' ? byClass : await pairCells(sides.first, sides.second, found.by)
    const groups = grouped(cells)
    for (const group of [...groups.keys()].sort()) {
      const counts = joinOutcomes(groups.get(group)!)
      if (imagesOf(counts) >= found.minN) all.push({ ...subject, group, counts })
      else found.leftOut.push({ ...subject, group, n: imagesOf(counts) })
    }
  }
  return all
}

/** Models by name, or the only one against the only one. */
function baselineSides(before: readonly Entry[], after: readonly Entry[], { notes }: Gate): Sides[] {
  const [old, now] = [distinct(before, 'model'), distinct(after, 'model')]
  const sides = (first: readonly Entry[], second: readonly Entry[], what: string): Sides[] => {
    const found = matched(first, second, what, ['in the baseline', 'here'])
    notes.push(...found[0]!.alone)
    return found
  }
  if (old.length === 1 && now.length === 1) return sides(before, after, `${old[0]!} and ${now[0]!}`)
  const [missing, gone] = [now.filter(name => !old.includes(name)), old.filter(name => !now.includes(name))]
  if (missing.length === now.length)
    throw inputError(
      'choose-models',
      `no model in common: ${now.join(', ')} here, ${old.join(', ')} in the baseline; they are matched by name, or one with one`,
    )
  if (missing.length > 0) notes.push(`Not in the baseline and not judged against it: ${missing.join(', ')}.`)
  if (gone.length > 0) notes.push(`Only in the baseline and not judged: ${gone.join(', ')}.`)
  const of = (entries: readonly Entry[], name: string) => entries.filter(({ identity }) => identity.model === name)
  return now.filter(name => old.includes(name)).flatMap(name => sides(of(before, name), of(after, name), name))
}

async function uncovered({ first, second, dataset }: Sides): Promise<string[]> {
  const { onlyFirst, onlySecond, unscoredFirst, unscoredSecond } = await coverage(first, second)
  const away = onlyFirst + onlySecond + unscoredFirst + unscoredSecond
  if (away === 0) return []
  return [
    `${second.identity.model} on ${dataset}: ${away} images are not compared (in one run only: ${onlyFirst + onlySecond}; without an outcome here: ${unscoredSecond}, in the baseline: ${unscoredFirst}).`,
  ]
}

type Accuracies = Parameters<typeof judgeDisparities>[0][number]

/** Counts by group of all evaluations; one that has no group or too few of them is noted. */
async function accuracies(entries: readonly Entry[], { by, minN, limits, notes }: Gate): Promise<Accuracies[]> {
  const runs: Accuracies[] = []
  for (const entry of entries) {
    const { model, dataset } = entry.identity
    const has = by === 'label' || entry.shards[0]!.columns.includes(by)
    const cells = has ? await countCells(entry, by === 'label' ? [] : [by]) : []
    const labelled = cells.map(cell => ({ ...cell, groups: { ...cell.groups, label: cell.label } }))
    const { groups } = groupBy(labelled, [by])
    const clusters = has ? await householdCounts(entry, by) : null
    const { length } = largeEnough(groups, minN).kept
    if (length < (limits['max-disparity'] === undefined ? 1 : 2))
      notes.push(
        `${model} on ${dataset} has ${length === 0 ? 'no group' : 'one group'} by ${by} of at least ${minN} images with an outcome: no ${length === 0 ? 'accuracy or disparity' : 'disparity'} of it is judged.`,
      )
    if (groups.length > 0) runs.push({ model, dataset, group: 'all', groups, clusters })
  }
  return runs
}

/** The groups that are large enough; the others are noted once. */
function large(runs: readonly Accuracies[], { minN, leftOut }: Gate): Parameters<typeof judgeWorst>[0] {
  return runs.flatMap(({ groups, clusters, model, dataset }) => {
    const inflation = clusters ? designEffect(clusters).byGroup : new Map<string, number>()
    const { kept, leftOut: small } = largeEnough(groups, minN)
    for (const { group, n } of small)
      if (!leftOut.some(one => one.model === model && one.dataset === dataset && one.group === group))
        leftOut.push({ model, dataset, group, n })
    return kept.map(counts => ({
      ...{ model, dataset, group: counts.group, counts },
      inflation: inflation.get(counts.group) ?? 1,
    }))
  })
}
