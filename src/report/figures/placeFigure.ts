import { type Figure, idOf } from './figure.ts'
import { count } from '../../lib/table/text.ts'
import { drawnLine, linePanels, lineThrough, type Panel, type PanelPoint } from './linePanel.ts'
import { quiet, standardColor } from './theme.ts'
import { percent } from '../../lib/table/text.ts'
import { pointsText } from '../../analysis/compareText.ts'
import { comparableWith, type Placement } from '../../analysis/place.ts'
import { isDifference, type Placed } from '../../analysis/placeText.ts'
import { noPack } from '../../analysis/citing/references.ts'

/** The model as a dot among comparable ones, a panel a measure, with the interval that one more of them is expected in. */
export function placeFigure(placed: Placed): Figure {
  const { model, against, placements, notes } = placed
  const drawn = placements.filter(({ interval }) => interval !== null)
  const comparable = comparableWith(model, against.models)
  const none = against.measured ? '' : ` ${noPack}.`
  return {
    id: idOf('place', model.model),
    title: `${model.model} among comparable models`,
    subtitle: `${count(comparable.length, 'model')} with ${model.kind === '1K' ? 'a head of their own' : 'texts for labels (zero-shot)'}: ${against.title}.${none}`,
    caption: `Each point is a comparable model (same kind of head), the line their least-squares trend on ${against.benchmark}; ${model.model} is ringed. The bar at its place is the 95 % prediction interval of one more comparable model: outside it, the model is above or below what models of its ${against.benchmark} accuracy show. All in percent.${[none, ...notes].join(' ')}`,
    rows: drawn.map(({ measure, reference, value, expected, residual, interval, models }) => ({
      ...{ model: model.model, measure, reference, value, expected, residual, models },
      ...{ low: interval![0], high: interval![1] },
    })),
    spec: width =>
      linePanels(
        drawn.map(placement => panelOf(placement, placed)),
        width,
      ),
  }
}

function panelOf({ measure, reference, value, residual, interval, r2 }: Placement, { model, against }: Placed): Panel {
  const others = comparableWith(model, against.models).flatMap(({ model, values }): PanelPoint[] => {
    const [x, y] = [values.get(against.benchmark), values.get(measure)]
    return x === undefined || y === undefined ? [] : [{ model, x: 100 * x, y: 100 * y }]
  })
  const [low, high] = interval!
  const own = { model: model.model, x: 100 * reference, y: 100 * value, low: 100 * low, high: 100 * high }
  const difference = isDifference(measure)
  return {
    title: measure,
    subtitle: `${percent(value)} ${difference ? 'points' : '%'}, ${pointsText(residual!)} from the trend${r2 === null ? '' : ` (R² ${r2.toFixed(2)})`}`,
    x: `${against.benchmark} top-1 accuracy (%)`,
    y: difference ? 'difference (points)' : 'top-1 accuracy (%)',
    model: model.model,
    difference,
    series: [
      { label: [], color: standardColor, points: [own], line: null },
      { label: [], color: quiet.light, points: others, line: drawnLine(lineThrough(others)), quiet: true },
    ],
  }
}
