import { type Dimension } from '../../analysis/datasetCounts.ts'
import { groupByKey } from '../../lib/tally.ts'
import { type ModelView } from '../views.ts'
import { nameOf, TableFrame, wholeNumberText } from './parts.tsx'

type LabelRegionCell = ModelView['cells'][number]

interface HeatTableProps {
  names: Readonly<Record<string, string>>
  cells: readonly LabelRegionCell[]
  link: (more: Partial<Record<Dimension, string>>) => string
}

/** A table of accuracy by label (rows) and region (columns), the largest difference first. Each cell links to its images. */
export function HeatTable({ names, cells, link }: HeatTableProps) {
  const regions = [...new Set(cells.map(({ region }) => region))].sort()
  const labels = groupByKey(cells, ({ label }) => label)
  const rows = [...labels].sort((a, b) => spreadOf(b[1]) - spreadOf(a[1]))
  return (
    <TableFrame
      class="heat"
      caption="Top-1 accuracy in percent by label and region, the largest difference between regions first"
    >
      <thead>
        <tr>
          <th scope="col">label</th>
          {regions.map(region => (
            <th key={region} scope="col" class="number">
              {region}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([label, row]) => (
          <tr key={label}>
            <th scope="row">
              <span title={label}>{nameOf(names, label)}</span>
            </th>
            {regions.map(region => (
              <HeatCell
                key={region}
                cell={row.find(cell => cell.region === region)}
                href={link({ label, region })}
              />
            ))}
          </tr>
        ))}
      </tbody>
    </TableFrame>
  )
}

function HeatCell({ cell, href }: { cell: LabelRegionCell | undefined; href: string }) {
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

/** Returns the difference between the highest and the lowest accuracy of a row. */
function spreadOf(row: readonly LabelRegionCell[]): number {
  const known = row.flatMap(({ top1 }) => top1 ?? [])
  return Math.max(...known) - Math.min(...known)
}
