import {
  beside,
  captionOf,
  type FigureKind,
  idOf,
  modelsAndImages,
  modelsIn,
  perGeographic,
  saidFitted,
} from './figure.ts'
import { linePanels, type Panel } from './linePanel.ts'
import { type RegionLineRow, regionLineRows, seriesOf } from './regionLines.ts'
import { bestFirst } from './regions.ts'
import { color } from './theme.ts'
import { signed } from '../../lib/table/values.ts'
import { type TopLevelSpec } from './vegaLite.ts'

const base = 'Europe'

/** Europe's line beside every other region's, one panel each. */
function europeAgainstSpec(
  rows: readonly RegionLineRow[],
  others: readonly string[],
  reference: string,
  width: number,
): TopLevelSpec {
  return linePanels(
    others.map(region => panelOf(rows, region, reference)),
    width,
  )
}

function panelOf(rows: readonly RegionLineRow[], region: string, reference: string): Panel {
  const [first, second] = [seriesOf(base, rows, color(0)), seriesOf(region, rows, color(1))]
  const difference = first.line && second.line ? first.line.slope - second.line.slope : null
  return {
    title: `${base} and ${region}`,
    subtitle: difference === null ? 'too few models for a line' : `difference of rates ${signed(difference, 2)}`,
    x: `${reference} top-1 accuracy (%)`,
    y: 'top-1 accuracy (%)',
    series: [first, second],
  }
}

export const europeAgainst: FigureKind = {
  name: 'europe-against',
  paper: ['9'],
  title: 'Europe against every other region',
  needs: 'two models with a standard benchmark and a data set with Europe and another region',
  make: (results, options) =>
    perGeographic(results, options, (_, dataset) => {
      const rows = regionLineRows(results, dataset)
      const order = bestFirst(rows)
      const others = order.filter(region => region !== base)
      if (!order.includes(base) || others.length === 0 || modelsIn(rows) < 2) return null
      const [name, reference] = [results.title(dataset), results.title(results.roles.reference!)]
      return {
        id: idOf('europe-against', name),
        title: `Europe against every other region of ${name}`,
        subtitle: modelsAndImages(results, dataset, rows),
        caption: captionOf(
          results,
          `Each point is a model: top-1 accuracy on the images of Europe (blue) and of another region (orange) of ${name} against its accuracy on ${reference}, all in percent. Lines are least squares, a rate is a line’s slope.`,
          beside(results),
        ),
        rows: saidFitted(rows),
        spec: width => europeAgainstSpec(rows, others, reference, width),
      }
    }),
}
