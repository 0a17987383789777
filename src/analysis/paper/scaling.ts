import { scalingTrend } from '../../metrics/scaling.ts'
import { testbedRows } from '../../models/listing.ts'
import { type Ours } from './comparison.ts'
import { europeAfrica } from './disparities.ts'
import { type Evidence } from './evidence.ts'
import { missing } from './progressTable.ts'

/** Change of DollarStreet's Europe minus Africa with `step` more training images or parameters, by a straight line (figure 3). */
export function scalingClaim(evidence: Evidence, size: 'images' | 'parameters', step: number): Ours {
  const points = testbedRows().map(row => ({
    model: row.model,
    size: row[size],
    value: europeAfrica(evidence, 'dollarstreet', row.model).value,
  }))
  const { slope, interval, p, n, reason } = scalingTrend(points, 'linear')
  if (slope === null) return { value: null, n, note: missing(evidence, ['dollarstreet']) ?? reason }
  return {
    value: slope * step,
    interval: interval && [interval[0] * step, interval[1] * step],
    n,
    note: `change with ${step / 1e6} million more${p === null ? '' : `, p = ${p.toPrecision(2)}`}`,
  }
}
