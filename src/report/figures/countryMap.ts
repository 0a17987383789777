import { countryNumericCode } from '../../datasets/labels/countries.ts'
import { countryName } from '../../datasets/labels/readableNames.ts'
import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { figureCaption, figureId, modelAndImagesText, drawPerGeographicDataset } from './figure.ts'
import { leadNote, leadText, placeText } from './findings.ts'
import { withLegend } from './legend.ts'
import { modelToShow, type RunView } from '../../analysis/runView.ts'
import { accuracyColor, colorDomain, differenceColor, hatchFill, ink } from './theme.ts'
import { shortList } from '../../lib/table/text.ts'
import { accuracyPercent, percentValue, range95, signedText } from '../../lib/table/values.ts'
import { type FigureLayer, type TopLevelSpec } from './vegaLite.ts'
import { hasOutline, countryMiddle, countryOutlines } from './countryOutlines.ts'

/** One country's accuracy in percent; `id` is its ISO 3166-1 numeric code. */
export interface CountryRow {
  country: string
  id: string
  n: number
  accuracy: number
  low: number
  high: number
}

/** Countries coloured by accuracy; those of fewer than `minN` images are hatched, those without images pale. */
export const countryMapSpec = (
  rows: readonly CountryRow[],
  minN: number,
  { width, from = null }: CountryMapOptions,
): TopLevelSpec =>
  withLegend(
    worldSpec(
      rows.map(row => ({
        id: row.id,
        accuracy: row.accuracy - (from ?? 0),
        large: row.n >= minN,
        about: countryText(row, from),
      })),
      { width, isDifference: from !== null },
    ),
    rows.some(({ n }) => n < minN) ? [{ look: 'hatched', text: `fewer than ${minN} images` }] : [],
    { left: 0, width },
  )

export interface CountryMapOptions {
  width: number
  /** Accuracy in percent from which the colours count the difference. Default: none, colours are accuracies. */
  from?: number | null
}

const countryText = (row: CountryRow, from: number | null): string => {
  const difference = from === null ? '' : `${signedText(row.accuracy - from, 1)} points, `
  return `${row.country}: ${difference}${percentValue(row.accuracy)}, 95 % interval ${range95(row)}, n = ${row.n}`
}

/** A country's colour and tooltip; one that is not `large` is hatched. */
export interface MapShape {
  id: string
  accuracy: number
  large: boolean
  about: string
}

export interface WorldOptions {
  width: number
  /** Whether the shapes hold differences around 0. */
  isDifference?: boolean
  /** Layers in place of the legend. */
  legendLayers?: (color: ShapeColor) => readonly FigureLayer[]
}

type ShapeColor = ReturnType<typeof accuracyColor> | ReturnType<typeof differenceColor>

/** A world map of shapes with a legend, or with layers in place of it. */
export function worldSpec(
  shapes: readonly MapShape[],
  { width, isDifference = false, legendLayers }: WorldOptions,
): TopLevelSpec {
  const facts = new Map(shapes.map(shape => [shape.id, { ...shape }]))
  const large = shapes.filter(shape => shape.large)
  const known = (large.length > 0 ? large : shapes).map(({ accuracy }) => accuracy)
  const length = legendLayers ? null : Math.min(200, 0.5 * width)
  const color = (field: string): ShapeColor =>
    isDifference
      ? differenceColor(field, Math.max(1, ...known.map(Math.abs)), length)
      : accuracyColor(field, colorDomain(known), length)
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
      filledCountries(color('properties.accuracy')),
      ...hatchedCountries(shapes),
      ...countryDots(shapes, color('accuracy')),
      ...(legendLayers?.(color('accuracy')) ?? []),
    ],
  }
}

const filledCountries = (color: ShapeColor): FigureLayer => ({
  transform: [{ filter: 'isValid(datum.properties.accuracy)' }],
  mark: { type: 'geoshape', stroke: ink, strokeOpacity: 0.35, strokeWidth: 0.4, aria: true },
  encoding: { color, description: { field: 'properties.about' } },
})

const hatched = {
  filled: true,
  fill: hatchFill,
  stroke: ink,
  strokeWidth: 0.8,
  strokeDash: [2, 1.5],
  strokeOpacity: 0.9,
  aria: true,
}

/** Lies over the colours of countries with few images. */
function hatchedCountries(shapes: readonly MapShape[]): FigureLayer[] {
  if (!shapes.some(({ id, large }) => !large && hasOutline(id))) return []
  return [
    {
      transform: [{ filter: 'datum.properties.large === false' }],
      mark: { type: 'geoshape', ...hatched },
      encoding: { description: { field: 'properties.about' } },
    },
  ]
}

/** Countries without an outline at this scale. */
function countryDots(shapes: readonly MapShape[], color: ShapeColor): FigureLayer[] {
  const values = shapes.flatMap(shape => {
    const middle = hasOutline(shape.id) ? undefined : countryMiddle(shape.id)
    return middle ? { longitude: middle[0], latitude: middle[1], ...shape } : []
  })
  if (values.length === 0) return []
  const place = {
    longitude: { field: 'longitude', type: 'quantitative' as const },
    latitude: { field: 'latitude', type: 'quantitative' as const },
    description: { field: 'about' },
  }
  const dots = { type: 'circle' as const, size: 40, opacity: 1, aria: true }
  return [
    {
      data: { values },
      mark: { ...dots, stroke: ink, strokeWidth: 0.6 },
      encoding: { ...place, color },
    },
    {
      data: { values: values.filter(({ large }) => !large) },
      mark: { ...dots, ...hatched },
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
  const places = rows
    .filter(({ n }) => n >= results.minN)
    .map(({ country, ...row }) => ({ place: country, ...row }))
  const where = `on ${name}`
  return {
    id: figureId('map', name),
    title: leadText(places, where) ?? placeText(places[0]!, where),
    subtitle: `Accuracy per country: ${modelAndImagesText(model, rows)}, ${rows.length} ${rows.length === 1 ? 'country' : 'countries'}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy of ${model} in percent on each country’s images. Pale: countries without an image that was predicted.`,
      small.length > 0
        ? `Hatched: countries of fewer than ${results.minN} images (${small.length}).`
        : null,
      leadNote(places),
      unknown.length > 0 ? `Not on the map: ${shortList(unknown, 8)}.` : null,
      'Equal Earth projection; outlines by Natural Earth.',
    ),
    rows: rows.map(row => ({ model, ...row })),
    spec: width => countryMapSpec(rows, results.minN, { width }),
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
    return { country: countryName(row.group), id, n: row.n, ...accuracyPercent(row) }
  })
  return { rows, unknown }
}
