/** Answers the views' questions from the files of a bundle, as the server does from its store. */
import { type BundledAnswers, type BundledCounts, type BundledImages } from '../bundle.ts'
import {
  type DatasetCounts,
  type Dimension,
  dimensions,
  type GroupFilter,
  groupFilter,
  type ModelCounts,
} from '../../analysis/datasetCounts.ts'
import {
  type ModelAnswer,
  compareView,
  matchesFilter,
  type GalleryItem,
  type GalleryPage,
  modelView,
  type Overview,
  pageSize,
  type PairRow,
  scatterRows,
} from '../views.ts'
import { type ViewQuery, type ViewData } from './data.ts'

const loadedFiles = new Map<string, Promise<unknown>>()

function loadJson<T>(name: string): Promise<T> {
  const known =
    loadedFiles.get(name) ??
    fetch(`data/${name}.json`).then(
      response => response.json(),
      () => Promise.reject(new Error(`The file data/${name}.json cannot be read.`)),
    )
  loadedFiles.set(name, known)
  return known as Promise<T>
}

const viewLoaders: { [V in keyof ViewData]: (query: ViewQuery) => Promise<ViewData[V]> } = {
  overview: () => loadJson('overview'),
  progress: () => loadJson('progress'),
  cluster: () => Promise.reject(new Error('a bundle knows no queue')),
  scatter: async query =>
    scatterRows(await loadCounts(query['x']), await loadCounts(query['y']), groupFilter(query)),
  model: async query =>
    modelView(await loadCounts(query['dataset']), query['model']!, groupFilter(query)),
  gallery: async query => {
    const side = await loadSide(query['dataset'], query['model'])
    const { correct, status } = side.answers
    const kept: Record<string, (i: number) => boolean> = {
      all: () => true,
      right: i => correct[i] === true,
      wrong: i => correct[i] === false,
      failed: i => !['ok', 'no-accepted-class', null].includes(status[i]!),
    }
    return pageOf(
      [side],
      rowsOf(side.images, groupFilter(query)).filter(kept[query['outcome'] ?? 'wrong']!),
      query,
    )
  },
  flips: async query => {
    const sides = await loadSides(query)
    const right = query['change'] === 'gained' ? 1 : 0
    const rows = rowsOf(sides[0].images, groupFilter(query)).filter(
      i =>
        sides[right].answers.correct[i] === true && sides[1 - right]!.answers.correct[i] === false,
    )
    return pageOf(sides, rows, query)
  },
  compare: async query =>
    compareView(
      pairRows(await loadSides(query)),
      dimensions.find(name => name === query['by']) ?? 'region',
      groupFilter(query),
    ),
}

export const loadFromFiles = <V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
): Promise<ViewData[V]> => viewLoaders[view](query)

async function findPosition(
  dataset: string | undefined,
  model?: string,
): Promise<[number, number]> {
  const { datasets } = await loadJson<Overview>('overview')
  const d = datasets.findIndex(({ name }) => name === dataset)
  if (d < 0) throw new Error(`unknown data set: ${dataset ?? ''}`)
  const m = model === undefined ? 0 : datasets[d]!.models.indexOf(model)
  if (m < 0) throw new Error(`unknown model: ${model ?? ''}`)
  return [d, m]
}

async function loadCounts(dataset: string | undefined): Promise<DatasetCounts> {
  const [d] = await findPosition(dataset)
  const { values, codes, counts, models } = await loadJson<BundledCounts>(`${d}/cube`)
  const full = ({ n, top1, top5, errors }: Record<keyof ModelCounts, number>): ModelCounts => ({
    ...{ n: counts[n]!, top1: counts[top1]!, top5: counts[top5]!, errors: counts[errors]! },
  })
  return {
    values,
    codes,
    models: new Map(Object.entries(models).map(([name, places]) => [name, full(places)])),
  }
}

/** One model's answers with the images that they are about. */
interface ModelSide {
  model: string
  answers: BundledAnswers
  images: BundledImages
  /** In the order of the answers; null where there is none. */
  accepted: (number[] | null)[]
}

async function loadSide(
  dataset: string | undefined,
  model: string | undefined,
): Promise<ModelSide> {
  const [d, m] = await findPosition(dataset, model ?? '')
  const answers = await loadJson<BundledAnswers>(`${d}/${m}`)
  const images = await loadJson<BundledImages>(answers.images)
  return { model: model!, answers, images, accepted: images.accepted }
}

/** Two models, the second's answers in the order of the first's images. */
async function loadSides({ dataset, first, second }: ViewQuery): Promise<[ModelSide, ModelSide]> {
  const [a, b] = [await loadSide(dataset, first), await loadSide(dataset, second)]
  if (a.images === b.images) return [a, b]
  const at = new Map(b.images.id.map((id, i) => [id, i]))
  const places = a.images.id.map(id => at.get(id))
  const moved = <T>(list: readonly T[]): (T | null)[] =>
    places.map(i => (i === undefined ? null : list[i]!))
  const { images, correct, status, top, p } = b.answers
  const answers = {
    images,
    correct: moved(correct),
    status: moved(status),
    top: moved(top),
    p: moved(p),
  }
  return [a, { ...b, answers, accepted: moved(b.accepted) }]
}

const rowsOf = (images: BundledImages, filter: GroupFilter): number[] =>
  images.id.flatMap((_, i) => (matchesFilter(groupsOf(images, i), filter) ? [i] : []))

function pairRows([first, second]: [ModelSide, ModelSide]): PairRow[] {
  return first.images.id.flatMap((_, i): PairRow[] => {
    const [a, b] = [first.answers.correct[i], second.answers.correct[i]]
    if (typeof a !== 'boolean' || typeof b !== 'boolean') return []
    const counts = {
      both: Number(a && b),
      onlyFirst: Number(a && !b),
      onlySecond: Number(b && !a),
      neither: Number(!a && !b),
    }
    return [
      { ...counts, ...groupsOf(first.images, i), cluster: first.images.household?.[i] ?? null },
    ]
  })
}

const groupsOf = (images: BundledImages, i: number): Record<Dimension, string | null> => ({
  ...{
    region: images.region[i]!,
    country: images.country[i]!,
    income: images.income[i]!,
    label: images.label[i]!,
  },
})

/** The most confident answers of the first model first. */
function pageOf(
  sides: readonly ModelSide[],
  rows: readonly number[],
  query: ViewQuery,
): GalleryPage {
  const { answers, images } = sides[0]!
  const confidence = (i: number): number => answers.p[i]?.[0] ?? -1
  const sorted = rows.toSorted((a, b) => confidence(b) - confidence(a) || a - b)
  const start = pageSize * Number(query['page'] ?? 0)
  const items = sorted.slice(start, start + pageSize).map((i): GalleryItem => ({
    ...{ id: images.id[i]!, ...groupsOf(images, i), label: images.label[i] ?? '' },
    accepted: images.accepted[i]!.map(index => images.classes[index] ?? `class ${index}`),
    status: answers.status[i] ?? 'not evaluated',
    answers: sides.map(side => answerOf(side, i)),
    image: images.pictures ? `data/${answers.images}/${i}.webp` : null,
  }))
  return { total: rows.length, items }
}

const answerOf = (
  { model, answers: { correct, top, p }, images: { classes }, accepted }: ModelSide,
  i: number,
): ModelAnswer => ({
  model,
  correct: correct[i] ?? null,
  top: (top[i] ?? []).map((index, k) => ({
    ...{ label: classes[index] ?? `class ${index}`, p: (p[i]?.[k] ?? 0) / 1000 },
    accepted: accepted[i]?.includes(index) ?? false,
  })),
})
