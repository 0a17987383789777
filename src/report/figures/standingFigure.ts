import { type Figure, figureId } from './figure.ts'
import { countText } from '../../lib/table/text.ts'
import { panelLine, linePanelsSpec, fitPanelLine } from './linePanel.ts'
import { type LinePanel, type PanelPoint } from './panel.ts'
import { mutedColor, standardColor } from './theme.ts'
import { percent, pointsText } from '../../lib/table/text.ts'
import {
  comparableModels,
  isDifferenceMeasure,
  type MeasureStanding,
  type Standing,
} from '../../analysis/standing.ts'
import { noPackNotice } from '../../analysis/standingRun.ts'

/** The model as a dot among comparable ones, a panel a measure, with the interval that one more of them is expected in. */
export function standingFigure(placed: Standing): Figure {
  const { model, against, measureStandings: placements, notes } = placed
  const drawn = placements.filter(({ interval }) => interval !== null)
  const comparable = comparableModels(model, against.models)
  const none = against.isMeasured ? '' : ` ${noPackNotice}.`
  return {
    id: figureId('place', model.model),
    title: `${model.model} among comparable models`,
    subtitle: `${countText(comparable.length, 'model')} with ${model.kind === '1K' ? 'a head of their own' : 'texts for labels (zero-shot)'}: ${against.title}.${none}`,
    caption: `Each point is a comparable model (same kind of head), the line their least-squares trend on ${against.benchmark}; ${model.model} is ringed. The bar at its place is the 95 % prediction interval of one more comparable model: outside it, the model is above or below what models of its ${against.benchmark} accuracy show. All in percent.${[none, ...notes].join(' ')}`,
    rows: drawn.map(({ measure, reference, value, expected, residual, interval, models }) => ({
      model: model.model,
      measure,
      reference,
      value,
      expected,
      residual,
      models,
      low: interval![0],
      high: interval![1],
    })),
    spec: width =>
      linePanelsSpec(
        drawn.map(placement => panelOf(placement, placed)),
        width,
      ),
  }
}

function panelOf(
  { measure, reference, value, residual, interval, r2 }: MeasureStanding,
  { model, against }: Standing,
): LinePanel {
  const others = comparableModels(model, against.models).flatMap(
    ({ model, values }): PanelPoint[] => {
      const [x, y] = [values.get(against.benchmark), values.get(measure)]
      return x === undefined || y === undefined ? [] : [{ model, x: 100 * x, y: 100 * y }]
    },
  )
  const [low, high] = interval!
  const own = {
    model: model.model,
    x: 100 * reference,
    y: 100 * value,
    low: 100 * low,
    high: 100 * high,
  }
  const difference = isDifferenceMeasure(measure)
  return {
    title: measure,
    subtitle: `${percent(value)} ${difference ? 'points' : '%'}, ${pointsText(residual!)} from the trend${r2 === null ? '' : ` (R² ${r2.toFixed(2)})`}`,
    x: `${against.benchmark} top-1 accuracy (%)`,
    y: difference ? 'difference (points)' : 'top-1 accuracy (%)',
    model: model.model,
    startsAtZero: difference,
    series: [
      { label: [], color: standardColor, points: [own], line: null },
      {
        label: [],
        color: mutedColor.light,
        points: others,
        line: panelLine(fitPanelLine(others)),
        muted: true,
      },
    ],
  }
}
