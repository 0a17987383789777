import { type ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { fieldColumn } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { groupFilter } from '../../analysis/datasetCounts.ts'
import { type GalleryItem, type GalleryPage, outcomes, pageSize } from '../pages.ts'
import { type DatasetFact, type Overview } from '../views.ts'
import { type ViewState, useView } from './useView.ts'
import {
  WhenLoaded,
  datasetOf,
  DatasetSelect,
  Filters,
  saveFile,
  Select,
  wholeNumberText,
} from './parts.tsx'
import { PhotographTile, PictureDialog } from './picture.tsx'
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
        <Filters overview={overview} route={route} dataset={dataset} />
        <Select route={route} name="outcome" label="answers" value={outcome} options={outcomes} />
      </form>
      <p>
        <a href={linkTo('model', query)}>Back to the accuracy of {model}</a>
      </p>
      <ImageGrid
        view={view}
        route={route}
        dataset={dataset}
        names={overview.names}
        query={query}
        other={dataset.models.find(other => other !== model)}
      />
    </>
  )
}

interface ImageGridProps {
  names: Overview['names']
  /** The other model whose answer is shown beside an opened image's, and the query of the page. */
  other?: string | undefined
  query: Readonly<Record<string, string>>
  view: ViewState<GalleryPage>
  route: Route
  dataset: DatasetFact
}

/** A page of images that can be selected and saved, the most confident answers first. */
export function ImageGrid({ view, route, dataset, names, other, query }: ImageGridProps) {
  const [opened, setOpened] = useState<GalleryItem | null>(null)
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
          <SliceButtons items={items} selected={selected} dataset={dataset} onSelect={select} />
          <ul class="gallery">
            {items.map(item => (
              <GalleryImage
                key={item.id}
                item={item}
                names={names}
                onOpen={() => setOpened(item)}
                selected={selected.has(item.id)}
                onSelect={on => select([item], on)}
              />
            ))}
          </ul>
          <Pagination route={route} total={total} />
          {opened && (
            <PictureDialog
              item={opened}
              query={query}
              other={other}
              names={names}
              onClose={() => setOpened(null)}
            />
          )}
        </>
      )}
    </WhenLoaded>
  )
}

interface SliceButtonsProps {
  items: readonly GalleryItem[]
  selected: ReadonlyMap<string, GalleryItem>
  dataset: DatasetFact
  onSelect: (items: readonly GalleryItem[], on: boolean) => void
}

const SliceButtons = ({ items, selected, dataset, onSelect }: SliceButtonsProps) => (
  <p class="tools">
    <button
      type="button"
      disabled={items.length === 0}
      onClick={() => onSelect(items, !items.every(({ id }) => selected.has(id)))}
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
)

interface GalleryImageProps {
  item: GalleryItem
  names: Overview['names']
  selected: boolean
  onOpen: () => void
  onSelect: (on: boolean) => void
}

function GalleryImage({ item, names, selected, onOpen, onSelect }: GalleryImageProps) {
  return (
    <li>
      <PhotographTile item={item} names={names} onOpen={onOpen} />
      <label class="check" title={item.id}>
        <input
          type="checkbox"
          checked={selected}
          aria-label={`Select ${item.id}`}
          onChange={event => onSelect(event.currentTarget.checked)}
        />
      </label>
    </li>
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
  saveFile('slice.csv', formatTable<(typeof rows)[number]>(columns, rows, 'csv'))
}
