/** Components that several views share. */
import { type ComponentChildren } from 'preact'
import { type AccuracyEstimate, type Dimension, dimensions } from '../../analysis/datasetCounts.ts'
import {
  cellText,
  fieldColumn,
  intervalColumns,
  shareColumn,
  type TableColumn,
} from '../../lib/table/columns.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { linkTo, type Route } from './route.ts'
import { type ViewState } from './useView.ts'

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
  /** The key in the route that the selection sets. */
  name: string
  /** The text beside it; the name by default. */
  label?: string
  value: string
  /** Values, each with the text that is shown if that is another. */
  options: readonly (string | readonly [value: string, text: string])[]
  /** Further keys of the route that a selection sets. */
  reset?: Record<string, string>
}

/** A select element that leads to the same view with another value in the address. */
export function Select({ route, name, label = name, value, options, reset }: SelectProps) {
  const choose = (chosen: string): void => {
    const query = { ...route.query, page: undefined, ...reset, [name]: chosen }
    location.hash = linkTo(route.view, query)
  }
  return (
    <label class="select">
      <span>{label}</span>
      <select value={value} onChange={event => choose(event.currentTarget.value)}>
        {options.map(option => {
          const [key, text] = typeof option === 'string' ? [option, option] : option
          return (
            <option key={key} value={key} selected={key === value}>
              {text}
            </option>
          )
        })}
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

/** The dimensions that a data set has values of. */
export const presentDimensions = ({ values }: DatasetFact): Dimension[] =>
  dimensions.filter(dimension => values[dimension].length > 0)

/** One select element for each dimension that the data set can be filtered by. */
export const Filters = ({ route, dataset }: { route: Route; dataset: DatasetFact }) => (
  <>
    {presentDimensions(dataset).map(dimension => (
      <Select
        key={dimension}
        route={route}
        name={dimension}
        value={route.query[dimension] ?? ''}
        options={[['', 'all'], ...dataset.values[dimension]]}
      />
    ))}
  </>
)

/** Clears the filter when another data set is chosen, which has other regions and labels. */
export const emptyFilter: Record<string, string> = Object.fromEntries(
  dimensions.map(dimension => [dimension, '']),
)

/** A column of a table in a view; `link` turns its cells into links, `isMarked` sets them in bold. */
export interface ViewColumn<Row> extends TableColumn<Row> {
  link?: (row: Row) => string
  isMarked?: (row: Row) => boolean
}

/** A table with its caption that scrolls on its own. */
export const TableFrame = (props: {
  caption: string
  class?: string
  children: ComponentChildren
}) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={props.caption}>
    <table class={props.class}>
      <caption>
        <span>{props.caption}</span>
      </caption>
      {props.children}
    </table>
  </div>
)

interface DataTableProps<Row> {
  caption: string
  columns: readonly ViewColumn<Row>[]
  rows: readonly Row[]
}

/** A table of rows; columns without a heading are left out. */
export function DataTable<Row>({ caption, columns, rows }: DataTableProps<Row>) {
  const readable = columns
    .filter(({ heading }) => heading !== '')
    .map(column => {
      const isNumeric = rows.some(row => typeof column.value(row) === 'number')
      return { column, className: isNumeric ? 'number' : '' }
    })
  return (
    <TableFrame caption={caption}>
      <thead>
        <tr>
          {readable.map(({ column: { heading }, className }) => (
            <th key={heading} scope="col" class={className}>
              {heading}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i}>
            {readable.map(({ column, className }) => (
              <td key={column.heading} class={className}>
                <Cell column={column} row={row} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </TableFrame>
  )
}

function Cell<Row>({ column, row }: { column: ViewColumn<Row>; row: Row }) {
  const value = column.value(row)
  const text =
    typeof value === 'number' && !column.show ? wholeNumberText(value) : cellText(column, row)
  if (column.link) return <a href={column.link(row)}>{text}</a>
  return column.isMarked?.(row) ? <span class="shown">{text}</span> : <>{text}</>
}

/** Returns the data set of this name, otherwise the first geographic one, otherwise the first. */
export const datasetOf = (overview: Overview, name: string | undefined): DatasetFact =>
  overview.datasets.find(dataset => dataset.name === name) ??
  overview.datasets.find(({ geographic }) => geographic) ??
  overview.datasets[0]!

/** The columns of a table of accuracies, after those that name the group. */
export const rateColumns: readonly TableColumn<AccuracyEstimate>[] = [
  shareColumn('top1', 'top-1 %'),
  ...intervalColumns<AccuracyEstimate>(({ low, high }) => [low, high]),
  fieldColumn('n'),
]
