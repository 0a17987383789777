import { countryNumber } from '../../datasets/labels/countries.ts'
import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { captionOf, idOf, modelAndImages, modelOn, perGeographic } from './figure.ts'
import { fitText, textWidth } from './fonts.ts'
import { type Shape, worldSpec } from './map.ts'
import { bestFirst, type RegionRow, regionRows } from './regions.ts'
import { type Results } from '../../analysis/view.ts'
import { fontSize, ink } from './theme.ts'
import { percentValue, range95, signed } from '../../lib/table/values.ts'
import { pixelText, type TopLevelSpec } from './vegaLite.ts'

/** A country of the data set and the region that it belongs to there. */
export interface Member {
  id: string
  country: string
  region: string
}

const lineHeight = 15

/** Every country in the colour of its region's accuracy, and below the map each region's colour and numbers. */
function regionMapSpec(rows: readonly RegionRow[], members: readonly Member[], width: number): TopLevelSpec {
  const shapes = members.flatMap(({ id, country, region }): Shape[] => {
    const row = rows.find(row => row.region === region)
    return row ? [{ id, accuracy: row.accuracy, large: true, about: `${country}, ${textOf(row)}` }] : []
  })
  const top = Math.round(0.46 * width) + 14
  const lines = rows.map((row, i) => ({ text: textOf(row, width - 16), px: 16, py: top + i * lineHeight }))
  return worldSpec(shapes, width, color => [
    {
      data: { values: rows.map(({ accuracy }, i) => ({ accuracy, py: top + i * lineHeight })) },
      mark: { type: 'square', size: 110, opacity: 1, x: 6, y: { expr: 'datum.py' } },
      encoding: { color },
    },
    pixelText(lines, { align: 'left', fontSize, color: ink }),
  ])
}

/** `Europe: 89.9 % (89.2 to 90.6, n 7,476)`; a long name is cut, the numbers are not. */
function textOf(row: RegionRow, room = Infinity): string {
  const numbers = `: ${percentValue(row.accuracy)} (${range95(row)}, n ${row.n.toLocaleString('en-US')})`
  return `${fitText(row.region, room - textWidth(numbers, fontSize), fontSize)}${numbers}`
}

export const regionMap: FigureKind = {
  name: 'region-map',
  paper: ['1 map'],
  title: 'World map of accuracy per region',
  needs: 'a data set with regions and countries',
  make: (results, options) => perGeographic(results, options, figureOf),
}

function figureOf(results: Results, dataset: string, options: FigureOptions): Figure | null {
  const model = modelOn(results, dataset, options)
  const members = membersOf(results, dataset)
  if (model === undefined || members.length === 0) return null
  const rows = regionRows(results, dataset, 'region').filter(row => row.model === model && row.n >= results.minN)
  const order = bestFirst(rows)
  rows.sort((a, b) => order.indexOf(a.region) - order.indexOf(b.region))
  if (rows.length < 2) return null
  const name = results.title(dataset)
  const found = results.disparities(dataset).find(row => row.model === model)
  const [value, interval] = [found?.europeMinusAfrica ?? null, found?.europeMinusAfricaInterval]
  const difference =
    value === null || !interval
      ? `${rows[0]!.region} − ${rows.at(-1)!.region}: ${signed(rows[0]!.accuracy - rows.at(-1)!.accuracy, 1)} points`
      : `Europe − Africa: ${signed(100 * value, 1)} points (95 % interval ${signed(100 * interval[0], 1)} to ${signed(100 * interval[1], 1)})`
  return {
    id: idOf('region-map', name),
    title: `Map of accuracy per region on ${name}`,
    subtitle: `${modelAndImages(model, rows)}; ${difference}`,
    caption: captionOf(
      results,
      `Top-1 accuracy of ${model} in percent on each region’s images, with 95 % Wilson intervals. The countries of the data set have their region’s colour; pale ones have no images.`,
      'Equal Earth projection; outlines by Natural Earth.',
    ),
    rows: rows.map(row => ({ ...row })),
    spec: width => regionMapSpec(rows, members, width),
  }
}

/** Countries on the map, each with the region that its images carry. */
function membersOf({ run }: Results, dataset: string): Member[] {
  const regions = new Map<string, string>()
  for (const cell of run.cells) {
    const { country, region } = cell.groups
    if (cell.dataset === dataset && country != null && region != null) regions.set(String(country), String(region))
  }
  return [...regions].flatMap(([country, region]) => {
    const id = countryNumber(country)
    return id === undefined ? [] : { id, country, region }
  })
}
