import { inputError, unknownName } from '../errors.ts'
import { type Run } from '../run.ts'
import { classRegion } from './classRegion.ts'
import { disparity } from './disparity.ts'
import { europeAgainst } from './europeAgainst.ts'
import { type Figure, type FigureKind, type FigureOptions } from './figure.ts'
import { fitText, wrapText } from './fonts.ts'
import { incomeRegion } from './incomeRegion.ts'
import { map } from './map.ts'
import { progress } from './progress.ts'
import { rates } from './rates.ts'
import { regionLines } from './regionLines.ts'
import { regions } from './regions.ts'
import { resultsOf, type ResultsOptions } from './results.ts'
import { fontSize } from './theme.ts'
import { type TopLevelSpec } from './vegaLite.ts'

/** Every figure, in the order of a report. */
export const figureKinds: readonly FigureKind[] = [
  progress,
  rates,
  regions,
  map,
  disparity,
  regionLines,
  europeAgainst,
  incomeRegion,
  classRegion,
]

/** A figure by its name. Errors: unknown-figure. */
export function figureKind(name: string): FigureKind {
  const kind = figureKinds.find(known => known.name === name)
  if (!kind)
    throw unknownName(
      'figure',
      name,
      figureKinds.map(({ name }) => name),
    )
  return kind
}

/**
 * The figures of one kind from stored results, one per data set where it shows one. Errors: unknown-figure,
 * unknown-data-set, unknown-model, no-figure.
 */
export function makeFigures(run: Run, name: string, options: FigureOptions & ResultsOptions = {}): Figure[] {
  const kind = figureKind(name)
  const figures = kind.make(resultsOf(run, options), options)
  if (figures.length === 0)
    throw inputError('no-figure', `no figure ${name} from these results: it needs ${kind.needs}`)
  return figures
}

const headingSize = 14

/** The specification with its title, facts and, where given, caption written into the drawing, for a file of its own. */
export function titledSpec({ title, subtitle, spec }: Figure, width: number): TopLevelSpec {
  return {
    ...spec(width),
    title: {
      text: wrapText(title, width, headingSize, true),
      subtitle: wrapText(subtitle, width, fontSize).map(line => fitText(line, width, fontSize)),
      fontSize: headingSize,
      anchor: 'start',
      frame: 'bounds',
      offset: 14,
    },
  }
}

export { narrow, wide, type Figure, type FigureKind } from './figure.ts'
