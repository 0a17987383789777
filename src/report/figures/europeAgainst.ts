import {
  fittedModelsNote,
  figureCaption,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  countModels,
  drawPerGeographicDataset,
  withFittedLabel,
} from './figure.ts'
import { endsBy, slopeText, titleIntervalNote } from './findings.ts'
import { linePanelsSpec } from './linePanel.ts'
import { type LinePanel } from './panel.ts'
import { type RegionLineRow, regionLineRows, regionRates, regionSeries } from './regionLines.ts'
import { regionsByAccuracy } from './regions.ts'
import { seriesColor } from './theme.ts'
import { signedText } from '../../lib/table/values.ts'

const baseRegion = 'Europe'

/** Europe's line beside that of another region. */
function panelOf(rows: readonly RegionLineRow[], region: string, reference: string): LinePanel {
  const [first, second] = [
    regionSeries(baseRegion, rows, seriesColor(0)),
    regionSeries(region, rows, seriesColor(1)),
  ]
  const difference = first.line && second.line ? first.line.slope - second.line.slope : null
  return {
    title: `${baseRegion} and ${region}`,
    subtitle:
      difference === null
        ? 'too few models for a line'
        : `difference of rates ${signedText(difference, 2)}`,
    x: `${reference} top-1 accuracy (%)`,
    y: 'top-1 accuracy (%)',
    series: [first, second],
  }
}

/** The rates of Europe and of the region that gains least. */
function europeTitle(
  rows: readonly RegionLineRow[],
  others: readonly string[],
  { name, reference }: { name: string; reference: string },
): string {
  const [europe, ...rates] = regionRates(rows, [baseRegion, ...others])
  if (europe?.region !== baseRegion || rates.length === 0)
    return `Too few models for the rates of Europe and other regions of ${name}`
  const [, least] = endsBy(rates, ({ slope }) => slope)
  return `On ${name}, models gain ${slopeText(europe)} points per point on ${reference} in Europe and ${slopeText(least)} in ${least.region}`
}

export const europeAgainst: FigureKind = {
  name: 'europe-against',
  paper: ['9'],
  title: 'Europe against every other region',
  needs: 'two models with a standard benchmark and a data set with Europe and another region',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset) => {
      const rows = regionLineRows(results, dataset)
      const order = regionsByAccuracy(rows)
      const others = order.filter(region => region !== baseRegion)
      if (!order.includes(baseRegion) || others.length === 0 || countModels(rows) < 2) return null
      const [name, reference] = [
        results.titleOf(dataset),
        results.titleOf(results.roles.reference!),
      ]
      return {
        id: figureId('europe-against', name),
        title: europeTitle(rows, others, { name, reference }),
        subtitle: `Europe against every other region: ${modelsAndImagesText(results, dataset, rows)}`,
        caption: figureCaption(
          results,
          `Each point is a model: top-1 accuracy on the images of Europe (blue) and of another region (orange) of ${name} against its accuracy on ${reference}, all in percent. Lines are least squares, a rate is a line’s slope.`,
          titleIntervalNote,
          fittedModelsNote(results.lines[0], results.models),
        ),
        rows: withFittedLabel(rows),
        spec: width =>
          linePanelsSpec(
            others.map(region => panelOf(rows, region, reference)),
            width,
            { shared: 'both' },
          ),
      }
    }),
}
