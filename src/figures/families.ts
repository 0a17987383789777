import { captionOf, count, type FigureKind, idOf, perGeographic } from './figure.ts'
import { architectureParts, scalingRows, scalingSpec } from './scaling.ts'

export const families: FigureKind = {
  name: 'families',
  paper: ['10 per architecture'],
  title: 'Disparity by model size and training data within each architecture',
  needs: 'catalogue models of one architecture group and different sizes, and a data set with two regions or countries',
  make: (results, options) =>
    perGeographic(results, options, (_, dataset) => {
      const { kind, sized } = scalingRows(results, dataset)
      const parts = architectureParts(sized)
      if (parts.length === 0) return []
      const name = results.title(dataset)
      const rows = parts.flatMap(part => part.rows)
      const models = new Set(rows.map(({ model }) => model)).size
      const measure = kind === 'pair' ? 'Europe − Africa' : 'largest difference'
      return {
        id: idOf('families', name),
        title: `Disparity on ${name} by size within each architecture`,
        subtitle: `${count(models, 'model')}, n = ${count(results.images(dataset), 'image')} of ${name}`,
        caption: captionOf(
          results,
          `A panel for each architecture group with models of several sizes, by parameters and by training images (data). Grey: each model’s ${kind === 'pair' ? 'top-1 accuracy on Europe’s minus that on Africa’s images' : 'largest difference of top-1 accuracy between places'} of ${name}, in percentage points. Orange: means of the models of each size, with 95 % t-intervals of three models or more; n counts models.`,
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => scalingSpec(parts, measure, width, 3),
      }
    }),
}
