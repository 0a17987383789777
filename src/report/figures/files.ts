import { extname } from 'node:path'
import { inputError } from '../../lib/errors.ts'
import { writeOutput } from '../../lib/files.ts'
import { jsonText } from '../../lib/table/text.ts'
import { withUniqueIds, type Figure } from './figure.ts'
import { titledSpec } from './index.ts'
import { renderPdf } from './pdf.ts'
import { renderPng } from './png.ts'
import { printColors, renderSvg } from './render.ts'
import { withThemeConfig } from './theme.ts'

const figureFormats = ['svg', 'png', 'pdf', 'json'] as const
type FigureFormat = (typeof figureFormats)[number]

/** A figure as the content of a file: a drawing with its title on white, or the complete Vega-Lite specification. */
async function figureBytes(
  figure: Figure,
  format: FigureFormat,
  width: number,
): Promise<Uint8Array> {
  const spec = titledSpec(figure, width)
  if (format === 'json') {
    const described = { ...withThemeConfig(spec), description: figure.caption }
    return Buffer.from(jsonText(described))
  }
  const svg = await renderSvg(spec, printColors)
  if (format === 'png') return renderPng(svg)
  return format === 'pdf' ? renderPdf(svg, figure.title) : Buffer.from(svg)
}

/** A drawing and the file that it is in. */
export interface DrawnFigure {
  file: string
  figure: Figure
}

/**
 * Draws figures into a file, or into several that are named after it and the figures, in the format of its ending. Errors:
 * bad-option, storage.
 */
export async function writeFigures(
  figures: readonly Figure[],
  output: string,
  width: number,
): Promise<DrawnFigure[]> {
  const ending = extname(output)
  const format = figureFormats.find(known => ending.toLowerCase() === `.${known}`)
  if (!format)
    throw inputError(
      'bad-option',
      `a figure takes a file ending in .${figureFormats.join(', .')}, not ${output}`,
    )
  const drawn = withUniqueIds(figures).map(figure => ({
    file:
      figures.length === 1 ? output : `${output.slice(0, -ending.length)}-${figure.id}${ending}`,
    figure,
  }))
  for (const { file, figure } of drawn)
    await writeOutput(file, await figureBytes(figure, format, width))
  return drawn
}
