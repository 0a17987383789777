/** Computes which groups gained and which lost between two evaluations of the same images. */
import { type OutcomeMetricName } from '../results/metricNames.ts'
import { groupByKey } from '../lib/tally.ts'
import {
  type GroupClustering,
  groupClusterings,
  independentImages,
} from '../metrics/designEffect.ts'
import { type Interval } from '../metrics/intervals.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { benjaminiHochberg, pairedImageCount } from '../metrics/pairedTests.ts'
import {
  changeMoments,
  type ClusterOutcomes,
  joinOutcomes,
  type PairedOutcomes,
  signFlipMidP,
  signFlipP,
} from '../metrics/signFlip.ts'
import { fieldColumn, numericColumns, shareColumn, type TableColumn } from '../lib/table/columns.ts'
import { pNumber, pointsText } from '../lib/table/text.ts'
import { type PairCoverage, type PairedCounts } from './imagePairs.ts'

/** The accuracy of one group on both sides; shares in 0 … 1. */
export interface GroupChange {
  /** `overall`, `label` (the class), or a grouping column. */
  by: string
  group: string
  /** Images with an outcome on both sides. */
  n: number
  /** Images wrong on the first and right on the second side, and the reverse; null if images cannot be paired. */
  gained: number | null
  lost: number | null
  first: number
  second: number
  /** Accuracy of the second minus that of the first side. */
  change: number
  /**
   * 95 % interval of `change` for this group alone: Tango's paired score interval, widened if households flip together; of counts
   * without single images Newcombe's of two independent samples.
   */
  interval: Interval | null
  /** Why `interval` is null. */
  reason: string | null
  /** Exact two-sided p-value of no change: McNemar's test, or the sign-flip test over households. Null if images cannot be paired. */
  p: number | null
  /** Mid-p of the same test: the probability of what was seen counts half, so that it is not too large on average. */
  midP: number | null
  /** `p` adjusted by Benjamini and Hochberg over all groups of the comparison; overall is not adjusted. */
  adjusted: number | null
  /** The class that makes up more than half of the net change; null if none does. */
  mostly: string | null
}

/** A change over images that both sides have, so that it is tested. */
export interface PairedGroupChange extends GroupChange {
  gained: number
  lost: number
  p: number
  midP: number
  adjusted: number
}

/** Returns an interval of a change in percentage points, such as `-3.1 to +0.4`. */
export const changeRangeText = (interval: Interval | null): string =>
  interval?.map(pointsText).join(' to ') ?? '–'

const pColumn = (name: 'midP' | 'adjusted', heading: string): TableColumn<GroupChange> => ({
  ...fieldColumn(name, heading, (p: number | null) => (p === null ? '–' : pNumber(p))),
  name: name === 'midP' ? 'mid_p' : name,
  type: 'number',
})

/** The columns of a table of changes, after those that name the group. */
export const changeColumns: readonly TableColumn<GroupChange>[] = [
  fieldColumn('n'),
  shareColumn('first', 'first %'),
  shareColumn('second', 'second %'),
  { ...fieldColumn('change'), show: ({ change }) => pointsText(change) },
  {
    name: 'low',
    heading: '95 % interval',
    value: ({ interval }) => interval?.[0] ?? null,
    show: ({ interval }) => changeRangeText(interval),
  },
  { name: 'high', heading: '', value: ({ interval }) => interval?.[1] ?? null },
  pColumn('adjusted', 'adjusted p'),
  ...numericColumns({ gained: 'gained', lost: 'lost', p: '' }),
  pColumn('midP', 'mid-p'),
]

/** The changes between two evaluations. */
export interface EvaluationComparison {
  dataset: string
  preprocessing: string
  firstModel: string
  secondModel: string
  coverage: PairCoverage
  /** Overall first, then the columns in the order of the request, each with its largest loss first. */
  rows: GroupChange[]
  /** Number of groups that were tested. */
  tested: number
  /** Groups with fewer than `minN` images in common, which were not tested. */
  leftOut: { by: string; group: string; n: number }[]
  minN: number
  /** Number of households, whose images are tested together; null if the data set names none. */
  households: number | null
  /** Whether images were compared one by one, or only counts of groups. */
  isPaired: boolean
  /** What an image counts for. */
  metric: OutcomeMetricName
  /** Sentences for the reader on images and models that were not compared. */
  notes: string[]
}

/** Smallest number of images in common for a group to be tested. */
export const minComparedImages = 30

