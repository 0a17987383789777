/** Replaces src/report/figures/measure.ts in the browser and in its worker, where a canvas measures text. */
export const fontFamily = 'system-ui, sans-serif'

const context = new OffscreenCanvas(1, 1).getContext('2d')

/** Returns the width of one line of text in pixels; `size` is the font size in pixels. */
export function textWidthPx(text: string, size: number, bold = false): number {
  if (!context) return 0.6 * size * text.length
  context.font = `${bold ? 'bold ' : ''}${size}px ${fontFamily}`
  return context.measureText(text).width
}
