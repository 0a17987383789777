import { storageError, writeAtomically } from '../files.ts'
import { type Figure } from './figure.ts'
import { titledSpec } from './index.ts'
import { renderPdf } from './pdf.ts'
import { print, renderPng, renderSvg } from './render.ts'
import { standalone } from './theme.ts'

export const figureFormats = ['svg', 'png', 'pdf', 'json'] as const
export type FigureFormat = (typeof figureFormats)[number]

/** A figure as the content of a file: a drawing with its title on white, or the complete Vega-Lite specification. */
async function figureBytes(figure: Figure, format: FigureFormat, width: number): Promise<Uint8Array> {
  const spec = titledSpec(figure, width)
  if (format === 'json') {
    const described = { ...standalone(spec), description: figure.caption }
    return Buffer.from(`${JSON.stringify(described, null, 2)}\n`)
  }
  const svg = await renderSvg(spec, print)
  if (format === 'png') return renderPng(svg)
  return format === 'pdf' ? renderPdf(svg, figure.title) : Buffer.from(svg)
}

/** Errors: storage. */
export async function writeFigure(figure: Figure, file: string, format: FigureFormat, width: number): Promise<void> {
  const bytes = await figureBytes(figure, format, width)
  try {
    await writeAtomically(file, handle => handle.writeFile(bytes))
  } catch (error) {
    throw storageError(file, error)
  }
}
