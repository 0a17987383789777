/** Computes the dashboard's first screen from a data set's counts. This module runs in browsers. */
import {
  type AccuracyEstimate,
  type DatasetCounts,
  type Dimension,
  filterCells,
  type GroupAccuracyEstimate,
  groupedAccuracies,
  groupFilter,
  type GroupFilter,
  totalAccuracy,
} from '../analysis/datasetCounts.ts'
import { type GroupCounts } from '../metrics/accuracy.ts'
import { type ClusterCounts } from '../metrics/permutationTest.ts'
import { disparity } from '../metrics/disparity.ts'
import { inferDisparity, type InferredDisparity } from '../metrics/disparityInference.ts'

/** One model on one data set. */
export interface Screen {
  /** Accuracy on the images of the whole filter. */
  chosen: AccuracyEstimate
  /** Accuracy on the images of all places. */
  everywhere: AccuracyEstimate
  /** The coarsest dimension of places that the data set has; null if it has none. */
  by: PlaceDimension | null
  /** Accuracies of all places, whatever place is filtered for. */
  places: Readonly<Record<PlaceDimension, readonly GroupAccuracyEstimate[]>>
  /** Disparity between the places of `by`; its interval is null where images come in households. */
  disparity: InferredDisparity | null
}

export type PlaceDimension = Extract<Dimension, 'region' | 'country'>

/** Draws start here, as those of reports do. */
const seed = 1

/** Ending of the names of files with a model's disparity over households, which its counts do not give. */
export const disparityEnding = '-disparity'

/** Returns the parts of a filter that are not places. */
export const withoutPlaces = (filter: GroupFilter): GroupFilter =>
  groupFilter({ ...filter, region: undefined, country: undefined })

export function screenView(dataset: DatasetCounts, model: string, filter: GroupFilter): Screen {
  const counts = dataset.models.get(model)
  if (!counts) throw new Error(`unknown model: ${model}`)
  const everywhere = filterCells(dataset, withoutPlaces(filter))
  const groupsBy = (dimension: PlaceDimension): GroupAccuracyEstimate[] =>
    groupedAccuracies(dataset, [dimension], { counts, cells: everywhere }).map(
      ({ values: [group = ''], rate }) => ({ group, ...rate }),
    )
  const by = placeDimension(dataset)
  return {
    chosen: totalAccuracy(dataset, { counts, cells: filterCells(dataset, filter) }),
    everywhere: totalAccuracy(dataset, { counts, cells: everywhere }),
    by,
    places: { region: groupsBy('region'), country: groupsBy('country') },
    disparity: by && modelDisparity(dataset, model, { filter }),
  }
}

export const placeDimension = ({ values }: Pick<DatasetCounts, 'values'>): PlaceDimension | null =>
  (['region', 'country'] as const).find(dimension => values[dimension].length > 0) ?? null

export interface ModelDisparityOptions {
  filter?: GroupFilter
  /** Counts by household, where images come in households. */
  clusters?: readonly ClusterCounts[] | null
}

/**
 * Returns a model's disparity between the places of a data set, for the images of a filter in all places; null if no image has
 * a place. Where images come in households it has no interval without their counts.
 */
export function modelDisparity(
  dataset: DatasetCounts,
  model: string,
  { filter = {}, clusters = null }: ModelDisparityOptions = {},
): InferredDisparity | null {
  const by = placeDimension(dataset)
  const counts = dataset.models.get(model)
  if (by === null || !counts) return null
  const cells = filterCells(dataset, withoutPlaces(filter))
  const groups = groupedAccuracies(dataset, [by], { counts, cells }).map(
    ({ values: [group = ''], rate: { n, top1 } }): GroupCounts => ({
      group,
      n,
      top1: Math.round(n * (top1 ?? 0)),
    }),
  )
  if (!dataset.isClustered || clusters) return inferDisparity(groups, { seed, clusters })
  const noInference = { expected: null, p: null, corrected: null, interval: null }
  return {
    ...disparity(groups),
    ...noInference,
    unit: 'clusters',
    clusterCorrelation: null,
    reason: 'no interval over households for some labels or incomes alone',
  }
}
