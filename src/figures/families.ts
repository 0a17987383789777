import { fitText, textWidth } from './fonts.ts'
import { captionOf, count, type FigureKind, geographicOf, idOf } from './figure.ts'
import { roundBounds } from './linePanel.ts'
import { scalingRows } from './scaling.ts'
import { color, fontSize } from './theme.ts'
import { signed } from './values.ts'
import { pixelText, type Position, type TopLevelSpec } from './vegaLite.ts'

/** A model's parameters and disparity in percentage points, within its architecture group. */
export interface FamilyRow {
  group: string
  model: string
  parameters: number
  disparity: number
}

const rowHeight = 22

/** Each group's models on one axis, joined from the smallest (hollow) to the largest (full). */
export function familiesSpec(
  rows: readonly FamilyRow[],
  groups: readonly string[],
  axis: { measure: string; width: number },
): TopLevelSpec {
  const labels = groups.map(group => {
    const n = ` (n ${rows.filter(row => row.group === group).length})`
    return `${fitText(group, 0.26 * axis.width, fontSize)}${n}`
  })
  const names = Math.ceil(Math.max(...labels.map(label => textWidth(label, fontSize)))) + 10
  const { domain, values } = roundBounds([0, ...rows.map(row => row.disparity)], 0)
  const position: Position = {
    x: {
      ...{ field: 'disparity', type: 'quantitative' },
      ...{ scale: { domain, nice: false }, axis: { title: `${axis.measure} (points)`, values } },
    },
    y: { field: 'row', type: 'quantitative', scale: { domain: [groups.length, 0], nice: false }, axis: null },
  }
  const points = groups.flatMap((group, i) =>
    pointsOf(
      rows.filter(row => row.group === group),
      i + 0.5,
    ),
  )
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    width: Math.floor(axis.width - names - 24),
    height: rowHeight * groups.length,
    data: { values: points },
    layer: [
      {
        mark: { type: 'line', color: color(0), opacity: 0.5, strokeWidth: 1.5 },
        encoding: { ...position, detail: { field: 'row' }, order: { field: 'rank', type: 'quantitative' } },
      },
      {
        transform: [{ filter: 'datum.largest' }],
        mark: { type: 'circle', color: color(0), size: 60, opacity: 1, aria: true },
        encoding: { ...position, description: { field: 'about' } },
      },
      {
        transform: [{ filter: '!datum.largest' }],
        mark: { type: 'point', color: color(0), strokeWidth: 1.3, size: 30, aria: true },
        encoding: { ...position, description: { field: 'about' } },
      },
      pixelText(
        labels.map((text, i) => ({ text, px: -8, py: (i + 0.5) * rowHeight })),
        { align: 'right', fontSize },
      ),
    ],
  }
}

function pointsOf(rows: readonly FamilyRow[], row: number) {
  const bySize = [...rows].sort((a, b) => a.parameters - b.parameters)
  return bySize.map(({ model, parameters, disparity }, rank) => ({
    ...{ row, rank, disparity, largest: rank === bySize.length - 1 },
    about: `${model}: ${signed(disparity, 1)} points, ${(parameters / 1e6).toPrecision(3)} M parameters`,
  }))
}

export const families: FigureKind = {
  name: 'families',
  paper: ['10 per architecture'],
  title: 'Disparity by model size within each architecture',
  needs: 'two catalogue models of one architecture group and a data set with two regions or countries',
  make: (results, options) =>
    geographicOf(results, options).flatMap(dataset => {
      const { kind, sized } = scalingRows(results, dataset)
      const all = sized
        .filter(row => row.size === 'parameters')
        .map(({ group, model, value, disparity }) => ({ group, model, parameters: value, disparity }))
      const groups = [...new Set(all.map(({ group }) => group))].filter(
        group => all.filter(row => row.group === group).length > 1,
      )
      if (groups.length === 0) return []
      const mean = (group: string): number => {
        const own = all.filter(row => row.group === group)
        return own.reduce((sum, row) => sum + row.disparity, 0) / own.length
      }
      groups.sort((a, b) => mean(a) - mean(b))
      const rows = all.filter(({ group }) => groups.includes(group))
      const name = results.title(dataset)
      return {
        id: idOf('families', name),
        title: `Disparity on ${name} by model size within each architecture`,
        subtitle: `${count(rows.length, 'model')}, n = ${count(results.images(dataset), 'image')} of ${name}`,
        caption: captionOf(
          results,
          `Each point is a model: ${kind === 'pair' ? 'its top-1 accuracy on Europe’s minus that on Africa’s images' : 'its largest difference of top-1 accuracy between places'} of ${name}, in percentage points. Within an architecture group the points are joined from the fewest to the most parameters; the largest model is filled. Groups with the smallest mean first.`,
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width =>
          familiesSpec(rows, groups, { measure: kind === 'pair' ? 'Europe − Africa' : 'largest difference', width }),
      }
    }),
}
