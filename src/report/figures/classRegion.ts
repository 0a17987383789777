import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { figureCaption, figureId, modelAndImagesText, drawPerGeographicDataset } from './figure.ts'
import { shrinkageNote, shrunkenAccuracies, shrunkenLeadText } from './findings.ts'
import { heatSpec } from './heatMap.ts'
import { type GroupPairAccuracy, modelToShow, type RunView } from '../../analysis/runView.ts'
import { labelName } from '../../datasets/labels/readableNames.ts'
import { upperFirst } from '../../lib/table/text.ts'
import { placeColumn, pluralOfPlace } from '../../analysis/datasetRoles.ts'

/** More rows than this, or more columns, are not drawn. */
const maxClasses = 40
const maxPlaces = 12

/** A class's cell needs few images: they say where to look, not how large a difference is. */
const cellMinN = 10

export const classRegion: FigureKind = {
  name: 'class-region',
  paper: [],
  title: 'Accuracy per class and region',
  needs: `a data set with regions, ${cellMinN} images of a class in a region`,
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

function figureOf(results: RunView, dataset: string, options: FigureOptions): Figure | null {
  const column = placeColumn(results.run, dataset)!
  const model = modelToShow(results, dataset, options)
  const cells = model === undefined ? [] : results.pairAccuracies(dataset, model, ['label', column])
  const shrunken = shrunkenAccuracies(cells)
  const order = classesBySpread(cells, shrunken)
  const places = placesByAccuracy(cells)
  if (model === undefined || largeCells(cells).length === 0 || places.length < 2) return null
  const [rows, columns] = [order.slice(0, maxClasses), places.slice(0, maxPlaces)]
  const shown = cells.filter(cell => rows.includes(cell.row) && columns.includes(cell.column))
  const name = results.titleOf(dataset)
  return {
    id: figureId('class-region', name),
    title: classTitle(cells, shrunken, order[0]!) ?? `Accuracy per class and ${column} on ${name}`,
    subtitle: `Accuracy per class and ${column} on ${name}: ${modelAndImagesText(model, cells)}, ${cellImagesText(cells)}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy of ${model} in percent on the images of each class and ${column}; classes with the largest difference between ${pluralOfPlace(column)} first, by shrunken accuracies, so that few images do not lead.`,
      shrinkageNote,
      order.length > rows.length
        ? `Drawn: the first ${rows.length} of ${order.length} classes.`
        : null,
      places.length > columns.length
        ? `Drawn: the ${columns.length} of ${places.length} ${pluralOfPlace(column)} with the highest accuracy.`
        : null,
      `Cells of fewer than ${cellMinN} images are outlined only.`,
    ),
    rows: cells.map(cell => ({
      model,
      class: cell.row,
      [column]: cell.column,
      n: cell.n,
      accuracy: cell.accuracy,
      shrunken: shrunken.get(cell) ?? null,
    })),
    spec: width => heatSpec(shown, { rows, columns, minN: cellMinN }, width),
  }
}

/** The class whose places differ most after shrinkage, and how they do. */
function classTitle(
  cells: readonly GroupPairAccuracy[],
  shrunken: ReadonlyMap<GroupPairAccuracy, number>,
  name: string,
): string | null {
  const own = largeCells(cells).filter(({ row }) => row === name)
  const lead = shrunkenLeadText(
    own.map(cell => ({ place: cell.column, n: cell.n, accuracy: shrunken.get(cell)! })),
  )
  return lead && `${upperFirst(labelName(name))}: ${lead}`
}

/** `6 to 18 in a cell` */
function cellImagesText(cells: readonly GroupPairAccuracy[]): string {
  const counts = cells.flatMap(({ n }) => (n > 0 ? n : []))
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return `${least === most ? least : `${least} to ${most}`} in a cell`
}

const largeCells = (cells: readonly GroupPairAccuracy[]): GroupPairAccuracy[] =>
  cells.filter(({ n }) => n >= cellMinN)

function classesBySpread(
  cells: readonly GroupPairAccuracy[],
  shrunken: ReadonlyMap<GroupPairAccuracy, number>,
): string[] {
  const byClass = new Map<string, number[]>()
  for (const cell of largeCells(cells)) {
    const accuracy = shrunken.get(cell)
    if (accuracy !== undefined) byClass.set(cell.row, [...(byClass.get(cell.row) ?? []), accuracy])
  }
  const range = (name: string): number => {
    const values = byClass.get(name) ?? []
    return values.length < 2 ? -1 : Math.max(...values) - Math.min(...values)
  }
  const names = [...new Set(cells.map(({ row }) => row))]
  return names.sort((a, b) => range(b) - range(a) || (a < b ? -1 : 1))
}

export function placesByAccuracy(cells: readonly GroupPairAccuracy[]): string[] {
  const sums = new Map<string, [hits: number, n: number]>()
  for (const { column, n, accuracy } of cells) {
    const [hits, all] = sums.get(column) ?? [0, 0]
    sums.set(column, [hits + n * (accuracy ?? 0), all + n])
  }
  const mean = (name: string): number => sums.get(name)![0] / Math.max(1, sums.get(name)![1])
  return [...sums.keys()].sort((a, b) => mean(b) - mean(a))
}
