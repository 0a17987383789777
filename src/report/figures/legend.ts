/** A legend above a drawing: what its hollow, dashed, hatched and other marks mean, drawn as they are drawn there. */
import { textWidthPx } from './fonts.ts'
import { fontSizePx, hatchFill, ink } from './theme.ts'
import { pixelText, type LayerSpec, type TopLevelSpec, type UnitSpec } from './vegaLite.ts'

export interface LegendEntry {
  look: keyof typeof looks
  text: string
  /** Default: the colour of texts. */
  color?: string | undefined
}

/** Properties of a symbol that looks as the marks do. */
const looks = {
  dot: { shape: 'circle', size: 45, filled: true },
  hollow: { shape: 'circle', size: 40, strokeWidth: 1.3 },
  ring: { shape: 'circle', size: 110, strokeWidth: 2 },
  line: { shape: 'stroke', size: 250, strokeWidth: 2 },
  dashed: { shape: 'stroke', size: 250, strokeWidth: 1.3, strokeDash: [4, 3] },
  tick: { shape: 'stroke', size: 150, strokeWidth: 1.3, angle: 90 },
  outlined: { shape: 'square', size: 100, strokeWidth: 1, strokeDash: [2, 2] },
  hatched: { shape: 'square', size: 100, strokeWidth: 0.8, fill: hatchFill, stroke: ink },
} as const

const lineHeightPx = 16
/** From the middle of a symbol to its text, and from a text to the next symbol. */
const [symbolRoomPx, gapPx] = [13, 22]

interface LegendPlace {
  /** Pixels from the left end of the drawing to its plot. */
  left: number
  /** Pixels from one end of the drawing to the other. */
  width: number
}

/** Returns a drawing with a legend of some entries above it; without entries the drawing itself. */
export function withLegend(
  drawing: TopLevelSpec,
  entries: readonly LegendEntry[],
  place: LegendPlace,
): TopLevelSpec {
  if (entries.length === 0) return drawing
  return { vconcat: [legendPanel(entries, place), drawing as LayerSpec], spacing: 14 }
}

/** Entries from left to right, in a further line where one has no room. */
function legendPanel(entries: readonly LegendEntry[], { left, width }: LegendPlace): LayerSpec {
  let [x, line] = [0, 0]
  const placed = entries.map(entry => {
    const own = symbolRoomPx + textWidthPx(entry.text, fontSizePx)
    if (x > 0 && x + own > width - 8) [x, line] = [0, line + 1]
    const at = { ...entry, px: x + 8 - left, py: (line + 0.5) * lineHeightPx }
    x += own + gapPx
    return at
  })
  return {
    width: 1,
    height: (line + 1) * lineHeightPx,
    layer: [
      ...placed.map(({ look, color = ink, px, py }): UnitSpec => ({
        data: { values: [{}] },
        mark: {
          type: 'point',
          x: px,
          y: py,
          ...(look !== 'hatched' && { color }),
          ...looks[look],
        } as UnitSpec['mark'],
      })),
      pixelText(
        placed.map(({ text, px, py }) => ({ text, px: px + symbolRoomPx, py })),
        { align: 'left', fontSize: fontSizePx, color: ink },
      ),
    ],
  }
}
