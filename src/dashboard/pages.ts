/**
 * Computes the pages of images and the comparison of two models from the dashboard's data files. This module runs in
 * browsers.
 */
import { groupChanges, type PairedGroupChange, minComparedImages } from '../analysis/compare.ts'
import {
  byDimension,
  type DatasetCounts,
  type Dimension,
  filterCells,
  type GroupFilter,
} from '../analysis/datasetCounts.ts'
import { type PairedCounts } from '../analysis/imagePairs.ts'
import { type PairCounts } from '../metrics/pairedTests.ts'
import { type AnswerRow, type ImageList, type ModelOutcomes } from './answers.ts'

export const pageSize = 24
export const outcomes = ['wrong', 'right', 'failed', 'all'] as const
export type Outcome = (typeof outcomes)[number]
/** `gained`: only the second model is right; `lost`: only the first model is right. */
export const changes = ['gained', 'lost'] as const
export type Change = (typeof changes)[number]

/** One model's outcomes with the images that they belong to, position by position. */
export interface ModelAnswers extends ModelOutcomes {
  model: string
  list: ImageList
}

/** What a model answered for an image, the most probable class first. */
export interface ModelAnswer {
  model: string
  /** Null if the image has no prediction or the model has no class for it. */
  correct: boolean | null
  top: { label: string; p: number | null; accepted: boolean }[]
}

/** An image with the answers of one or two models. */
export interface GalleryItem extends Record<Exclude<Dimension, 'label'>, string | null> {
  id: string
  label: string
  /** Names of the classes that count as right. */
  accepted: string[]
  /** `ok`, or the reason why there is no prediction. */
  status: string
  answers: ModelAnswer[]
  /** Address of the thumbnail, and of the picture for a whole window. */
  image: string | null
  large: string | null
}

export interface GalleryPage {
  total: number
  items: GalleryItem[]
}

export interface CompareView {
  rows: PairedGroupChange[]
  tested: number
  leftOut: number
  minN: number
  households: number | null
}

type PairRow = PairCounts & Record<Dimension, string | null> & { cluster: string | null }

const outcomeCodes: Readonly<Record<Outcome, string>> = {
  wrong: '0',
  right: '1',
  failed: 'f',
  all: '01fu',
}

const rankings = new WeakMap<readonly unknown[], readonly number[]>()

/** Returns the positions of a model's images, the most confident answers first, then in the order of the ids. */
function rankByConfidence(confidence: ModelOutcomes['confidence']): readonly number[] {
  const ranking =
    rankings.get(confidence) ??
    [...confidence.keys()].sort((a, b) => (confidence[b] ?? -1) - (confidence[a] ?? -1) || a - b)
  rankings.set(confidence, ranking)
  return ranking
}

/** Returns the positions of the images of a filter for which `test` holds, the most confident answers first. */
function selectPositions(
  { confidence, list }: ModelAnswers,
  { counts, filter }: FilteredCounts,
  test: (position: number) => boolean,
): number[] {
  const cells = new Set(filterCells(counts, filter))
  return rankByConfidence(confidence).filter(
    position => cells.has(list.cell[position]!) && test(position),
  )
}

export interface FilteredCounts {
  counts: DatasetCounts
  filter: GroupFilter
}

/** Returns the positions of a model's images with an outcome. */
export const outcomePositions = (
  answers: ModelAnswers,
  filtered: FilteredCounts,
  outcome: Outcome,
): number[] =>
  selectPositions(answers, filtered, position =>
    outcomeCodes[outcome].includes(answers.outcome[position]!),
  )

/** Returns the positions of images that only the second (`gained`) or only the first model has right. */
export function flipPositions(
  pair: readonly [ModelAnswers, ModelAnswers],
  filtered: FilteredCounts,
  change: Change,
): number[] {
  const [right, wrong] = change === 'gained' ? [pair[1], pair[0]] : pair
  return selectPositions(
    pair[0],
    filtered,
    position => right.outcome[position] === '1' && wrong.outcome[position] === '0',
  )
}

/** Returns a model's answers in the order of another list of images; images that the model lacks count as not evaluated. */
export function alignAnswers(answers: ModelAnswers, list: ImageList): ModelAnswers {
  if (answers.list === list) return answers
  const own = new Map(answers.list.id.map((id, position) => [id, position]))
  const positions = list.id.map(id => own.get(id))
  return {
    ...answers,
    outcome: positions.map(position => answers.outcome[position ?? -1] ?? '-').join(''),
    confidence: positions.map(position => answers.confidence[position ?? -1] ?? null),
    list: {
      ...answers.list,
      id: list.id,
      accepted: positions.map(position => answers.list.accepted[position ?? -1] ?? []),
    },
  }
}

