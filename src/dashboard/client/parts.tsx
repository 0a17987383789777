/** Components that several views share. */
import { type ComponentChildren, Fragment } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { withUnbrokenSpaces } from '../../lib/table/text.ts'
import { type AccuracyEstimate, type Dimension, dimensions } from '../../analysis/datasetCounts.ts'
import { enhanceTable, type TableState, updateTable } from '../../report/page/tables.js'
import {
  csvAddress,
  htmlTable,
  type HtmlTable,
  type PageColumn,
} from '../../report/page/htmlTable.ts'
import {
  cellText,
  fieldColumn,
  intervalColumns,
  shareColumn,
  type TableColumn,
} from '../../lib/table/columns.ts'
import { ownValue } from '../../lib/ownValue.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { linkTo, type Route } from './route.ts'
import { chooseRows } from '../../report/page/tableRows.ts'
import { type ViewState } from './useView.ts'

export const wholeNumberText = (n: number): string => Math.round(n).toLocaleString('en-US')

/** A model's name, which breaks at its signs where a line is short. */
export const Name = ({ text }: { text: string }) => (
  <>
    {text.split(/(?<=[_./:-])/).map((part, i) => (
      <Fragment key={i}>
        {part}
        <wbr />
      </Fragment>
    ))}
  </>
)

/** Returns the name of a country or label that a data set writes as a code; other values are their own names. */
export const nameOf = (names: Overview['names'], value: string): string =>
  ownValue(names, value) ?? value

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

/** Chooses a data set and, where it was evaluated with several, the preprocessing. */
export function DatasetSelect({ dataset, datasets, ...rest }: DatasetSelectProps) {
  const variants = datasets.filter(other => other.dataset === dataset.dataset)
  return (
    <>
      <Select
        label="data set"
        reset={emptyFilter}
        {...rest}
        value={dataset.name}
        options={inPreprocessing(datasets, dataset.preprocessing).map(({ name, title }) => [
          name,
          title,
        ])}
      />
      {variants.length > 1 && (
        <Select
          {...rest}
          label="preprocessing"
          reset={{}}
          value={dataset.name}
          options={variants.map(({ name, preprocessing }) => [name, preprocessing])}
        />
      )}
    </>
  )
}

/** Returns each data set once: with this preprocessing where it was evaluated so. */
export const inPreprocessing = (
  datasets: readonly DatasetFact[],
  preprocessing: string,
): DatasetFact[] =>
  [...new Set(datasets.map(({ dataset }) => dataset))].map(name => {
    const variants = datasets.filter(({ dataset }) => dataset === name)
    return variants.find(variant => variant.preprocessing === preprocessing) ?? variants[0]!
  })

/** The dimensions that a data set has values of. */
export const presentDimensions = ({ values }: DatasetFact): Dimension[] =>
  dimensions.filter(dimension => values[dimension].length > 0)

interface FiltersProps {
  overview: Overview
  route: Route
  dataset: DatasetFact
}

/** One select element for each dimension that the data set can be filtered by. */
export const Filters = ({ overview: { names }, route, dataset }: FiltersProps) => (
  <>
    {presentDimensions(dataset).map(dimension => (
      <Select
        key={dimension}
        route={route}
        name={dimension}
        value={route.query[dimension] ?? ''}
        options={[
          ['', 'all'],
          ...dataset.values[dimension].map(value => [value, nameOf(names, value)] as const),
        ]}
      />
    ))}
  </>
)

/** Clears the filter when another data set is chosen, which has other regions and labels. */
export const emptyFilter: Record<string, string> = Object.fromEntries(
  dimensions.map(dimension => [dimension, '']),
)

/** A table with its caption that scrolls on its own. */
export const TableFrame = (props: {
  caption: string
  class?: string
  children: ComponentChildren
}) => (
  <div class="scroll" tabIndex={0} role="region" aria-label={props.caption}>
    <table class={props.class}>
      <caption>
        <span>{withUnbrokenSpaces(props.caption)}</span>
      </caption>
      {props.children}
    </table>
  </div>
)

interface DataTableProps<Row> extends Omit<HtmlTable<Row>, 'name' | 'shownRows' | 'address'> {
  /** Name of the downloaded file, without ending. */
  name?: string
}

/** Rows that a table shows before a reader asks for all of them. */
const firstRows = 50

/** A table as reports have it, which is sorted, searched and saved, and whose columns are chosen. It holds the rows that it shows. */
export function DataTable<Row>({ name = 'table', columns, rows, ...rest }: DataTableProps<Row>) {
  const place = useRef<HTMLDivElement>(null)
  const { current: written } = useRef({ headings: '', html: '' })
  const { current: state } = useRef<TableState>({ most: firstRows })
  // Before the page is drawn, so that it is laid out once.
  useLayoutEffect(() => {
    const texts = columns.map(withWholeNumbers)
    const headings = texts.map(({ heading }) => heading).join('\n')
    const write = (): string => {
      const { shown, found } = chooseRows(rows, texts, { ...state, groupOf: rest.groupOf })
      state.counts = { found, all: rows.length }
      return htmlTable({ name, columns: texts, rows, shownRows: shown, address: '#', ...rest })
        .markup
    }
    const fill = (html: string): HTMLTableElement => {
      const table = place.current!.querySelector('table')!
      if (html !== written.html) replaceRows(place.current!, html)
      written.html = html
      return table
    }
    state.fill = () => void fill(write())
    if (headings !== written.headings) {
      delete state.sort
      Object.assign(written, { headings, html: write() })
      place.current!.innerHTML = written.html
      enhanceTable(place.current!.querySelector('table')!, state)
      return
    }
    const html = write()
    if (html !== written.html) updateTable(fill(html), state)
  })
  const fillDownload = ({ target }: MouseEvent): void => {
    const link = (target as Element).closest<HTMLAnchorElement>('a[download]')
    if (link) link.href = csvAddress(columns, rows)
  }
  return <div ref={place} onClick={fillDownload} />
}

/** Puts the rows and the caption of a table into the one in `place`, whose tools stay. */
function replaceRows(place: HTMLElement, html: string): void {
  const table = place.querySelector('table')!
  const fresh = document.createElement('div')
  fresh.innerHTML = html
  for (const body of [...table.tBodies]) body.remove()
  table.append(...fresh.querySelector('table')!.tBodies)
  for (const part of ['caption', 'a[download]'])
    place.querySelector(part)!.replaceWith(fresh.querySelector(part)!)
  place.querySelector('.scroll')!.ariaLabel = table.caption!.textContent
}

/** Saves a text as a file of the reader's. */
export function saveFile(name: string, text: string): void {
  const href = URL.createObjectURL(new Blob([text]))
  Object.assign(document.createElement('a'), { href, download: name }).click()
  URL.revokeObjectURL(href)
}

/** Numbers without a text of their own are counts. */
const withWholeNumbers = <Row,>(column: PageColumn<Row>): PageColumn<Row> => ({
  ...column,
  show: row => {
    const value = column.value(row)
    return typeof value === 'number' && !column.show
      ? wholeNumberText(value)
      : cellText(column, row)
  },
})

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