/** A change is significant if its adjusted p-value is below this. */
export const significanceLevel = 0.05

/** A group of a comparison with its cells and their sum. */
interface PairedGroup {
  by: string
  group: string
  cells: readonly PairedCounts[]
  counts: PairedOutcomes
  clustering: GroupClustering
}

/**
 * Returns the changes of all groups of all columns, tested together. `cells` are the paired counts by column, `overallCells`
 * those of all images.
 */
export function groupChanges(
  cells: ReadonlyMap<string, readonly PairedCounts[]>,
  minN: number,
  overallCells: readonly PairedCounts[],
): Pick<EvaluationComparison, 'tested' | 'leftOut' | 'minN' | 'households'> & {
  rows: PairedGroupChange[]
} {
  const overall = overallCells.length > 0 ? [overallChange(overallCells)] : []
  const groups = [...cells].flatMap(([by, members]) => {
    const clusterings = changeClusterings(members)
    return Array.from(outcomesByGroup(members), ([group, own]): PairedGroup => ({
      by,
      group,
      cells: own,
      counts: joinOutcomes(own),
      clustering: clusterings.get(group) ?? independentImages,
    }))
  })
  const isLarge = ({ counts }: PairedGroup): boolean =>
    pairedImageCount(counts) >= Math.max(1, minN)
  const rows = groups.filter(isLarge).map(groupChange)
  const adjusted = benjaminiHochberg(rows.map(({ p }) => p))
  const columns = [...cells.keys()]
  return {
    minN,
    households: new Set(overallCells.flatMap(({ cluster }) => cluster ?? [])).size || null,
    tested: rows.length,
    leftOut: groups
      .filter(group => !isLarge(group))
      .map(({ by, group, counts }) => ({ by, group, n: pairedImageCount(counts) })),
    rows: [
      ...overall,
      ...rows
        .map((row, i) => ({ ...row, adjusted: adjusted[i]! }))
        .sort((a, b) => columns.indexOf(a.by) - columns.indexOf(b.by) || a.change - b.change),
    ],
  }
}

/** Returns the cells of each group, in the order of their first cells. */
export const outcomesByGroup = <Cell extends ClusterOutcomes>(
  cells: readonly Cell[],
): Map<string, Cell[]> => groupByKey(cells, ({ group }) => group)

/** Returns how households bear on each group of which some image has one; what is common to the groups is estimated together. */
export const changeClusterings = (
  cells: readonly ClusterOutcomes[],
): ReadonlyMap<string, GroupClustering> => groupClusterings(changeMoments(cells))

/** Returns how households bear on the change of all images together, which the reason calls `name`. */
export const overallChangeClustering = (
  cells: readonly ClusterOutcomes[],
  name: string,
): GroupClustering =>
  changeClusterings(cells.map(cell => ({ ...cell, group: name }))).get(name) ?? independentImages

const overallChange = (cells: readonly PairedCounts[]): PairedGroupChange =>
  groupChange({
    by: 'overall',
    group: 'all',
    cells,
    counts: joinOutcomes(cells),
    clustering: overallChangeClustering(cells, 'all groups'),
  })

function groupChange({ by, group, cells, counts, clustering }: PairedGroup): PairedGroupChange {
  const n = pairedImageCount(counts)
  const { onlySecond: gained, onlyFirst: lost } = counts
  const p = signFlipP(counts)
  const { inflation, reason } = clustering
  return {
    by,
    group,
    n,
    gained,
    lost,
    first: (counts.both + lost) / n,
    second: (counts.both + gained) / n,
    change: (gained - lost) / n,
    interval: reason === null ? pairedInterval(counts, 0.95, inflation) : null,
    reason,
    p,
    midP: signFlipMidP(counts),
    adjusted: p,
    mostly: by === 'label' ? null : mainlyChangedClass(cells, gained - lost),
  }
}

/** Returns the class that makes up more than half of a net change of `net` images; null if none does. */
function mainlyChangedClass(cells: readonly PairedCounts[], net: number): string | null {
  const byClass = new Map<string, number>()
  for (const { label, onlyFirst, onlySecond } of cells)
    byClass.set(label, (byClass.get(label) ?? 0) + Math.sign(net) * (onlySecond - onlyFirst))
  const [most] = [...byClass].sort((a, b) => b[1] - a[1])
  return net !== 0 && byClass.size > 1 && most && most[1] > Math.abs(net) / 2 ? most[0] : null
}
