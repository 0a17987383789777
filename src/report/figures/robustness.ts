import { memoize } from '../../lib/memoize.ts'
import { groupByKey, tally } from '../../lib/tally.ts'
import { countText } from '../../lib/table/text.ts'
import { endsText } from '../../lib/table/values.ts'
import { meanInference } from '../../metrics/familyInference.ts'
import { excludesZero } from '../../metrics/intervals.ts'
import { mean } from '../../metrics/numbers.ts'
import { fitLine } from '../../metrics/regression.ts'
import { findPretraining } from '../../models/pretraining.ts'
import { modelYear } from '../../analysis/citing/bibliography.ts'
import { lineModelsText, modelFamilies } from '../../analysis/modelRoles.ts'
import { placeColumn } from '../../analysis/datasetRoles.ts'
import { type RunView } from '../../analysis/runView.ts'
import {
  countModels,
  drawPerGeographicDataset,
  type Figure,
  figureCaption,
  type FigureKind,
  figureId,
  modelsAndImagesText,
} from './figure.ts'
import { differenceText, endsBy, slopeText, titleIntervalNote } from './findings.ts'
import { type LegendEntry } from './legend.ts'
import { fitPanelLine, linePanelsSpec } from './linePanel.ts'
import { type LinePanel } from './panel.ts'
import { type RegionLineRow, regionLineRows } from './regionLines.ts'
import { regionsByAccuracy } from './regions.ts'
import { mutedColor, seriesColor } from './theme.ts'

/** A model's accuracy in one place beside what its reference accuracy lets expect. */
interface RobustnessRow {
  region: string
  model: string
  /** In percent. */
  reference: number
  /** Points above the line in logit axes. */
  residual: number
  pretraining: string
  /** Year of the latest paper on the model. */
  year: number | null
}

/** Fewest models of a line, and most places that are drawn. */
const minModels = 5
const maxRegions = 8
/** Pretraining data with colours of their own; the others are drawn together. */
const maxGroups = 5

export const robustness: FigureKind = {
  name: 'robustness',
  paper: [],
  title: 'Accuracy per region beyond what the standard benchmark lets expect',
  needs: 'five models with a standard benchmark and a data set with regions',
  make: (results, options) => {
    const rowsOf = memoize((dataset: string) => regionLineRows(results, dataset))
    const robustnessOf = memoize((dataset: string) => robustnessRows(rowsOf(dataset)))
    return (['reference', 'year'] as const).flatMap(axis =>
      drawPerGeographicDataset(results, options, (_, dataset, { model }) =>
        figureOf(results, dataset, {
          regions: regionsByAccuracy(rowsOf(dataset)),
          all: robustnessOf(dataset),
          axis,
          model,
        }),
      ),
    )
  },
}

interface RobustnessDrawing {
  /** The places by accuracy. */
  regions: readonly string[]
  all: readonly RobustnessRow[]
  axis: 'reference' | 'year'
  model: string | undefined
}

function figureOf(
  results: RunView,
  dataset: string,
  { regions: places, all, axis, model }: RobustnessDrawing,
): Figure | null {
  const rows = axis === 'year' ? all.filter(({ year }) => year !== null) : all
  const regions = places.filter(region => rows.some(row => row.region === region))
  const years = new Set(rows.map(({ year }) => year))
  if (regions.length < 2 || regions.length > maxRegions) return null
  if (axis === 'year' && years.size < 2) return null
  const column = placeColumn(results.run, dataset)!
  const reference = results.titleOf(results.roles.reference!)
  const name = results.titleOf(dataset)
  const isYear = axis === 'year'
  const unknown = countModels(all) - countModels(rows)
  return {
    id: figureId('robustness', ...(isYear ? ['years'] : []), name),
    title: `${isYear ? yearFinding(rows, regions) : pretrainingFinding(rows, regions)} on ${name}`,
    subtitle: `Accuracy beyond what ${reference} lets expect${isYear ? ', by the year of the model’s paper' : ''}: ${modelsAndImagesText(results, dataset, rows)}`,
    caption: figureCaption(
      results,
      `Each point is a model: how many points its accuracy on the images of one ${column} of ${name} is above (+) or below what its accuracy on ${reference} lets expect by the least-squares line in logit axes over the ${lineModelsText(results.lines[0]!)}.`,
      isColoured(rows)
        ? 'Colours are the pretraining data.'
        : rows.every(({ pretraining }) => pretraining === otherData)
          ? 'Which data these models were pretrained on is not known here.'
          : null,
      titleIntervalNote,
      isYear
        ? `The year is that of the latest paper on the architecture, its training or its data; weights may be newer.${unknown > 0 ? ` ${unknown} models without a known paper are left out.` : ''}`
        : null,
      `Only groups of at least ${results.minN} images are drawn.`,
    ),
    rows: rows.map(row => ({ ...row })),
    spec: width =>
      linePanelsSpec(
        regions.map(region =>
          panelOf(region, rows, {
            x: isYear ? 'year of the paper' : `${reference} top-1 accuracy (%)`,
            isYear,
            model,
          }),
        ),
        width,
        { shared: 'both', legend: pretrainingEntries(rows) },
      ),
  }
}

function panelOf(
  region: string,
  all: readonly RobustnessRow[],
  { x, isYear, model }: { x: string; isYear: boolean; model: string | undefined },
): LinePanel {
  const rows = all.filter(row => row.region === region)
  const series = pretrainingOrder(all).map((name, i) => ({
    label: [],
    color: pretrainingColor(name, i, all),
    points: rows
      .filter(({ pretraining }) => pretraining === name)
      .map(row => ({
        model: row.model,
        x: isYear ? row.year! : row.reference,
        y: row.residual,
      })),
    line: null,
  }))
  return {
    title: region,
    x,
    y: 'points above the line',
    series,
    model,
    startsAtZero: true,
    maxX: isYear ? 2100 : 100,
  }
}

