/** What an address chooses: a model, a data set in one of its preprocessings, and a filter. */
import { groupFilter, type GroupFilter } from '../../analysis/datasetCounts.ts'
import { type Screen } from '../screen.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { datasetOf } from './parts.tsx'
import { linkTo, type Route } from './route.ts'

export interface Choice {
  model: string
  dataset: DatasetFact
  filter: GroupFilter
}

/** What every part of a screen gets. */
export interface ScreenProps {
  overview: Overview
  route: Route
  choice: Choice
  screen: Screen
}

/** Returns the choice of a route; by default the best model of the first geographic data set that has the model. */
export function choiceOf(overview: Overview, { query }: Route): Choice {
  const { model } = query
  const own = overview.datasets.filter(
    ({ models }) => model === undefined || models.includes(model),
  )
  const dataset = datasetOf(
    { ...overview, datasets: own.length > 0 ? own : overview.datasets },
    query['dataset'],
  )
  const [first = ''] = dataset.models
  return {
    model: model ?? dataset.finding?.best ?? first,
    dataset,
    filter: groupFilter(query),
  }
}

/** Returns the query of a choice's address. */
export const choiceQuery = ({ model, dataset, filter }: Choice): Record<string, string> => ({
  model,
  dataset: dataset.name,
  ...filter,
})

/** Returns the address of the same view where a filter has another value, or none if it has that value already. */
export const toggleLink = (
  { view, query }: Route,
  dimension: keyof GroupFilter,
  value: string,
): string =>
  linkTo(view, { ...query, page: undefined, [dimension]: query[dimension] === value ? '' : value })
