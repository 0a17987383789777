import { bestModels } from './classRegion.ts'
import {
  captionOf,
  count,
  type Figure,
  type FigureKind,
  type FigureOptions,
  geographicOf,
  idOf,
  modelOf,
} from './figure.ts'
import { type Results } from './results.ts'
import { ink, sequential } from './theme.ts'
import { percentValue, range95 } from './values.ts'
import { type Layer, type TopLevelSpec } from './vegaLite.ts'
import { hasOutline, middleOf, numericCode, outlines } from './world.ts'

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
export function mapSpec(rows: readonly CountryRow[], minN: number, width: number): TopLevelSpec {
  const facts = new Map(rows.map(row => [row.id, factsOf(row, minN)]))
  const known = rows.filter(({ n }) => n >= minN).map(({ accuracy }) => accuracy)
  const domain = [10 * Math.floor(Math.min(90, ...known) / 10), 10 * Math.ceil(Math.max(10, ...known) / 10)]
  const length = Math.min(200, 0.5 * width)
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width,
    height: Math.round(0.46 * width),
    projection: { type: 'equalEarth' },
    data: { values: outlines(facts), format: { type: 'topojson', feature: 'countries' } },
    layer: [
      { mark: { type: 'geoshape', fill: ink, fillOpacity: 0.07, stroke: ink, strokeOpacity: 0.25, strokeWidth: 0.4 } },
      shapes('large', domain, length),
      ...outlined(rows, minN),
      ...dots(rows, minN, domain, length),
    ],
  }
}

const factsOf = (row: CountryRow, minN: number) => ({
  kind: row.n >= minN ? 'large' : 'small',
  accuracy: row.accuracy,
  about: `${row.country}: ${percentValue(row.accuracy)}, 95 % interval ${range95(row)}, n = ${row.n}`,
})

const colored = (field: string, domain: number[], length: number) => ({
  field,
  type: 'quantitative' as const,
  scale: { scheme: sequential, domain } as const,
  legend: {
    title: 'top-1 accuracy (%)',
    orient: 'bottom',
    direction: 'horizontal',
    gradientLength: length,
    gradientThickness: 9,
  } as const,
})

const shapes = (kind: string, domain: number[], length: number): Layer => ({
  transform: [{ filter: `datum.properties.kind === '${kind}'` }],
  mark: { type: 'geoshape', stroke: ink, strokeOpacity: 0.35, strokeWidth: 0.4, aria: true },
  encoding: {
    color: colored('properties.accuracy', domain, length),
    description: { field: 'properties.about' },
  },
})

const dashed = { filled: false, stroke: ink, strokeWidth: 1, strokeDash: [2, 1.5], strokeOpacity: 0.9, aria: true }

function outlined(rows: readonly CountryRow[], minN: number): Layer[] {
  if (!rows.some(({ id, n }) => n < minN && hasOutline(id))) return []
  return [
    {
      transform: [{ filter: "datum.properties.kind === 'small'" }],
      mark: { type: 'geoshape', ...dashed },
      encoding: { description: { field: 'properties.about' } },
    },
  ]
}

/** Countries without an outline at this scale. */
function dots(rows: readonly CountryRow[], minN: number, domain: number[], length: number): Layer[] {
  const values = rows.flatMap(row => {
    const middle = hasOutline(row.id) ? undefined : middleOf(row.id)
    return middle ? { longitude: middle[0], latitude: middle[1], ...factsOf(row, minN) } : []
  })
  const place = {
    longitude: { field: 'longitude', type: 'quantitative' as const },
    latitude: { field: 'latitude', type: 'quantitative' as const },
    description: { field: 'about' },
  }
  const [large, small] = ['large', 'small'].map(kind => values.filter(value => value.kind === kind))
  return [
    {
      data: { values: large! },
      mark: { type: 'circle', size: 40, stroke: ink, strokeWidth: 0.6, opacity: 1, aria: true },
      encoding: { ...place, color: colored('accuracy', domain, length) },
    },
    { data: { values: small! }, mark: { type: 'point', size: 40, ...dashed }, encoding: place },
  ]
}

export const map: FigureKind = {
  name: 'map',
  paper: [],
  title: 'World map of accuracy per country',
  needs: 'a data set with countries',
  make: (results, options) => geographicOf(results, options).flatMap(dataset => figureOf(results, dataset, options)),
}

function figureOf(results: Results, dataset: string, options: FigureOptions): Figure[] {
  const model = modelOf(options, bestModels(results, dataset))
  if (model === undefined) return []
  const { rows, unknown } = countryRows(results, dataset, model)
  const small = rows.filter(({ n }) => n < results.minN)
  if (rows.length === small.length) return []
  const name = results.title(dataset)
  return [
    {
      id: idOf('map', name),
      title: `Accuracy per country on ${name}`,
      subtitle: `${model}, n = ${count(
        rows.reduce((sum, { n }) => sum + n, 0),
        'image',
      )}, ${count(rows.length, 'country').replace('countrys', 'countries')}`,
      caption: captionOf(
        results,
        `Top-1 accuracy of ${model} in percent on each country’s images. Pale: countries without images.`,
        small.length > 0
          ? `Outlined with dashes: countries of fewer than ${results.minN} images (${small.length}).`
          : null,
        unknown.length > 0 ? `Not on the map: ${unknown.slice(0, 8).join(', ')}.` : null,
        'Equal Earth projection; outlines by Natural Earth.',
      ),
      rows: rows.map(row => ({ model, ...row })),
      spec: width => mapSpec(rows, results.minN, width),
    },
  ]
}

function countryRows(results: Results, dataset: string, model: string): { rows: CountryRow[]; unknown: string[] } {
  if (!results.run.cells.some(cell => cell.dataset === dataset && cell.groups['country'] != null)) {
    return { rows: [], unknown: [] }
  }
  const unknown: string[] = []
  const rows = results.by('country').flatMap(row => {
    if (row.dataset !== dataset || row.model !== model || row.top1 === null) return []
    const id = numericCode(row.group)
    if (id === undefined) {
      unknown.push(row.group)
      return []
    }
    return { country: row.group, id, n: row.n, accuracy: 100 * row.top1, low: 100 * row.low!, high: 100 * row.high! }
  })
  return { rows, unknown }
}
