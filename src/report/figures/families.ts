import {
  figureCaption,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  drawPerGeographicDataset,
} from './figure.ts'
import { architectureParts, scalingRows, scalingSpec } from './scaling.ts'

export const families: FigureKind = {
  name: 'families',
  paper: ['10 per architecture'],
  title: 'Disparity by model size and training data within each architecture',
  needs:
    'catalogue models of one architecture group and different sizes, and a data set with two regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset) => {
      const { measure, grey, sized } = scalingRows(results, dataset)
      const parts = architectureParts(sized)
      if (parts.length === 0) return null
      const name = results.titleOf(dataset)
      const rows = parts.flatMap(part => part.rows)
      return {
        id: figureId('families', name),
        title: `Disparity on ${name} by size within each architecture`,
        subtitle: modelsAndImagesText(results, dataset, rows),
        caption: figureCaption(
          results,
          'A panel for each architecture group with models of several sizes, by parameters and by training images (data).',
          grey,
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => scalingSpec(parts, measure, { width, most: 3 }),
      }
    }),
}
