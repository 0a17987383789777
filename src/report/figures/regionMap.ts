import { countryNumericCode } from '../../datasets/labels/countries.ts'
import { countryName } from '../../datasets/labels/readableNames.ts'
import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { figureCaption, figureId, modelAndImagesText, drawPerGeographicDataset } from './figure.ts'
import { leadNote, leadText } from './findings.ts'
import { fitText, textWidthPx } from './fonts.ts'
import { type MapShape, worldSpec } from './countryMap.ts'
import { rankedPlace, regionsByAccuracy, type RegionRow, regionRows } from './regions.ts'
import { modelToShow, type RunView } from '../../analysis/runView.ts'
import { fontSizePx, ink } from './theme.ts'
import {
  bracketedInterval,
  inPoints,
  percentValue,
  range95,
  signedText,
} from '../../lib/table/values.ts'
import { pixelText, type TopLevelSpec } from './vegaLite.ts'

/** A country of the data set and the region that it belongs to there. */
export interface RegionCountry {
  id: string
  country: string
  region: string
}

const legendLineHeightPx = 15

/** Every country in the colour of its region's accuracy, and below the map each region's colour and numbers. */
function regionMapSpec(
  rows: readonly RegionRow[],
  members: readonly RegionCountry[],
  width: number,
): TopLevelSpec {
  const shapes = members.flatMap(({ id, country, region }): MapShape[] => {
    const row = rows.find(row => row.region === region)
    return row
      ? [{ id, accuracy: row.accuracy, large: true, about: `${country}, ${regionLegendText(row)}` }]
      : []
  })
  const top = Math.round(0.46 * width) + 14
  const lines = rows.map((row, i) => ({
    text: regionLegendText(row, width - 16),
    px: 16,
    py: top + i * legendLineHeightPx,
  }))
  return worldSpec(shapes, {
    width,
    legendLayers: color => [
      {
        data: {
          values: rows.map(({ accuracy }, i) => ({ accuracy, py: top + i * legendLineHeightPx })),
        },
        mark: { type: 'square', size: 110, opacity: 1, x: 6, y: { expr: 'datum.py' } },
        encoding: { color },
      },
      pixelText(lines, { align: 'left', fontSize: fontSizePx, color: ink }),
    ],
  })
}

/** `Europe: 89.9 % (89.2 to 90.6, n 7,476)`; a long name is cut, the numbers are not. */
function regionLegendText(row: RegionRow, room = Infinity): string {
  const numbers = `: ${percentValue(row.accuracy)} (${range95(row)}, n ${row.n.toLocaleString('en-US')})`
  return `${fitText(row.region, room - textWidthPx(numbers, fontSizePx))}${numbers}`
}

export const regionMap: FigureKind = {
  name: 'region-map',
  paper: ['1 map'],
  title: 'World map of accuracy per region',
  needs: 'a data set with regions and countries',
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

function figureOf(results: RunView, dataset: string, options: FigureOptions): Figure | null {
  const model = modelToShow(results, dataset, options)
  const members = regionCountries(results, dataset)
  if (model === undefined || members.length === 0) return null
  const rows = regionRows(results, dataset, 'region').filter(
    row => row.model === model && row.n >= results.minN,
  )
  const order = regionsByAccuracy(rows)
  rows.sort((a, b) => order.indexOf(a.region) - order.indexOf(b.region))
  if (rows.length < 2) return null
  const name = results.titleOf(dataset)
  const found = results.disparitiesOn(dataset).find(row => row.model === model)
  const [value, interval] = [found?.europeMinusAfrica ?? null, found?.europeMinusAfricaInterval]
  const places = rows.map(rankedPlace)
  const isInTitle = rows[0]!.region === 'Europe' && rows.at(-1)!.region === 'Africa'
  const difference =
    value === null || !interval || isInTitle
      ? ''
      : `; Europe − Africa: ${signedText(100 * value, 1)} points${bracketedInterval(inPoints(interval), 1)}`
  return {
    id: figureId('region-map', name),
    title: leadText(places, `on ${name}`)!,
    subtitle: `Accuracy per region: ${modelAndImagesText(model, rows)}${difference}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy of ${model} in percent on each region’s images, with 95 % intervals. The countries of the data set have their region’s colour; pale ones have no images.`,
      leadNote(places),
      'Equal Earth projection; outlines by Natural Earth.',
    ),
    rows: rows.map(row => ({ ...row })),
    spec: width => regionMapSpec(rows, members, width),
  }
}

/** Countries on the map, each with the region that its images carry. */
function regionCountries({ run }: RunView, dataset: string): RegionCountry[] {
  const regions = new Map<string, string>()
  for (const cell of run.cells) {
    const { country, region } = cell.groups
    if (cell.dataset === dataset && country != null && region != null)
      regions.set(String(country), String(region))
  }
  return [...regions].flatMap(([country, region]) => {
    const id = countryNumericCode(country)
    return id === undefined ? [] : { id, country: countryName(country), region }
  })
}
