import { testbedModel } from '../../models/testbed.ts'
import { disparityMeasure } from './disparity.ts'
import { figureCaption, type FigureKind, figureId, drawPerGeographicDataset } from './figure.ts'
import { countText, upperFirst } from '../../lib/table/text.ts'
import { differenceText, endsBy, rangeText, titleIntervalNote } from './findings.ts'
import { intervalRowsSpec } from './intervalRows.ts'
import { seriesColor, mutedColor } from './theme.ts'
import { intervalText, signedText } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'
import { interventionModels } from '../../analysis/paper/interventionModels.ts'

/** A ResNet-50 trained with one intervention, and its disparity in percentage points. */
export interface InterventionRow {
  intervention: string
  model: string
  disparity: number
  low: number | null
  high: number | null
}

/** Smallest disparity first; the dashed line is the baseline's. */
function interventionsSpec(
  rows: readonly InterventionRow[],
  measure: string,
  width: number,
): TopLevelSpec {
  const baseline = rows.find(({ intervention }) => intervention === 'baseline')
  return intervalRowsSpec(
    rows.map(row => {
      const change =
        baseline && row !== baseline ? signedText(row.disparity - baseline.disparity, 1) : ''
      return {
        name: row.intervention,
        value: row.disparity,
        low: row.low,
        high: row.high,
        color: row === baseline ? mutedColor.light : seriesColor(0),
        fact: change === '' || change.startsWith('−') ? change : `+${change}`,
        about: `${row.model}: ${signedText(row.disparity, 1)} points, 95 % interval ${intervalText(row, 1)}`,
      }
    }),
    {
      title: `${measure} (points)`,
      unit: 1,
      width,
      mark: baseline && { at: baseline.disparity, text: 'baseline' },
    },
  )
}

export const interventionsFigure: FigureKind = {
  name: 'interventions',
  paper: [],
  title: 'Robustness interventions on a ResNet-50 (table 3)',
  needs: 'two of the ResNet-50 of table 3 and a data set with two regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset) => {
      const {
        kind,
        measure,
        description: says,
        rows: measured,
      } = disparityMeasure(results.disparitiesOn(dataset))
      const rows = Object.entries(interventionModels).flatMap(
        ([intervention, alias]): InterventionRow[] => {
          const model = testbedModel(alias)
          const found = measured.find(row => row.model === model)
          return found
            ? [{ intervention, model, disparity: found.value, low: found.low, high: found.high }]
            : []
        },
      )
      if (rows.length < 2) return null
      rows.sort((a, b) => a.disparity - b.disparity)
      const name = results.titleOf(dataset)
      return {
        id: figureId('interventions', name),
        title: interventionTitle(rows, measure, name),
        subtitle: `Disparity by robustness intervention: ${countText(rows.length, 'ResNet-50 model')}, n = ${countText(results.imageCount(dataset), 'image')} of ${name}`,
        caption: figureCaption(
          results,
          `Each model’s ${says} of ${name}, in percentage points${kind === 'pair' ? ', with 95 % Newcombe intervals' : ''}, smallest first.`,
          'Dashed: the baseline; at the right the change against it. All models see the same images, so changes are surer than the intervals suggest.',
          titleIntervalNote,
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => interventionsSpec(rows, measure, width),
      }
    }),
}

/** The intervention whose disparity is furthest from the baseline's. */
function interventionTitle(
  rows: readonly InterventionRow[],
  measure: string,
  name: string,
): string {
  const baseline = rows.find(({ intervention }) => intervention === 'baseline')
  const others = rows.filter(row => row !== baseline)
  const [most] = endsBy(others, ({ disparity }) =>
    baseline ? Math.abs(disparity - baseline.disparity) : disparity,
  )
  const against = baseline ? `, against ${signedText(baseline.disparity, 1)} in the baseline` : ''
  return `${upperFirst(measure)} on ${name} is ${differenceText(most.disparity)}${rangeText(most)} with ${most.intervention}${against}`
}
