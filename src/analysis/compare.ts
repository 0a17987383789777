/** Who gained and who lost between two evaluations of the same images. */
import { type Interval } from '../metrics/intervals.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { benjaminiHochberg, pairedImageCount } from '../metrics/pairedTests.ts'
import { flipInflation, joinOutcomes, type PairedOutcomes, signFlipP } from '../metrics/signFlip.ts'
import { type PairCoverage, type PairedCounts } from './imagePairs.ts'

/** One group's accuracy on both sides; shares in 0 … 1. */
export interface GroupChange {
  /** `overall`, `label` (the class), or a grouping column. */
  by: string
  group: string
  /** Images that both sides predicted. */
  n: number
  /** Images wrong on the first and right on the second side, and the reverse. */
  gained: number
  lost: number
  first: number
  second: number
  /** Accuracy of the second minus that of the first side. */
  change: number
  /** 95 % interval of `change` (Tango's paired score interval, wider where households flip together), of this group alone. */
  interval: Interval
  /** Exact test of no change: McNemar's, by household where there are some. */
  p: number
  /** `p` after Benjamini and Hochberg over all groups of the comparison; overall stands alone. */
  adjusted: number
  /** The class that makes up more than half of the net change, where one does. */
  mostly: string | null
}

export interface EvaluationComparison {
  dataset: string
  preprocessing: string
  firstModel: string
  secondModel: string
  coverage: PairCoverage
  /** Overall first, then the columns in the order asked for, each with its largest loss first. */
  rows: GroupChange[]
  /** Groups that were tested, and groups with fewer than `minN` images in common, which were not. */
  tested: number
  leftOut: { by: string; group: string; n: number }[]
  minN: number
  /** Households whose images are tested together; null where the data set names none. */
  households: number | null
  /** What a reader has to know before trusting the numbers. */
  notes: string[]
}

/** Groups smaller than this are listed and not tested. */
export const minComparedImages = 30

/** A change counts as shown when its adjusted p-value is below this. */
export const significanceLevel = 0.05

/** The changes of every group of every column, tested together; `all` are the cells of the overall row. */
export function groupChanges(
  cells: ReadonlyMap<string, readonly PairedCounts[]>,
  minN: number,
  overallCells: readonly PairedCounts[],
): Pick<EvaluationComparison, 'rows' | 'tested' | 'leftOut' | 'minN' | 'households'> {
  const overall =
    overallCells.length > 0
      ? [groupChange('overall', 'all', overallCells, joinOutcomes(overallCells))]
      : []
  const groups = [...cells].flatMap(([by, members]) =>
    [...pairedCountsByGroup(members)].map(([group, of]) => ({
      by,
      group,
      of,
      counts: joinOutcomes(of),
    })),
  )
  const testedGroups = groups.filter(({ counts }) => pairedImageCount(counts) >= Math.max(1, minN))
  const rows = testedGroups.map(({ by, group, of, counts }) => groupChange(by, group, of, counts))
  const adjusted = benjaminiHochberg(rows.map(({ p }) => p))
  const columns = [...cells.keys()]
  const households = new Set(overallCells.flatMap(({ cluster }) => cluster ?? [])).size
  return {
    ...{ minN, households: households === 0 ? null : households },
    tested: rows.length,
    leftOut: groups
      .filter(each => !testedGroups.includes(each))
      .map(({ by, group, counts }) => ({ by, group, n: pairedImageCount(counts) })),
    rows: [
      ...overall,
      ...rows
        .map((row, i) => ({ ...row, adjusted: adjusted[i]! }))
        .sort((a, b) => columns.indexOf(a.by) - columns.indexOf(b.by) || a.change - b.change),
    ],
  }
}

/** The cells of each group. */
export function pairedCountsByGroup(cells: readonly PairedCounts[]): Map<string, PairedCounts[]> {
  const groups = new Map<string, PairedCounts[]>()
  for (const cell of cells) {
    const members = groups.get(cell.group)
    if (members) members.push(cell)
    else groups.set(cell.group, [cell])
  }
  return groups
}

function groupChange(
  by: string,
  group: string,
  cells: readonly PairedCounts[],
  counts: PairedOutcomes,
): GroupChange {
  const n = pairedImageCount(counts)
  const { onlySecond: gained, onlyFirst: lost } = counts
  const p = signFlipP(counts)
  return {
    ...{ by, group, n, gained, lost, p, adjusted: p },
    first: (counts.both + lost) / n,
    second: (counts.both + gained) / n,
    change: (gained - lost) / n,
    interval: pairedInterval(counts, 0.95, flipInflation(counts))!,
    mostly: by === 'label' ? null : mainlyChangedClass(cells, gained - lost),
  }
}

/** The class with more than half of a net change of `net` images. */
function mainlyChangedClass(cells: readonly PairedCounts[], net: number): string | null {
  const byClass = new Map<string, number>()
  for (const { label, onlyFirst, onlySecond } of cells)
    byClass.set(label, (byClass.get(label) ?? 0) + Math.sign(net) * (onlySecond - onlyFirst))
  const [most] = [...byClass].sort((a, b) => b[1] - a[1])
  return net !== 0 && byClass.size > 1 && most && most[1] > Math.abs(net) / 2 ? most[0] : null
}
