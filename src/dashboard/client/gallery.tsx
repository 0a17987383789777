import { type ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { fieldColumn, formatTable } from '../../lib/table/columns.ts'
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
  const query = { model, dataset: dataset.name, ...groupFilter(route.query) }
  const view = useView('gallery', { ...query, outcome, page })
  return (
    <>
      <h1 tabIndex={-1}>
        Images of {dataset.title}, seen by {model}
      </h1>
      <form class="filters">
        <Select route={route} name="model" value={model} options={dataset.models} />
        <DatasetSelect
          route={route}
          name="dataset"
          dataset={dataset}
          datasets={overview.datasets.filter(({ models }) => models.includes(model))}
        />
        <Filters route={route} dataset={dataset} />
        <Select route={route} name="outcome" label="answers" value={outcome} options={outcomes} />
      </form>
      <p>
        <a href={linkTo('model', query)}>Back to the accuracy of {model}</a>
      </p>
      <ImageGrid view={view} route={route} dataset={dataset} />
    </>
  )
}

interface ImageGridProps {
  view: ViewState<GalleryPage>
  route: Route
  dataset: DatasetFact
}

/** A page of images that can be selected and saved, the most confident answers first. */
export function ImageGrid({ view, route, dataset }: ImageGridProps) {
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

interface GalleryImageProps {
  item: GalleryItem
  selected: boolean
  onSelect: (on: boolean) => void
}

function GalleryImage({ item, selected, onSelect }: GalleryImageProps) {
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
        <TopClasses key={answer.model} {...answer} named={answers.length > 1} />
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

function TopClasses({ model, correct, top, named }: ModelAnswer & { named: boolean }) {
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
  const rows = items.map(({ id, label, region, country, answers }) => {
    const answer = answers.at(-1)
    const prediction = answer?.top[0]?.label ?? null
    return { dataset, id, label, prediction, region, country, model: answer?.model ?? null }
  })
  const columns = (
    ['dataset', 'id', 'label', 'prediction', 'region', 'country', 'model'] as const
  ).map(name => fieldColumn(name))
  const address = URL.createObjectURL(
    new Blob([formatTable<(typeof rows)[number]>(columns, rows, 'csv')], { type: 'text/csv' }),
  )
  const link = Object.assign(document.createElement('a'), { href: address, download: 'slice.csv' })
  link.click()
  URL.revokeObjectURL(address)
}
