/** What several views are built from. */
import { type ComponentChildren } from 'preact'
import { type Dimension, dimensions, type Rate } from '../cube.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { type Answered } from './data.ts'
import { linkTo, type Route } from './route.ts'

export const dimensionNames: Record<Dimension, string> = {
  ...{ region: 'region', country: 'country', income: 'income', label: 'class' },
}

export const percent = (share: number | null): string => (share === null ? '–' : (100 * share).toFixed(1))
export const interval = ({ low, high }: Pick<Rate, 'low' | 'high'>): string =>
  low === null ? '–' : `${percent(low)} – ${percent(high)}`
export const whole = (n: number): string => Math.round(n).toLocaleString('en-US')

/** What a view shows once its data are there. */
export function Answer<T>({ of, children }: { of: Answered<T>; children: (data: T) => ComponentChildren }) {
  if (of.error !== undefined) return <p role="alert">{of.error}</p>
  return of.data === undefined ? <p class="quiet">…</p> : <>{children(of.data)}</>
}

interface SelectProps {
  name: string
  value: string
  /** Values, with what is shown for them where that is something else. */
  options: readonly (string | readonly [string, string])[]
  onChange: (value: string) => void
}

export function Select({ name, value, options, onChange }: SelectProps) {
  return (
    <label class="select">
      <span>{name}</span>
      <select value={value} onChange={event => onChange(event.currentTarget.value)}>
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

/** Goes to the same view with other values. */
export const change = ({ view, query }: Route, values: Record<string, string | undefined>): void =>
  void (location.hash = linkTo(view, { ...query, page: undefined, ...values }))

interface DatasetSelectProps {
  route: Route
  /** Its key in the route, and what it is called. */
  name: string
  label?: string
  dataset: DatasetFact
  datasets: readonly DatasetFact[]
  /** What another data set makes void beside the filters. */
  reset?: Record<string, string>
}

export function DatasetSelect({
  route,
  name,
  label = 'data set',
  dataset,
  datasets,
  reset = noFilter,
}: DatasetSelectProps) {
  return (
    <Select
      name={label}
      value={dataset.name}
      options={datasets.map(({ name, title }) => [name, title] as const)}
      onChange={value => change(route, { ...reset, [name]: value })}
    />
  )
}

/** Selects for what the data set can be filtered by. */
export function Filters({ route, dataset }: { route: Route; dataset: DatasetFact }) {
  return (
    <>
      {dimensions
        .filter(dimension => dataset.values[dimension].length > 0)
        .map(dimension => (
          <Select
            key={dimension}
            name={dimensionNames[dimension]}
            value={route.query[dimension] ?? ''}
            options={[['', 'all'], ...dataset.values[dimension]]}
            onChange={value => change(route, { [dimension]: value })}
          />
        ))}
    </>
  )
}

/** Another data set has other regions and classes. */
export const noFilter: Record<Dimension, string> = { region: '', country: '', income: '', label: '' }

/** The filters of a route, for links and questions. */
export const filterOf = ({ query }: Route): Record<string, string> =>
  Object.fromEntries(dimensions.flatMap(name => (query[name] ? [[name, query[name]]] : [])))

export interface Column<Row> {
  heading: string
  cell: (row: Row) => ComponentChildren
  numeric?: boolean
}

export function Table<Row>({
  caption,
  columns,
  rows,
}: {
  caption: string
  columns: readonly Column<Row>[]
  rows: readonly Row[]
}) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={caption}>
      <table>
        <caption>{caption}</caption>
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

/** The data set that a route names, else a geographic one, else the first. */
export const datasetOf = (overview: Overview, name: string | undefined): DatasetFact =>
  overview.datasets.find(dataset => dataset.name === name) ??
  overview.datasets.find(({ geographic }) => geographic) ??
  overview.datasets[0]!

/** Columns of a table of accuracies. */
export const rateColumns = <Row extends Rate>(): Column<Row>[] => [
  { heading: 'top-1 %', numeric: true, cell: row => percent(row.top1) },
  { heading: '95 % interval', numeric: true, cell: row => interval(row) },
  { heading: 'n', numeric: true, cell: row => whole(row.n) },
]
