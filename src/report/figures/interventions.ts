import { testbedModel } from '../../models/testbed.ts'
import { measureOf } from './disparity.ts'
import { captionOf, type FigureKind, idOf, perGeographic } from './figure.ts'
import { count } from '../../lib/table/text.ts'
import { intervalRows } from './intervalRows.ts'
import { color, quiet } from './theme.ts'
import { range95Of, signed } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'
import { interventions } from '../../analysis/paper/interventionModels.ts'

/** A ResNet-50 trained with one intervention, and its disparity in percentage points. */
export interface InterventionRow {
  intervention: string
  model: string
  disparity: number
  low: number | null
  high: number | null
}

/** Smallest disparity first; the dashed line is the baseline's. */
function interventionsSpec(rows: readonly InterventionRow[], measure: string, width: number): TopLevelSpec {
  const baseline = rows.find(({ intervention }) => intervention === 'baseline')
  return intervalRows(
    rows.map(row => {
      const change = baseline && row !== baseline ? signed(row.disparity - baseline.disparity, 1) : ''
      return {
        ...{ name: row.intervention, value: row.disparity, low: row.low, high: row.high },
        color: row === baseline ? quiet.light : color(0),
        fact: change === '' || change.startsWith('−') ? change : `+${change}`,
        about: `${row.model}: ${signed(row.disparity, 1)} points, 95 % interval ${range95Of(row, 1)}`,
      }
    }),
    { title: `${measure} (points)`, unit: 1, width, ...(baseline ? { mark: baseline.disparity } : {}) },
  )
}

export const interventionsFigure: FigureKind = {
  name: 'interventions',
  paper: [],
  title: 'Robustness interventions on a ResNet-50 (table 3)',
  needs: 'two of the ResNet-50 of table 3 and a data set with two regions or countries',
  make: (results, options) =>
    perGeographic(results, options, (_, dataset) => {
      const { kind, measure, says, rows: measured } = measureOf(results.disparities(dataset))
      const rows = Object.entries(interventions).flatMap(([intervention, alias]): InterventionRow[] => {
        const model = testbedModel(alias)
        const found = measured.find(row => row.model === model)
        return found ? [{ intervention, model, disparity: found.value, low: found.low, high: found.high }] : []
      })
      if (rows.length < 2) return null
      rows.sort((a, b) => a.disparity - b.disparity)
      const name = results.title(dataset)
      return {
        id: idOf('interventions', name),
        title: `Robustness interventions and disparity on ${name}`,
        subtitle: `${count(rows.length, 'ResNet-50 model')}, n = ${count(results.images(dataset), 'image')} of ${name}`,
        caption: captionOf(
          results,
          `Each model’s ${says} of ${name}, in percentage points${kind === 'pair' ? ', with 95 % Newcombe intervals' : ''}, smallest first.`,
          'Dashed: the baseline; at the right the change against it. All models see the same images, so changes are surer than the intervals suggest.',
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => interventionsSpec(rows, measure, width),
      }
    }),
}