const otherData = 'other or not known'

/** Returns the pretraining data of most models first, all others together last. */
function pretrainingOrder(rows: readonly RobustnessRow[]): string[] {
  const names = rows.map(({ pretraining }) => pretraining)
  const known = mostFrequent(names.filter(name => name !== otherData))
  return names.includes(otherData) ? [...known, otherData] : known
}

/** Whether the models differ in what is known of their pretraining data. */
const isColoured = (rows: readonly RobustnessRow[]): boolean => pretrainingOrder(rows).length > 1

const pretrainingColor = (name: string, i: number, rows: readonly RobustnessRow[]): string =>
  name === otherData && isColoured(rows) ? mutedColor.light : seriesColor(i)

function pretrainingEntries(rows: readonly RobustnessRow[]): LegendEntry[] {
  if (!isColoured(rows)) return []
  return pretrainingOrder(rows).map((name, i) => {
    const models = countModels(rows.filter(({ pretraining }) => pretraining === name))
    return { look: 'dot', text: `${name} (${models})`, color: pretrainingColor(name, i, rows) }
  })
}

/**
 * Returns the pretraining data and region whose models are on average furthest from the line, where that is more than chance
 * explains among all such pairs; else how far models stray from the line.
 */
function pretrainingFinding(rows: readonly RobustnessRow[], regions: readonly string[]): string {
  const pairs = pretrainingOrder(rows).flatMap(data =>
    data === otherData
      ? []
      : regions.map(region => ({
          data,
          region,
          own: rows.filter(row => row.pretraining === data && row.region === region),
        })),
  )
  const clear = pairs.flatMap(({ data, region, own }) => {
    const families = modelFamilies(own.map(({ model }) => model))
    const { interval } = meanInference(
      own.map(({ residual }) => residual),
      own.map(({ model }) => families.get(model) ?? model),
      1 - 0.05 / pairs.length,
    )
    return interval !== null && excludesZero(interval) ? { data, region, own, interval } : []
  })
  if (clear.length > 0) {
    const meanOf = ({ own }: (typeof clear)[number]) => mean(own.map(({ residual }) => residual))
    const [most] = endsBy(clear, pair => Math.abs(meanOf(pair)))
    const points = meanOf(most)
    return `Models of ${most.data} are ${differenceText(Math.abs(points))} ${points > 0 ? 'above' : 'below'} the line in ${most.region} (${endsText(most.interval, 1)}, ${countText(countModels(most.own), 'model')})`
  }
  const strays = regions.map(region => {
    const own = rows.filter(row => row.region === region)
    return { region, points: Math.sqrt(mean(own.map(({ residual }) => residual ** 2))) }
  })
  const [most, least] = endsBy(strays, ({ points }) => points)
  return `Models stray from the line by ${differenceText(most.points)} in ${most.region} and ${least.points.toFixed(1)} in ${least.region}`
}

/** Returns how the accuracy beyond the line goes with the year in the region where that is clearest among all. */
function yearFinding(rows: readonly RobustnessRow[], regions: readonly string[]): string {
  const trends = regions.flatMap(region => {
    const own = rows.filter(row => row.region === region)
    const points = own.map(({ model, year, residual }) => ({ model, x: year!, y: residual }))
    const { slope, interval, p } = fitPanelLine(points)
    return slope === null || p === null ? [] : [{ region, slope, interval, p }]
  })
  const [, best] = endsBy(trends, ({ p }) => p)
  if (trends.length === 0 || best.p >= 0.05 / trends.length)
    return `No trend of accuracy beyond the line with the year is clear (${countText(countModels(rows), 'model')})`
  return `Accuracy beyond the line ${best.slope > 0 ? 'grows' : 'shrinks'} with the year in ${best.region}: ${slopeText(best)} points a year`
}

function robustnessRows(all: readonly RegionLineRow[]): RobustnessRow[] {
  const rows = all.filter(
    ({ fitted, reference, accuracy }) =>
      fitted && [reference, accuracy].every(value => value > 0 && value < 100),
  )
  const dataOf = commonData(rows.map(({ model }) => model))
  return [...groupByKey(rows, ({ region }) => region)].flatMap(([region, own]) => {
    const { slope, intercept } = fitLine(
      own.map(({ reference }) => logit(reference)),
      own.map(({ accuracy }) => logit(accuracy)),
    )
    if (own.length < minModels || slope === null || intercept === null) return []
    return own.map(({ model, reference, accuracy }) => ({
      region,
      model,
      reference,
      residual: accuracy - 100 / (1 + Math.exp(-intercept - slope * logit(reference))),
      pretraining: dataOf(model),
      year: modelYear(model),
    }))
  })
}

const logit = (percent: number): number => Math.log(percent / (100 - percent))

/** Returns each name once, the most frequent first. */
const mostFrequent = (names: readonly string[]): string[] =>
  [...tally(names)].sort((a, b) => b[1] - a[1]).map(([name]) => name)

/** Returns what names a model's pretraining data: those of the most models by name. */
function commonData(models: readonly string[]): (model: string) => string {
  const known = [...new Set(models)].flatMap(model => findPretraining(model)?.data ?? [])
  const most = mostFrequent(known).slice(0, maxGroups)
  return model => {
    const data = findPretraining(model)?.data
    return data !== undefined && most.includes(data) ? data : otherData
  }
}
