import { type Dimension } from '../../analysis/datasetCounts.ts'
import { type ModelView } from '../views.ts'
import { wholeNumberText } from './parts.tsx'

type ClassRegionCell = ModelView['cells'][number]

/** A table of accuracy by class (rows) and region (columns), the largest difference first. Each cell links to its images. */
export function HeatTable({
  cells,
  link,
}: {
  cells: readonly ClassRegionCell[]
  link: (more: Partial<Record<Dimension, string>>) => string
}) {
  const regions = [...new Set(cells.map(({ region }) => region))].sort()
  const classes = new Map<string, Map<string, ClassRegionCell>>()
  for (const cell of cells)
    classes.set(
      cell.label,
      (classes.get(cell.label) ?? new Map<string, ClassRegionCell>()).set(cell.region, cell),
    )
  const rows = [...classes].sort((a, b) => spreadOf(b[1]) - spreadOf(a[1]))
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Accuracy by class and region">
      <table class="heat">
        <caption>
          <span>
            Top-1 accuracy in percent by class and region, the largest difference between regions
            first
          </span>
        </caption>
        <thead>
          <tr>
            <th scope="col">class</th>
            {regions.map(region => (
              <th key={region} scope="col" class="number">
                {region}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([label, byRegion]) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {regions.map(region => (
                <HeatCell key={region} cell={byRegion.get(region)} href={link({ label, region })} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function HeatCell({ cell, href }: { cell: ClassRegionCell | undefined; href: string }) {
  if (!cell || cell.top1 === null) return <td class="number quiet">–</td>
  const text = (100 * cell.top1).toFixed(0)
  return (
    <td class={`number heat-${Math.min(4, Math.floor(5 * cell.top1))}`}>
      <a
        href={href}
        title={`n = ${wholeNumberText(cell.n)}`}
        aria-label={`${cell.label}, ${cell.region}: ${text} percent of ${cell.n}`}
      >
        {text}
      </a>
    </td>
  )
}

function spreadOf(byRegion: ReadonlyMap<string, ClassRegionCell>): number {
  const known = [...byRegion.values()].flatMap(({ top1 }) => top1 ?? [])
  return Math.max(...known) - Math.min(...known)
}
