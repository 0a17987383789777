import { countryNumericCode } from '../../datasets/labels/countries.ts'
import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { figureCaption, figureId, modelAndImagesText, drawPerGeographicDataset } from './figure.ts'
import { modelToShow, type RunView } from '../../analysis/runView.ts'
import { accuracyColor, colorDomain, ink } from './theme.ts'
import { shortList } from '../../lib/table/text.ts'
import { accuracyPercent, percentValue, range95 } from '../../lib/table/values.ts'
import { type Layer, type TopLevelSpec } from './vegaLite.ts'
import { hasOutline, countryMiddle, countryOutlines } from './world.ts'

/** One country's accuracy in percent; `id` is its ISO 3166-1 numeric code. */
export interface CountryRow {
  country: string
  id: string
  n: number
  accuracy: number
  low: number
  high: number
}

/** Countries coloured by accuracy; those of fewer than `minN` images are outlined, those without images pale. */
export const countryMapSpec = (
  rows: readonly CountryRow[],
  minN: number,
  width: number,
): TopLevelSpec =>
  worldSpec(
    rows.map(row => ({
      id: row.id,
      accuracy: row.accuracy,
      large: row.n >= minN,
      about: `${row.country}: ${percentValue(row.accuracy)}, 95 % interval ${range95(row)}, n = ${row.n}`,
    })),
    width,
  )

/** A country's colour and tooltip; one that is not `large` is only outlined. */
export interface MapShape {
  id: string
  accuracy: number
  large: boolean
  about: string
}

/** With a legend, or with `instead` of it. */
export function worldSpec(
  shapes: readonly MapShape[],
  width: number,
  legendLayers?: (color: ReturnType<typeof accuracyColor>) => readonly Layer[],
): TopLevelSpec {
  const facts = new Map(shapes.map(shape => [shape.id, { ...shape }]))
  const known = shapes.filter(({ large }) => large).map(({ accuracy }) => accuracy)
  const domain = colorDomain(known)
  const length = legendLayers ? null : Math.min(200, 0.5 * width)
  return {
    width,
    height: Math.round(0.46 * width),
    projection: { type: 'equalEarth' },
    data: { values: countryOutlines(facts), format: { type: 'topojson', feature: 'countries' } },
    layer: [
      {
        transform: [{ filter: 'datum.properties.large !== true' }],
        mark: {
          type: 'geoshape',
          fill: ink,
          fillOpacity: 0.07,
          stroke: ink,
          strokeOpacity: 0.25,
          strokeWidth: 0.4,
        },
      },
      filledCountries(domain, length),
      ...outlinedCountries(shapes),
      ...countryDots(shapes, domain, length),
      ...(legendLayers?.(accuracyColor('accuracy', domain, null)) ?? []),
    ],
  }
}

const filledCountries = (domain: readonly [number, number], length: number | null): Layer => ({
  transform: [{ filter: 'datum.properties.large' }],
  mark: { type: 'geoshape', stroke: ink, strokeOpacity: 0.35, strokeWidth: 0.4, aria: true },
  encoding: {
    color: accuracyColor('properties.accuracy', domain, length),
    description: { field: 'properties.about' },
  },
})

const dashedOutline = {
  filled: false,
  stroke: ink,
  strokeWidth: 1,
  strokeDash: [2, 1.5],
  strokeOpacity: 0.9,
  aria: true,
}

function outlinedCountries(shapes: readonly MapShape[]): Layer[] {
  if (!shapes.some(({ id, large }) => !large && hasOutline(id))) return []
  return [
    {
      transform: [{ filter: 'datum.properties.large === false' }],
      mark: { type: 'geoshape', ...dashedOutline },
      encoding: { description: { field: 'properties.about' } },
    },
  ]
}

/** Countries without an outline at this scale. */
function countryDots(
  shapes: readonly MapShape[],
  domain: readonly [number, number],
  length: number | null,
): Layer[] {
  const values = shapes.flatMap(shape => {
    const middle = hasOutline(shape.id) ? undefined : countryMiddle(shape.id)
    return middle ? { longitude: middle[0], latitude: middle[1], ...shape } : []
  })
  const place = {
    longitude: { field: 'longitude', type: 'quantitative' as const },
    latitude: { field: 'latitude', type: 'quantitative' as const },
    description: { field: 'about' },
  }
  const [large, small] = [true, false].map(kind => values.filter(value => value.large === kind))
  return [
    {
      data: { values: large! },
      mark: { type: 'circle', size: 40, stroke: ink, strokeWidth: 0.6, opacity: 1, aria: true },
      encoding: { ...place, color: accuracyColor('accuracy', domain, length) },
    },
    {
      data: { values: small! },
      mark: { type: 'point', size: 40, ...dashedOutline },
      encoding: place,
    },
  ]
}

export const map: FigureKind = {
  name: 'map',
  paper: [],
  title: 'World map of accuracy per country',
  needs: 'a data set with countries',
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

function figureOf(results: RunView, dataset: string, options: FigureOptions): Figure | null {
  const model = modelToShow(results, dataset, options)
  if (model === undefined) return null
  const { rows, unknown } = countryRows(results, dataset, model)
  const small = rows.filter(({ n }) => n < results.minN)
  if (rows.length === small.length) return null
  const name = results.titleOf(dataset)
  return {
    id: figureId('map', name),
    title: `Accuracy per country on ${name}`,
    subtitle: `${modelAndImagesText(model, rows)}, ${rows.length} ${rows.length === 1 ? 'country' : 'countries'}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy of ${model} in percent on each country’s images. Pale: countries without an image that was predicted.`,
      small.length > 0
        ? `Outlined with dashes: countries of fewer than ${results.minN} images (${small.length}).`
        : null,
      unknown.length > 0 ? `Not on the map: ${shortList(unknown, 8)}.` : null,
      'Equal Earth projection; outlines by Natural Earth.',
    ),
    rows: rows.map(row => ({ model, ...row })),
    spec: width => countryMapSpec(rows, results.minN, width),
  }
}

function countryRows(
  results: RunView,
  dataset: string,
  model: string,
): { rows: CountryRow[]; unknown: string[] } {
  if (!results.run.cells.some(cell => cell.dataset === dataset && cell.groups['country'] != null)) {
    return { rows: [], unknown: [] }
  }
  const unknown: string[] = []
  const rows = results.accuracyBy('country').flatMap(row => {
    if (row.dataset !== dataset || row.model !== model || row.top1 === null) return []
    const id = countryNumericCode(row.group)
    if (id === undefined) {
      unknown.push(row.group)
      return []
    }
    return { country: row.group, id, n: row.n, ...accuracyPercent(row) }
  })
  return { rows, unknown }
}