const cellValue = (counts: DatasetCounts, cell: number, dimension: Dimension): string | null =>
  counts.values[dimension][counts.codes[dimension][cell]!] ?? null

const cellValues = (counts: DatasetCounts, cell: number): Record<Dimension, string | null> =>
  byDimension(dimension => cellValue(counts, cell, dimension))

/** Counts the joint outcomes of two models in every cell and household of a filter. */
function pairRows(
  [first, second]: readonly [ModelAnswers, ModelAnswers],
  { counts, filter }: FilteredCounts,
): PairRow[] {
  const { cell: cells, household } = first.list
  const isIncluded = new Set(filterCells(counts, filter))
  // The rows of each included cell by household.
  const rows = new Map<number, Map<string | null, PairRow>>()
  for (const [position, cell] of cells.entries()) {
    const outcome = pairOutcomes[first.outcome[position]! + second.outcome[position]!]
    if (outcome === undefined || !isIncluded.has(cell)) continue
    const cluster = household?.[position] ?? null
    const clusters = rows.get(cell) ?? new Map<string | null, PairRow>()
    rows.set(cell, clusters)
    const row = clusters.get(cluster) ?? emptyPairRow(counts, cell, cluster)
    clusters.set(cluster, row)
    row[outcome]++
  }
  return [...rows.values()].flatMap(clusters => [...clusters.values()])
}

/** The counts by the outcomes of the first and the second model. */
const pairOutcomes: Readonly<Record<string, keyof PairCounts>> = {
  11: 'both',
  10: 'onlyFirst',
  '01': 'onlySecond',
  '00': 'neither',
}

const emptyPairRow = (counts: DatasetCounts, cell: number, cluster: string | null): PairRow => ({
  both: 0,
  onlyFirst: 0,
  onlySecond: 0,
  neither: 0,
  cluster,
  ...cellValues(counts, cell),
})

/** Compares two models image by image in the groups of one dimension. */
export function compareView(
  pair: readonly [ModelAnswers, ModelAnswers],
  filtered: FilteredCounts,
  by: Dimension,
): CompareView {
  const pairs = pairRows(pair, filtered)
  const cells = pairs.flatMap((row): PairedCounts[] =>
    row[by] === null ? [] : [{ ...row, group: row[by], label: row.label ?? '' }],
  )
  const all = pairs.map((row): PairedCounts => ({ ...row, group: 'all', label: row.label ?? '' }))
  const { leftOut, ...changes } = groupChanges(new Map([[by, cells]]), minComparedImages, all)
  return { ...changes, leftOut: leftOut.length }
}

/** Returns the positions on one page. */
export const pageOf = (positions: readonly number[], page: number): number[] =>
  positions.slice(pageSize * page, pageSize * (page + 1))

interface GalleryRows {
  counts: DatasetCounts
  /** For each model the rows of the page's images, null for an image that the model lacks. */
  rows: readonly (readonly (AnswerRow | null)[])[]
  /** Returns the address of an image's thumbnail, or of its large picture. */
  image: (position: number, isLarge: boolean) => string | null
}

/** Returns the images of one page, positions in the first model's list, with the answers of one or two models. */
export function galleryItems(
  sides: readonly ModelAnswers[],
  positions: readonly number[],
  { counts, rows, image }: GalleryRows,
): GalleryItem[] {
  const { list } = sides[0]!
  return positions.map((position, i) => {
    const values = cellValues(counts, list.cell[position]!)
    return {
      ...values,
      id: list.id[position]!,
      label: values.label ?? '',
      accepted: list.accepted[position]!.map(index => className(list, index)),
      status: rows[0]?.[i]?.status ?? 'not evaluated',
      answers: sides.map((side, k) => modelAnswer(side, rows[k]?.[i] ?? null, position)),
      image: image(position, false),
      large: image(position, true),
    }
  })
}

const className = ({ classes }: ImageList, index: number): string =>
  classes[index] ?? `class ${index}`

const correctByCode: Readonly<Record<string, boolean>> = { 0: false, 1: true }

/** Returns what a model answered for the image at a position of its list; `correct` is null without an answer. */
export const modelAnswer = (
  { model, outcome, list }: ModelAnswers,
  row: AnswerRow | null,
  position: number,
): ModelAnswer => ({
  model,
  correct: correctByCode[outcome[position]!] ?? null,
  top: (row?.top ?? []).map((index, k) => ({
    label: className(list, index),
    p: row?.p[k] === undefined ? null : row.p[k] / 1000,
    accepted: list.accepted[position]?.includes(index) ?? false,
  })),
})
