import { incomeColumns, incomeScheme } from '../../datasets/labels/incomes.ts'
import { placesByAccuracy } from './classRegion.ts'
import type { Figure, FigureKind, FigureOptions } from './figure.ts'
import { figureCaption, figureId, modelAndImagesText, drawPerGeographicDataset } from './figure.ts'
import { accuracyPercent } from '../../lib/table/values.ts'
import { leadNote, leadText, type RankedPlace } from './findings.ts'
import { heatSpec } from './heatMap.ts'
import { modelToShow, type RunView } from '../../analysis/runView.ts'
import { benchmarkNameOf, placeColumn } from '../../analysis/datasetRoles.ts'

export const incomeRegion: FigureKind = {
  name: 'income-region',
  paper: [],
  title: 'Accuracy per income and region',
  needs:
    'a data set with regions and incomes (a column income_group or income), --min-n images in a cell',
  make: (results, options) => drawPerGeographicDataset(results, options, figureOf),
}

function figureOf(results: RunView, dataset: string, options: FigureOptions): Figure | null {
  const column = placeColumn(results.run, dataset)!
  const model = modelToShow(results, dataset, options)
  if (model === undefined || column !== 'region') return null
  const found = incomeColumns.map(income => ({
    income,
    cells: results.pairAccuracies(dataset, model, [income, column]),
  }))
  const { income, cells } = found.find(({ cells }) => cells.length > 0) ?? {
    income: incomeColumns[0]!,
    cells: [],
  }
  const incomes = [...new Set(cells.map(({ row }) => row))].sort(compareIncomes)
  const places = placesByAccuracy(cells)
  if (
    incomes.length < 2 ||
    incomes.length > maxIncomeGroups ||
    cells.every(({ n }) => n < results.minN)
  )
    return null
  const name = results.titleOf(dataset)
  const groups = largeIncomeGroups(results, { dataset, model, income })
  return {
    id: figureId('income-region', name),
    title: leadText(groups, `on ${name}`) ?? `Accuracy per income group and region on ${name}`,
    subtitle: `Accuracy per income group and region on ${name}: ${modelAndImagesText(model, cells)}`,
    caption: figureCaption(
      results,
      `Top-1 accuracy of ${model} in percent on the images of each income group of households (rows) and region.`,
      incomeGroupsNote(dataset, incomes),
      leadNote(groups),
      `Cells of fewer than ${results.minN} images are outlined only.`,
    ),
    rows: cells.map(cell => ({
      model,
      income: cell.row,
      region: cell.column,
      n: cell.n,
      accuracy: cell.accuracy,
    })),
    spec: width => heatSpec(cells, { rows: incomes, columns: places, minN: results.minN }, width),
  }
}

/** The income groups of enough images, over all regions. */
const largeIncomeGroups = (
  results: RunView,
  { dataset, model, income }: { dataset: string; model: string; income: string },
): RankedPlace[] =>
  results
    .accuracyBy(income)
    .filter(row => row.dataset === dataset && row.model === model && row.n >= results.minN)
    .flatMap(({ group, ...row }) =>
      row.top1 === null ? [] : { place: group, n: row.n, ...accuracyPercent(row) },
    )

/** More values are no groups. */
const maxIncomeGroups = 12

const incomeWords = ['lowest', 'low', 'lower middle', 'middle', 'upper middle', 'high', 'highest']

/** Usual words from low to high, anything else by its text. */
function compareIncomes(a: string, b: string): number {
  const [x, y] = [a, b].map(name =>
    incomeWords.indexOf(name.toLowerCase().replaceAll(/[-_ ]+/g, ' ')),
  ) as [number, number]
  return x >= 0 && y >= 0 ? x - y : a.localeCompare(b, 'en', { numeric: true })
}

/** What the groups' names stand for. */
function incomeGroupsNote(dataset: string, incomes: readonly string[]): string {
  if (benchmarkNameOf(dataset) === 'dollarstreet') {
    const { direction, bounds, unit } = incomeScheme('dollarstreet-paper-1')
    return `${direction}; bounds ${bounds.join(', ')} ${unit}.`
  }
  if (incomes.every(name => /^Q[1-4] \(/.test(name)))
    return 'Quarters of the images by the income that the data set states; Q1 is the highest.'
  return 'Groups are the data set’s own.'
}
