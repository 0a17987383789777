import { scalingTrend } from '../../metrics/scaling.ts'
import { testbedRows } from '../../models/listing.ts'
import { type MeasuredValue } from './comparison.ts'
import { europeAfrica } from './disparities.ts'
import { type PaperView } from './paperView.ts'
import { missingResultsText } from './progressTable.ts'

/** Change of DollarStreet's Europe minus Africa with `step` more training images or parameters, by a straight line (figure 3). */
export function scalingClaim(
  evidence: PaperView,
  size: 'images' | 'parameters',
  step: number,
): MeasuredValue {
  const points = testbedRows().map(row => ({
    model: row.model,
    size: row[size],
    value: europeAfrica(evidence, 'dollarstreet', row.model).value,
  }))
  const { slope, interval, p, n, reason } = scalingTrend(points, 'linear')
  if (slope === null)
    return { value: null, n, note: missingResultsText(evidence, ['dollarstreet']) ?? reason }
  return {
    value: slope * step,
    interval: interval && [interval[0] * step, interval[1] * step],
    n,
    note: `change with ${step / 1e6} million more${p === null ? '' : `, p = ${p.toPrecision(2)}`}`,
  }
}
