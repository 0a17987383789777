import { type ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { formatTable } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'
import { groupFilter } from '../../analysis/datasetCounts.ts'
import {
  type GalleryItem,
  type GalleryPage,
  type ModelAnswer,
  outcomes,
  pageSize,
} from '../pages.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { type ViewState, useView } from './useView.ts'
import { WhenLoaded, datasetOf, DatasetSelect, Filters, Select, wholeNumberText } from './parts.tsx'
import { linkTo, type Route } from './route.ts'

/** The images of a filter with the answers of one model. */
export function GalleryView({ overview, route }: { overview: Overview; route: Route }) {
  const model = route.query['model'] ?? overview.models[0]!.name
  const dataset = datasetOf(overview, route.query['dataset'])
  const { outcome = 'wrong', page = '0' } = route.query
  const view = useView('gallery', {
    model,
    dataset: dataset.name,
    outcome,
    page,
    ...groupFilter(route.query),
  })
  return (
    <>
      <h1 tabIndex={-1}>
        Images of {dataset.title}, seen by {model}
      </h1>
      <form class="filters">
        <Select {...{ route, name: 'model', value: model, options: dataset.models }} />
        <DatasetSelect
          {...{ route, name: 'dataset', dataset }}
          datasets={overview.datasets.filter(({ models }) => models.includes(model))}
        />
        <Filters route={route} dataset={dataset} />
        <Select
          {...{ route, name: 'outcome', label: 'answers', value: outcome, options: outcomes }}
        />
      </form>
      <p>
        <a href={linkTo('model', { model, dataset: dataset.name, ...groupFilter(route.query) })}>
          Back to the accuracy of {model}
        </a>
      </p>
      <ImageGrid view={view} route={route} dataset={dataset} />
    </>
  )
}

/** A page of images that can be selected and saved, the most confident answers first. */
export function ImageGrid({
  view,
  route,
  dataset,
}: {
  view: ViewState<GalleryPage>
  route: Route
  dataset: DatasetFact
}) {
  const [selected, setSelected] = useState<ReadonlyMap<string, GalleryItem>>(new Map())
  const cell = JSON.stringify({ ...route.query, page: '' })
  useEffect(() => setSelected(new Map()), [cell])
  const select = (items: readonly GalleryItem[], on: boolean): void => {
    const next = new Map(selected)
    for (const item of items) {
      if (on) next.set(item.id, item)
      else next.delete(item.id)
    }
    setSelected(next)
  }
  return (
    <WhenLoaded of={view}>
      {({ total, items }) => (
        <>
          <p role="status">
            {wholeNumberText(total)} images{total > 0 && ', the most confident answers first'}.
          </p>
          <p class="tools">
            <button
              type="button"
              disabled={items.length === 0}
              onClick={() => select(items, !items.every(({ id }) => selected.has(id)))}
            >
              Select this page
            </button>
            <button
              type="button"
              disabled={selected.size === 0}
              onClick={() => saveSlice(dataset, [...selected.values()])}
            >
              Save {selected.size} selected as slice.csv
            </button>
          </p>
          <ul class="gallery">
            {items.map(item => (
              <GalleryImage
                key={item.id}
                item={item}
                selected={selected.has(item.id)}
                onSelect={on => select([item], on)}
              />
            ))}
          </ul>
          <Pagination route={route} total={total} />
        </>
      )}
    </WhenLoaded>
  )
}

function GalleryImage({
  item,
  selected,
  onSelect,
}: {
  item: GalleryItem
  selected: boolean
  onSelect: (on: boolean) => void
}) {
  const { id, image, label, accepted, region, country, income, status, answers } = item
  const place = [country, region, income].filter(text => text !== null).join(', ')
  const others = accepted.filter(name => name !== label)
  return (
    <li>
      <Picture address={image} label={label} />
      <p class="truth">
        <strong>{label}</strong>
        {others.length > 0 && <span class="quiet"> accepts {others.join(', ')}</span>}
      </p>
      {place !== '' && <p class="quiet">{place}</p>}
      {status !== 'ok' && <p class="wrong">{status}</p>}
      {answers.map(answer => (
        <TopClasses key={answer.model} answer={answer} named={answers.length > 1} />
      ))}
      <label class="check">
        <input
          type="checkbox"
          checked={selected}
          onChange={event => onSelect(event.currentTarget.checked)}
        />{' '}
        <span>{id}</span>
      </label>
    </li>
  )
}

/** The thumbnail, or a note that there is none. */
function Picture({ address, label }: { address: string | null; label: string }) {
  const [failed, setFailed] = useState(false)
  if (address === null || failed) return <div class="picture quiet">no picture here</div>
  return (
    <img
      class="picture"
      src={address}
      alt={`an image of ${label}`}
      loading="lazy"
      onError={() => setFailed(true)}
    />
  )
}

function TopClasses({
  answer: { model, correct, top },
  named,
}: {
  answer: ModelAnswer
  named: boolean
}) {
  const verdict = correct === null ? 'not judged' : correct ? 'right' : 'wrong'
  return (
    <>
      {named && (
        <p class={verdict}>
          {model}: {verdict}
        </p>
      )}
      <ol class="top">
        {top.map(({ label, p, accepted }, i) => (
          <li key={i} class={accepted ? 'right' : ''}>
            <span>
              {label}
              {accepted && <b aria-label="accepted"> ✓</b>}
            </span>{' '}
            <span class="number">{percent(p)}</span>
          </li>
        ))}
      </ol>
    </>
  )
}

function Pagination({ route, total }: { route: Route; total: number }) {
  const page = Number(route.query['page'] ?? 0)
  const last = Math.max(0, Math.ceil(total / pageSize) - 1)
  const to = (at: number, text: string): ComponentChildren =>
    at < 0 || at > last ? (
      <span class="quiet">{text}</span>
    ) : (
      <a href={linkTo(route.view, { ...route.query, page: String(at) })}>{text}</a>
    )
  if (last === 0) return null
  return (
    <nav class="pages" aria-label="Pages">
      {to(page - 1, 'previous')}{' '}
      <span>
        page {wholeNumberText(page + 1)} of {wholeNumberText(last + 1)}
      </span>{' '}
      {to(page + 1, 'next')}
    </nav>
  )
}

/** Saves the selected images as `slice.csv`, by `dataset` and `id`. */
function saveSlice({ dataset }: DatasetFact, items: readonly GalleryItem[]): void {
  const column = (name: string, value: (item: GalleryItem) => string | null) => ({
    name,
    heading: name,
    value,
  })
  const columns = [
    column('dataset', () => dataset),
    column('id', ({ id }) => id),
    column('label', ({ label }) => label),
    column('prediction', ({ answers }) => answers.at(-1)?.top[0]?.label ?? null),
    column('region', ({ region }) => region),
    column('country', ({ country }) => country),
    column('model', ({ answers }) => answers.at(-1)?.model ?? null),
  ]
  const address = URL.createObjectURL(
    new Blob([formatTable(columns, items, 'csv')], { type: 'text/csv' }),
  )
  const link = Object.assign(document.createElement('a'), { href: address, download: 'slice.csv' })
  link.click()
  URL.revokeObjectURL(address)
}
