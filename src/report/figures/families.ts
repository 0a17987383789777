import {
  figureCaption,
  type FigureKind,
  figureId,
  modelsAndImagesText,
  drawPerGeographicDataset,
} from './figure.ts'
import {
  architectureParts,
  meanFinding,
  scalingRows,
  scalingSpec,
  sizeFinding,
  type ScalingPart,
} from './scaling.ts'

export const families: FigureKind = {
  name: 'families',
  paper: ['10 per architecture'],
  title: 'Disparity by model size and training data within each architecture',
  needs:
    'catalogue models of one architecture group and different sizes, and a data set with two regions or countries',
  make: (results, options) =>
    drawPerGeographicDataset(results, options, (_, dataset) => {
      const { measure, grey, sized } = scalingRows(results, dataset)
      const { parts, left } = architectureParts(sized)
      if (parts.length === 0) return null
      const name = results.titleOf(dataset)
      const rows = parts.flatMap(part => part.rows)
      return {
        id: figureId('families', name),
        title: familiesTitle(parts, measure, name),
        subtitle: `Disparity by size within each architecture: ${modelsAndImagesText(results, dataset, rows)}`,
        caption: figureCaption(
          results,
          'A panel for each architecture group with models of several sizes, by parameters and by training images.',
          left > 0
            ? `Drawn: the ${parts.length} panels of the most models; ${left} are left out.`
            : null,
          grey,
        ),
        rows: rows.map(row => ({ ...row })),
        spec: width => scalingSpec(parts, measure, { width, most: 3 }),
      }
    }),
}

/** The finding on the architecture of the most models that has one, else the mean over those of the most models. */
function familiesTitle(parts: readonly ScalingPart[], measure: string, name: string): string {
  const found = parts.map(part => ({ part, finding: sizeFinding(part) }))
  const { part, finding } = found.find(({ finding }) => finding !== null) ?? found[0]!
  return `${part.title}: ${measure} on ${name} is ${finding ?? meanFinding(part.rows)}`
}
