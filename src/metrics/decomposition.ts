import { inputError } from '../lib/errors.ts'
import { checkCounts, type Counts, type Difference, accuracyDifference } from './accuracy.ts'
import { sum } from './numbers.ts'

/** Counts of one class in one group. */
export interface ClassGroupCounts extends Counts {
  class: string
  group: string
}

/** One class's images of two groups. */
export interface ClassContribution extends Difference {
  class: string
  /** Part of the gap that the difference within this class makes: difference × mean share of images. */
  within: number
  /** Part that the class's unequal share of images makes. */
  mix: number
}

/** gap = within + mix + unmatched, all as accuracy of the first minus accuracy of the second group. */
export interface GapDecomposition {
  gap: number | null
  /** Classes are recognized better in one group than in the other. */
  within: number | null
  /** One group has more images of classes that are easy in both. */
  mix: number | null
  /** Classes that only one of the groups has. */
  unmatched: number | null
  /** Classes by the size of their `within` part, largest first: the classes that drive the gap. */
  classes: ClassContribution[]
  reason: string | null
}

/**
 * The gap between two groups as class mix and within-class difference (Kitagawa 1955, Oaxaca and Blinder): shares and
 * accuracies are averaged over both groups, so that swapping the groups only changes the signs.
 * Errors: bad-counts, duplicate-row.
 */
export function decomposeGap(
  cells: readonly ClassGroupCounts[],
  pair: readonly [first: string, second: string],
  confidence = 0.95,
): GapDecomposition {
  const sides = pair.map(group => classesOf(cells, group)) as [GroupClasses, GroupClasses]
  const empty = { gap: null, within: null, mix: null, unmatched: null, classes: [] }
  const missing = pair.find((_, i) => sides[i]!.n === 0)
  if (missing !== undefined) return { ...empty, reason: `no images in ${missing}` }
  const names = new Set(sides.flatMap(side => [...side.classes.keys()]))
  const classes = [...names].map(name => contribution(name, sides, confidence))
  const [within, mix] = [sum(classes.map(c => c.within)), sum(classes.map(c => c.mix))]
  const gap = sides[0].hits / sides[0].n - sides[1].hits / sides[1].n
  classes.sort((a, b) => Math.abs(b.within) - Math.abs(a.within) || (a.class < b.class ? -1 : 1))
  const shared = classes.filter(c => c.difference !== null)
  const reason = shared.length === 0 ? 'the groups have no class in common' : null
  return { gap, within, mix, unmatched: gap - within - mix, classes, reason }
}

interface GroupClasses {
  n: number
  hits: number
  classes: Map<string, Counts>
}

function classesOf(cells: readonly ClassGroupCounts[], group: string): GroupClasses {
  const side: GroupClasses = { n: 0, hits: 0, classes: new Map() }
  for (const cell of cells) {
    if (cell.group !== group) continue
    checkCounts(cell, `${cell.class} in ${group}`)
    if (side.classes.has(cell.class))
      throw inputError('duplicate-row', `duplicate row: ${cell.class} in ${group}`)
    if (cell.n === 0) continue
    side.classes.set(cell.class, cell)
    side.n += cell.n
    side.hits += cell.top1
  }
  return side
}

function contribution(
  name: string,
  sides: readonly [GroupClasses, GroupClasses],
  confidence: number,
): ClassContribution {
  const [a, b] = sides.map(side => side.classes.get(name) ?? { n: 0, top1: 0 }) as [Counts, Counts]
  const row = { class: name, ...accuracyDifference(a, b, confidence) }
  const [p, q] = row.accuracy
  if (p === null || q === null) return { ...row, within: 0, mix: 0 }
  const [v, w] = [a.n / sides[0].n, b.n / sides[1].n]
  return { ...row, within: ((v + w) / 2) * (p - q), mix: (v - w) * ((p + q) / 2) }
}
