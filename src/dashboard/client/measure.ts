/** Stands in for src/report/figures/measure.ts in the browser, which measures text itself. */
export const fontFamily = 'system-ui, sans-serif'

const context = document.createElement('canvas').getContext('2d')

/** Width of one line of text in pixels at `size` pixels. */
export function textWidth(text: string, size: number, bold = false): number {
  if (!context) return 0.6 * size * text.length
  context.font = `${bold ? 'bold ' : ''}${size}px ${fontFamily}`
  return context.measureText(text).width
}
