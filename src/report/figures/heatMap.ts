/** Accuracies as coloured cells with their numbers, rows × columns. */
import { fitText, textWidthPx } from './fonts.ts'
import { accuracyColor, colorDomain, fontSizePx, ink } from './theme.ts'
import { type GroupPairAccuracy } from '../../analysis/runView.ts'
import { percentValue } from '../../lib/table/values.ts'
import { type LegendEntry, withLegend } from './legend.ts'
import { pixelText, type PositionEncoding, type TopLevelSpec, type UnitSpec } from './vegaLite.ts'

export interface HeatLayout {
  rows: readonly string[]
  columns: readonly string[]
  /** Cells with fewer images are outlined, without a colour. */
  minN: number
}

const cellHeightPx = 19
const maxCellWidthPx = 150

/** Columns are headed on top; every cell shows its accuracy, a cell of fewer than `minN` images is only outlined. */
export function heatSpec(
  cells: readonly GroupPairAccuracy[],
  layout: HeatLayout,
  width: number,
): TopLevelSpec {
  const { rows, columns } = layout
  const labels = rows.map(row => fitText(row, 0.34 * width))
  const names = Math.ceil(Math.max(...labels.map(label => textWidthPx(label, fontSizePx)))) + 10
  const { cellWidth, heads } = columnHeadings(columns, width - names)
  const values = cells.map(cell => ({
    x: columns.indexOf(cell.column),
    y: rows.indexOf(cell.row),
    accuracy: cell.accuracy,
    about: `${cell.row}, ${cell.column}: ${cell.accuracy === null ? 'no image' : percentValue(cell.accuracy)}, n = ${cell.n}`,
    shown: cell.accuracy !== null && cell.n >= layout.minN,
    few: cell.accuracy !== null && cell.n < layout.minN,
    text: cell.accuracy === null ? '' : String(Math.round(cell.accuracy)),
  }))
  const known = values.flatMap(({ accuracy, shown }) =>
    accuracy !== null && shown ? accuracy : [],
  )
  const domain = colorDomain(known)
  const panel: TopLevelSpec = {
    width: cellWidth * columns.length,
    height: cellHeightPx * rows.length,
    data: { values },
    layer: [
      ...cellLayers({ columns: columns.length, rows: rows.length }, domain, cellWidth),
      pixelText(
        labels.map((text, i) => ({ text, px: -8, py: (i + 0.5) * cellHeightPx })),
        { align: 'right', fontSize: fontSizePx },
      ),
      ...heads,
    ],
  }
  const few: LegendEntry[] = values.some(({ few }) => few)
    ? [{ look: 'outlined', text: `fewer than ${layout.minN} images` }]
    : []
  return withLegend(panel, few, { left: names, width })
}

/** Headings above the first row, in one line where they fit, else slanted; then the last one needs room at its right. */
function columnHeadings(
  columns: readonly string[],
  room: number,
): { cellWidth: number; heads: UnitSpec[] } {
  const flatWidth = Math.min(maxCellWidthPx, Math.floor(room / columns.length))
  const flat = columns.every(column => textWidthPx(column, fontSizePx) <= flatWidth - 4)
  const texts = flat ? columns : columns.map(column => fitText(column, Math.min(150, 0.4 * room)))
  const reach = flat
    ? 0
    : Math.cos((slantDegrees * Math.PI) / 180) *
      Math.max(...texts.map(text => textWidthPx(text, fontSizePx)))
  const cellWidth = Math.min(flatWidth, Math.floor((room - reach) / (columns.length - 0.5)))
  const values = texts.map((text, i) => ({ text, px: (i + 0.5) * cellWidth, py: -9 }))
  const heads = pixelText(values, { align: flat ? 'center' : 'left', fontSize: fontSizePx })
  if (flat) return { cellWidth: flatWidth, heads: [heads] }
  return {
    cellWidth,
    heads: [{ ...heads, mark: { ...(heads.mark as object), type: 'text', angle: -slantDegrees } }],
  }
}

/** Degrees. */
const slantDegrees = 40

function cellLayers(
  size: { columns: number; rows: number },
  domain: [number, number],
  cellWidth: number,
): UnitSpec[] {
  const place: PositionEncoding = {
    x: {
      field: 'x',
      type: 'quantitative',
      scale: { domain: [0, size.columns], nice: false },
      axis: null,
    },
    y: {
      field: 'y',
      type: 'quantitative',
      scale: { domain: [size.rows, 0], nice: false },
      axis: null,
    },
  }
  const ends = [
    { calculate: 'datum.x + 1', as: 'x2' },
    { calculate: 'datum.y + 1', as: 'y2' },
  ]
  const box = {
    ...place,
    x2: { field: 'x2' },
    y2: { field: 'y2' },
    description: { field: 'about' },
  }
  return [
    {
      transform: [{ filter: 'datum.shown' }, ...ends],
      mark: { type: 'rect', aria: true, ...inset(0.5) },
      encoding: {
        ...box,
        color: accuracyColor('accuracy', domain, Math.min(200, cellWidth * size.columns)),
      },
    },
    {
      transform: [{ filter: 'datum.few' }, ...ends],
      mark: {
        type: 'rect',
        aria: true,
        filled: false,
        stroke: ink,
        strokeOpacity: 0.4,
        strokeDash: [2, 2],
        ...inset(1.5),
      },
      encoding: box,
    },
    ...cellNumbers(domain[0] + darkShare * (domain[1] - domain[0]), place),
  ]
}

const inset = (pixels: number) => ({
  xOffset: pixels,
  yOffset: pixels,
  x2Offset: -pixels,
  y2Offset: -pixels,
})

/** White numbers stand out on this share of the colours, from the low end. */
const darkShare = 0.45

function cellNumbers(light: number, place: PositionEncoding): UnitSpec[] {
  const kinds = [
    [`datum.shown && datum.accuracy < ${light}`, '#ffffff'],
    [`datum.shown && datum.accuracy >= ${light}`, '#111111'],
    ['datum.few', ink],
  ] as const
  return kinds.map(([filter, color]) => ({
    transform: [
      { filter },
      { calculate: 'datum.x + 0.5', as: 'x' },
      { calculate: 'datum.y + 0.5', as: 'y' },
    ],
    mark: { type: 'text', baseline: 'middle', color, fontSize: fontSizePx - 1 },
    encoding: { ...place, text: { field: 'text' } },
  }))
}
