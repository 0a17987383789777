import { bestModels, placesByAccuracy } from './classRegion.ts'
import {
  captionOf,
  count,
  type Figure,
  type FigureKind,
  type FigureOptions,
  geographicOf,
  idOf,
  modelOf,
} from './figure.ts'
import { heatSpec } from './heatMap.ts'
import { type Results } from './results.ts'
import { placeColumn } from './roles.ts'

const incomeColumn = 'income_group'

export const incomeRegion: FigureKind = {
  name: 'income-region',
  paper: [],
  title: 'Accuracy per income and region',
  needs: `a data set with regions and a column ${incomeColumn}`,
  make: (results, options) => geographicOf(results, options).flatMap(dataset => figureOf(results, dataset, options)),
}

function figureOf(results: Results, dataset: string, options: FigureOptions): Figure[] {
  const column = placeColumn(results.run, dataset)!
  const model = modelOf(options, bestModels(results, dataset))
  if (model === undefined || column !== 'region') return []
  const cells = results.pairs(dataset, model, [incomeColumn, column])
  const incomes = [...new Set(cells.map(({ row }) => row))].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const places = placesByAccuracy(cells)
  if (incomes.length < 2) return []
  const name = results.title(dataset)
  const n = cells.reduce((sum, cell) => sum + cell.n, 0)
  return [
    {
      id: idOf('income-region', name),
      title: `Accuracy per income group and region on ${name}`,
      subtitle: `${model}, n = ${count(n, 'image')}`,
      caption: captionOf(
        results,
        `Top-1 accuracy of ${model} in percent on the images of each income group of households (rows, as the data set names them) and region.`,
        `Cells of fewer than ${results.minN} images are outlined only.`,
      ),
      rows: cells.map(cell => ({ model, income: cell.row, region: cell.column, n: cell.n, accuracy: cell.accuracy })),
      spec: width => heatSpec(cells, { rows: incomes, columns: places, minN: results.minN }, width),
    },
  ]
}
