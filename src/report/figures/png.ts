import { fontFamily, fontFiles, hasAllGlyphs } from './measure.ts'
import { printColors, withColors } from './render.ts'

/** Draws SVG as PNG at `scale` times its size. Characters that the package's fonts lack are taken from the system's. */
export async function renderPng(svg: string, scale = 2): Promise<Uint8Array> {
  const { Resvg } = await import('@resvg/resvg-js')
  const drawn = new Resvg(withColors(svg, printColors), {
    fitTo: { mode: 'zoom', value: scale },
    background: printColors.paper,
    font: {
      loadSystemFonts: !hasAllGlyphs(svg),
      fontFiles: fontFiles(),
      defaultFontFamily: fontFamily,
    },
  })
  return drawn.render().asPng()
}
