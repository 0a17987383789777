/** Draws the figures of the report that the page shows, from plain data. */
import { intervalRowsSpec } from '../../report/figures/intervalRows.ts'
import { linePanelsSpec } from '../../report/figures/linePanel.ts'
import { progressSpec } from '../../report/figures/progress.ts'
import { regionsSpec } from '../../report/figures/regions.ts'
import { printColors, renderSvg } from '../../report/figures/render.ts'
import { type countryMapSpec } from '../../report/figures/countryMap.ts'
import { type TopLevelSpec } from '../../report/figures/vegaLite.ts'

/** A figure and the arguments of its function in the report. */
export type Drawing =
  | [name: 'map', args: Parameters<typeof countryMapSpec>]
  | [name: 'regions', args: Parameters<typeof regionsSpec>]
  | [name: 'progress', args: Parameters<typeof progressSpec>]
  | [name: 'panels', args: Parameters<typeof linePanelsSpec>]
  | [name: 'changes', args: Parameters<typeof intervalRowsSpec>]

/** Returns a drawing as SVG, in the colours of the page or of paper. */
export const drawSvg = async (drawing: Drawing, isForPaper: boolean): Promise<string> =>
  renderSvg(await specOf(drawing), isForPaper ? printColors : undefined)

async function specOf([name, args]: Drawing): Promise<TopLevelSpec> {
  switch (name) {
    case 'map':
      // Outlines of countries are loaded with the first map.
      return (await import('../../report/figures/countryMap.ts')).countryMapSpec(...args)
    case 'regions':
      return regionsSpec(...args)
    case 'progress':
      return progressSpec(...args)
    case 'panels':
      return linePanelsSpec(...args)
    case 'changes':
      return intervalRowsSpec(...args)
  }
}
