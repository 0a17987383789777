import type { TopLevelSpec } from 'vega-lite'
import { unknownNameError } from '../../lib/errors.ts'
import { sum } from '../../metrics/numbers.ts'
import { type CellValue } from '../../lib/table/columns.ts'
import { type RunView } from '../../analysis/runView.ts'
import { type LineModels, lineModelsText } from '../../analysis/modelRoles.ts'
import { countText } from '../../lib/table/text.ts'

/** One drawing, ready for any renderer. */
export interface Figure {
  /** Unique among the figures of a run, usable in a file name. */
  id: string
  title: string
  /** Number of models and images, and what else a reader needs at once. */
  subtitle: string
  /** What it shows and how it was computed. */
  caption: string
  /** The data behind it. */
  rows: readonly Readonly<Record<string, CellValue>>[]
  /** The Vega-Lite specification for a drawing of about `width` pixels. */
  spec: (width: number) => TopLevelSpec
}

export interface FigureOptions {
  /** Only this data set's figure. */
  dataset?: string | undefined
  /** The model that is shown or marked. Default: the best. */
  model?: string | undefined
}

export interface FigureKind {
  name: string
  /** Numbers of the paper's figures that it redraws. */
  paper: readonly string[]
  title: string
  /** What the results must hold. */
  needs: string
  /** One figure per data set, or none where the results lack what it needs. */
  make: (results: RunView, options: FigureOptions) => Figure[]
}

/** Widths in pixels: a page or a paper's full width, and a phone. */
export const wideWidthPx = 720
export const narrowWidthPx = 350

/** Figures of each geographic data set, or of the one asked for. Errors: unknown-data-set. */
export function drawPerGeographicDataset(
  results: RunView,
  options: FigureOptions,
  draw: (results: RunView, dataset: string, options: FigureOptions) => Figure | null,
): Figure[] {
  const { geographic } = results.roles
  const datasets = geographic.filter(name =>
    [name, results.titleOf(name)].includes(options.dataset ?? name),
  )
  if (options.dataset !== undefined && datasets.length === 0)
    throw unknownNameError('data set', options.dataset, geographic)
  return datasets.flatMap(dataset => draw(results, dataset, options) ?? [])
}

/** What a caption says about the models that no line is fitted to; null where there are none. */
export const fittedModelsNote = (
  line: LineModels | undefined,
  models: readonly string[],
): string | null =>
  line === undefined || line.models.length >= models.length
    ? null
    : `Lines are fitted to the ${lineModelsText(line)}; the others are hollow.`

/** A figure's rows with a word on whether the line is fitted to them. */
export const withFittedLabel = <Row extends { fitted: boolean }>(rows: readonly Row[]) =>
  rows.map(row => ({ ...row, fitted: row.fitted ? 'yes' : 'no' }))

/** Letters and digits of any script with hyphens between. */
export const figureId = (...parts: readonly string[]): string =>
  parts
    .map(part =>
      part
        .toLowerCase()
        .replace(/[^\p{L}\p{M}\p{N}]+/gu, '-')
        .replace(/^-|-$/g, ''),
    )
    .join('-')

/** The figures with a number behind an id that an earlier one has: `map-a`, `map-a-2`. */
export function withUniqueIds(figures: readonly Figure[]): Figure[] {
  const taken = new Set<string>()
  return figures.map(figure => {
    let id = figure.id
    for (let number = 2; taken.has(id); number++) id = `${figure.id}-${number}`
    taken.add(id)
    return { ...figure, id }
  })
}

/** Sentences as one caption; a run on made-up data says so in every one. */
export const figureCaption = (
  results: Pick<RunView, 'syntheticNote'>,
  ...sentences: readonly (string | null)[]
): string => [...sentences, results.syntheticNote].filter(text => text !== null).join(' ')

/** Number of different models in some rows. */
export const countModels = (rows: readonly { model: string }[]): number =>
  new Set(rows.map(({ model }) => model)).size

/** `98 models, n = 10,333 images of GeoDE`: whom the rows of a data set's figure are about. */
export const modelsAndImagesText = (
  results: RunView,
  dataset: string,
  rows: readonly { model: string }[],
): string =>
  `${countText(countModels(rows), 'model')}, n = ${countText(results.imageCount(dataset), 'image')} of ${results.titleOf(dataset)}`

/** `resnet50, n = 10,333 images`: whose answers, on how many images. */
export const modelAndImagesText = (model: string, counts: readonly { n: number }[]): string =>
  `${model}, n = ${countText(sum(counts.map(({ n }) => n)), 'image')}`
