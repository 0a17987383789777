import { isWestern } from '../../datasets/labels/regions.ts'
import { mean } from '../../metrics/numbers.ts'
import { type StudyValues } from '../../results/studies.ts'
import { figureCaption, type FigureKind, figureId } from './figure.ts'
import { countText } from '../../lib/table/text.ts'
import { endsBy } from './findings.ts'
import { linePanelsSpec } from './linePanel.ts'
import { type LinePanel } from './panel.ts'
import { seriesColor } from './theme.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** Share in percent of the query images that their `k` nearest references place in a group: `west` or a region. */
export interface NeighbourRow {
  k: number
  group: string
  share: number
  queries: number
}

const westGroup = 'west'

/** The western share and the shares of the regions by the number of neighbours. */
function neighboursSpec(rows: readonly NeighbourRow[], width: number): TopLevelSpec {
  const groups = [...new Set(rows.map(({ group }) => group))].filter(group => group !== westGroup)
  const regions = groups.sort((a, b) => meanShare(rows, b) - meanShare(rows, a))
  const ratio = ratioText(rows)
  const first = panelOf(rows, [westGroup], {
    title: 'West or not',
    subtitle: ratio && 'majority of the neighbours',
  })
  return linePanelsSpec(
    regions.length === 0
      ? [first]
      : [first, panelOf(rows, regions, { title: 'by region', subtitle: ratio })],
    width,
  )
}

/** Subtitles in both panels or in none, which keeps their plots on one height. */
const panelOf = (
  rows: readonly NeighbourRow[],
  groups: readonly string[],
  { title, subtitle }: { title: string; subtitle: string | null },
): LinePanel => ({
  subtitle: subtitle ?? undefined,
  title,
  x: 'nearest neighbours (k)',
  y: 'query images (%)',
  maxX: Infinity,
  startsAtZero: true,
  series: groups.map((group, i) => ({
    label: [group === westGroup ? 'West' : group],
    color: seriesColor(groups[0] === westGroup ? 0 : i + 1),
    line: null,
    joined: true,
    points: rows
      .filter(row => row.group === group)
      .map(({ k, share, queries }) => ({
        model: `${queries.toLocaleString('en-US')} images`,
        x: k,
        y: share,
      })),
  })),
})

const meanShare = (rows: readonly NeighbourRow[], group: string): number =>
  mean(rows.filter(row => row.group === group).map(({ share }) => share))

/** `Europe : Africa 2.1 to 2.4`, over all k. */
function ratioText(rows: readonly NeighbourRow[]): string | null {
  const ratios = rows.flatMap(({ k, group, share }) => {
    const africa = rows.find(row => row.k === k && row.group === 'Africa')
    return group === 'Europe' && africa && africa.share > 0 ? share / africa.share : []
  })
  if (ratios.length === 0) return null
  const [low, high] = [Math.min(...ratios).toFixed(2), Math.max(...ratios).toFixed(2)]
  return `Europe : Africa ${low === high ? low : `${low} to ${high}`}`
}

/** Rows of a stored study `neighbours`, as `storedVotes` has them. */
function neighbourRows(stored: readonly StudyValues[]): NeighbourRow[] {
  const counts = ['queries', 'references']
  const valueAt = (k: number, metric: string): number =>
    stored.find(row => row.setting === k && row.metric === metric)?.values[0] ?? 0
  return stored.flatMap(({ setting, metric, values: [share] }) =>
    share == null || counts.includes(metric)
      ? []
      : { k: setting, group: metric, share: 100 * share, queries: valueAt(setting, 'queries') },
  )
}

export const neighbours: FigureKind = {
  name: 'neighbours',
  paper: ['appendix F'],
  title: 'Where unlabelled images come from, by their nearest labelled neighbours',
  needs: 'a stored study neighbours',
  make: results => {
    const stored = results.run.studies.get('neighbours') ?? []
    const rows = neighbourRows(stored)
    if (!rows.some(({ group }) => group === westGroup)) return []
    const references = stored.find(({ metric }) => metric === 'references')?.values[0] ?? 0
    const western = [...new Set(rows.map(({ group }) => group))].filter(isWestern)
    return [
      {
        id: figureId('neighbours'),
        title: westTitle(rows),
        subtitle: `Where unlabelled images come from, by their nearest neighbours: n = ${countText(rows[0]!.queries, 'query image')}, ${countText(references, 'reference image')}`,
        caption: figureCaption(
          results,
          `Each unlabelled (query) image is placed by a majority of the k labelled reference images with the most similar embeddings: in the West${western.length > 0 ? ` (${western.join(', ')})` : ''} or not, and in a region; of regions with equally many neighbours the one with the nearest. Shares of all query images in percent.`,
          'Where a region has more reference images than another, the shares lean towards it.',
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => neighboursSpec(rows, width),
      },
    ]
  },
}

/** The smallest and the largest western share over the numbers of neighbours. */
function westTitle(rows: readonly NeighbourRow[]): string {
  const [most, least] = endsBy(
    rows.filter(({ group }) => group === westGroup),
    ({ share }) => share,
  )
  const [low, high] = [least, most].map(({ share }) => share.toFixed(0))
  const share = low === high ? low : `${low} to ${high}`
  const ks = rows.map(({ k }) => k)
  const range = [...new Set([Math.min(...ks), Math.max(...ks)])].join(' to ')
  return `${share} % of the images are placed in the West by their ${range} nearest neighbours`
}
