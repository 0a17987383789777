/** Components that several views share. */
import { type ComponentChildren } from 'preact'
import { percent, percentRange } from '../../lib/table/text.ts'
import { type Dimension, dimensions, type AccuracyEstimate } from '../../analysis/datasetCounts.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { type ViewState } from './useView.ts'
import { linkTo, type Route } from './route.ts'

export const dimensionNames: Record<Dimension, string> = {
  region: 'region',
  country: 'country',
  income: 'income',
  label: 'class',
}

export const rateIntervalText = ({ low, high }: Pick<AccuracyEstimate, 'low' | 'high'>): string =>
  percentRange(low, high)
export const wholeNumberText = (n: number): string => Math.round(n).toLocaleString('en-US')

/** Renders its children with the data once these have loaded, or the error. */
export function WhenLoaded<T>({
  of,
  children,
}: {
  of: ViewState<T>
  children: (data: T) => ComponentChildren
}) {
  if (of.error !== undefined) return <p role="alert">{of.error}</p>
  return of.data === undefined ? <p class="quiet">…</p> : <>{children(of.data)}</>
}

interface SelectProps {
  route: Route
  /** Its key in the route, and what it is called. */
  name: string
  label?: string
  value: string
  /** Values, with what is shown for them where that is something else. */
  options: readonly (string | readonly [string, string])[]
  /** What another choice sets beside itself. */
  reset?: Record<string, string>
}

/** A select element that leads to its own view with another value in the address. */
export function Select({
  route: { view, query },
  name,
  label = name,
  value,
  options,
  reset,
}: SelectProps) {
  const choose = (chosen: string): void =>
    void (location.hash = linkTo(view, { ...query, page: undefined, ...reset, [name]: chosen }))
  return (
    <label class="select">
      <span>{label}</span>
      <select value={value} onChange={event => choose(event.currentTarget.value)}>
        {options
          .map(option => (typeof option === 'string' ? ([option, option] as const) : option))
          .map(([key, shown]) => (
            <option key={key} value={key} selected={key === value}>
              {shown}
            </option>
          ))}
      </select>
    </label>
  )
}

interface DatasetSelectProps extends Pick<SelectProps, 'route' | 'name' | 'label' | 'reset'> {
  dataset: DatasetFact
  datasets: readonly DatasetFact[]
}

export const DatasetSelect = ({ dataset, datasets, ...rest }: DatasetSelectProps) => (
  <Select
    label="data set"
    reset={emptyFilter}
    {...rest}
    value={dataset.name}
    options={datasets.map(({ name, title }) => [name, title])}
  />
)

/** One select element for each dimension that the data set can be filtered by. */
export function Filters({ route, dataset }: { route: Route; dataset: DatasetFact }) {
  return (
    <>
      {dimensions
        .filter(dimension => dataset.values[dimension].length > 0)
        .map(dimension => (
          <Select
            key={dimension}
            {...{ route, name: dimension, label: dimensionNames[dimension] }}
            value={route.query[dimension] ?? ''}
            options={[['', 'all'], ...dataset.values[dimension]]}
          />
        ))}
    </>
  )
}

/** Clears the filter when another data set is chosen, which has other regions and classes. */
export const emptyFilter: Record<Dimension, string> = {
  region: '',
  country: '',
  income: '',
  label: '',
}

export interface ViewColumn<Row> {
  heading: string
  cell: (row: Row) => ComponentChildren
  numeric?: boolean
}

export function DataTable<Row>({
  caption,
  columns,
  rows,
}: {
  caption: string
  columns: readonly ViewColumn<Row>[]
  rows: readonly Row[]
}) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption>
          <span>{caption}</span>
        </caption>
        <thead>
          <tr>
            {columns.map(({ heading, numeric = false }) => (
              <th key={heading} scope="col" class={numeric ? 'number' : ''}>
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {columns.map(({ heading, cell, numeric = false }) => (
                <td key={heading} class={numeric ? 'number' : ''}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** Returns the data set of this name, otherwise the first geographic one, otherwise the first. */
export const datasetOf = (overview: Overview, name: string | undefined): DatasetFact =>
  overview.datasets.find(dataset => dataset.name === name) ??
  overview.datasets.find(({ geographic }) => geographic) ??
  overview.datasets[0]!

/** Returns the columns of a table of accuracies. */
export const rateColumns = <Row extends AccuracyEstimate>(): ViewColumn<Row>[] => [
  { heading: 'top-1 %', numeric: true, cell: row => percent(row.top1) },
  { heading: '95 % interval', numeric: true, cell: row => rateIntervalText(row) },
  { heading: 'n', numeric: true, cell: row => wholeNumberText(row.n) },
]
