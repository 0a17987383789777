/** Computes the data of each view from the data files. */
import type { ClusterState } from '../../evaluate/queue/redis.ts'
import {
  byCountName,
  byMomentName,
  type DatasetCounts,
  dimensions,
  groupFilter,
} from '../../analysis/datasetCounts.ts'
import { type InferredDisparity } from '../../metrics/disparityInference.ts'
import { type ImageList, type ModelOutcomes } from '../answers.ts'
import { type CountsFile } from '../dataFiles.ts'
import {
  alignAnswers,
  changes,
  compareView,
  type CompareView,
  flipPositions,
  galleryItems,
  type GalleryPage,
  type ModelAnswer,
  modelAnswer,
  type ModelAnswers,
  outcomePositions,
  outcomes,
  pageOf,
} from '../pages.ts'
import {
  disparityEnding,
  modelDisparity,
  type Screen,
  screenView,
  withoutPlaces,
} from '../screen.ts'
import {
  type DashboardProgress,
  modelView,
  type ModelView,
  type Overview,
  type ScatterRow,
  scatterRows,
} from '../views.ts'
import {
  askServer,
  loadAnswers,
  loadFile,
  loadOnce,
  type ModelFiles,
  thumbnailAddress,
} from './data.ts'

export interface ViewData {
  overview: Overview
  progress: DashboardProgress
  cluster: ClusterState
  scatter: ScatterRow[]
  screen: Screen
  model: ModelView
  gallery: GalleryPage
  flips: GalleryPage
  compare: CompareView
  answer: ModelAnswer
  disparities: ReadonlyMap<string, InferredDisparity>
  /** By data set: the disparity of the best model where images come in households. */
  bestDisparities: ReadonlyMap<string, InferredDisparity>
}

export type ViewQuery = Readonly<Record<string, string>>

const viewLoaders: { [V in keyof ViewData]: (query: ViewQuery) => Promise<ViewData[V]> } = {
  overview: () => loadFile('overview'),
  progress: () => loadFile('progress'),
  cluster: () => askServer('cluster', {}),
  scatter: async query => {
    const x = await loadCounts(query['x'])
    const y = await loadCounts(query['y'])
    return scatterRows(x, y, groupFilter(query))
  },
  screen: async query => {
    const counts = await loadCounts(query['dataset'])
    const filter = groupFilter(query)
    const screen = screenView(counts, query['model'] ?? '', filter)
    return { ...screen, disparity: (await loadDisparity(counts, query)) ?? screen.disparity }
  },
  model: async query =>
    modelView(await loadCounts(query['dataset']), query['model'] ?? '', groupFilter(query)),
  gallery: async query => {
    const side = await loadSide(query['dataset'], query['model'])
    const { answers } = side
    const filtered = await loadFiltered(query)
    const outcome = outcomes.find(name => name === query['outcome']) ?? 'wrong'
    const request = { counts: filtered.counts, query, sides: [side], answers: [answers] }
    return loadPage(outcomePositions(answers, filtered, outcome), request)
  },
  flips: async query => {
    const sides = await loadPair(query)
    const answers = alignPair(sides)
    const filtered = await loadFiltered(query)
    const change = changes.find(name => name === query['change']) ?? 'lost'
    const request = { counts: filtered.counts, query, sides, answers }
    return loadPage(flipPositions(answers, filtered, change), request)
  },
  compare: async query => {
    const pair = alignPair(await loadPair(query))
    const by = dimensions.find(name => name === query['by']) ?? 'region'
    return compareView(pair, await loadFiltered(query), by)
  },
  disparities: async query => loadDisparities(await loadCounts(query['dataset']), query),
  bestDisparities: async () => {
    const { datasets } = await loadOnce<Overview>('overview')
    const found = await Promise.all(
      datasets.map(async ({ name, finding }): Promise<[string, InferredDisparity][]> => {
        if (finding?.disparity?.unit !== 'clusters') return []
        const { folder, file } = await findFiles(name, finding.best)
        const disparity = await loadFile<InferredDisparity | null>(
          `${folder}/${file}${disparityEnding}`,
        )
        return disparity ? [[name, disparity]] : []
      }),
    )
    return new Map(found.flat())
  },
  answer: async ({ dataset, model, id = '' }) => {
    const { files, answers } = await loadSide(dataset, model)
    const [row = null] = await loadAnswers(files, answers, [id])
    return modelAnswer(answers, row, answers.list.id.indexOf(id))
  },
}

/** Milliseconds of work after which clicks are let through. */
const turnMs = 20
let newestDisparities = 0

/** Computes the disparity of every model in turns between which the page answers; a newer call ends an older one. */
async function loadDisparities(
  counts: DatasetCounts,
  query: ViewQuery,
): Promise<ReadonlyMap<string, InferredDisparity>> {
  const call = ++newestDisparities
  // What the page shows at once goes first.
  await new Promise(resolve => setTimeout(resolve, 10 * turnMs))
  const found = new Map<string, InferredDisparity>()
  let start = performance.now()
  for (const model of counts.models.keys()) {
    const disparity =
      (await loadDisparity(counts, { ...query, model })) ??
      modelDisparity(counts, model, { filter: groupFilter(query) })
    if (disparity) found.set(model, disparity)
    if (performance.now() - start < turnMs) continue
    await new Promise(resolve => setTimeout(resolve, turnMs))
    if (call !== newestDisparities) break
    start = performance.now()
  }
  return found
}

/** Reads a model's disparity over households; null where images come in none, or where only some are asked for. */
async function loadDisparity(
  { isClustered }: DatasetCounts,
  query: ViewQuery,
): Promise<InferredDisparity | null> {
  const isWhole = Object.keys(withoutPlaces(groupFilter(query))).length === 0
  if (!isClustered || !isWhole) return null
  const { folder, file } = await findFiles(query['dataset'], query['model'])
  return loadFile<InferredDisparity | null>(`${folder}/${file}${disparityEnding}`)
}

async function findFiles(dataset = '', model?: string): Promise<ModelFiles> {
  const { datasets, models } = await loadOnce<Overview>('overview')
  const folder = datasets.find(({ name }) => name === dataset)?.folder
  if (folder === undefined) throw new Error(`unknown data set: ${dataset}`)
  const file = models.find(({ name }) => name === model)?.file ?? ''
  if (model !== undefined && file === '') throw new Error(`unknown model: ${model}`)
  return { dataset, folder, file }
}

async function loadCounts(dataset: string | undefined): Promise<DatasetCounts> {
  const { folder } = await findFiles(dataset)
  const { values, codes, isClustered, columns, models } = await loadFile<CountsFile>(
    `${folder}/counts`,
  )
  const counts = Object.entries(models).map(
    ([model, { households, ...positions }]) =>
      [
        model,
        {
          ...byCountName(name => columns[positions[name]]!),
          households: households && byMomentName(name => columns[households[name]]!),
        },
      ] as const,
  )
  return { values, codes, isClustered, models: new Map(counts) }
}

/** Reads the counts after the images, whose cells they then have. */
const loadFiltered = async (query: ViewQuery) => ({
  counts: await loadCounts(query['dataset']),
  filter: groupFilter(query),
})

/** One model's answers and where its data are. */
interface ModelSide {
  files: ModelFiles
  answers: ModelAnswers
}

async function loadSide(dataset: string | undefined, model = ''): Promise<ModelSide> {
  const files = await findFiles(dataset, model)
  const outcomes = await loadFile<ModelOutcomes>(`${files.folder}/${files.file}`)
  const list = await loadOnce<ImageList>(`${files.folder}/${outcomes.images}`)
  return { files, answers: { ...outcomes, model, list } }
}

const loadPair = ({ dataset, first, second }: ViewQuery): Promise<[ModelSide, ModelSide]> =>
  Promise.all([loadSide(dataset, first), loadSide(dataset, second)])

/** Returns the answers of two models in the order of the first model's images. */
const alignPair = ([first, second]: readonly [ModelSide, ModelSide]) =>
  [first.answers, alignAnswers(second.answers, first.answers.list)] as const

interface PageRequest {
  counts: DatasetCounts
  query: ViewQuery
  sides: readonly ModelSide[]
  answers: readonly ModelAnswers[]
}

/** Reads the answers of one page of images. */
async function loadPage(
  positions: readonly number[],
  { counts, query, sides, answers }: PageRequest,
): Promise<GalleryPage> {
  const [first] = sides
  const shown = pageOf(positions, Number(query['page'] ?? 0))
  const ids = shown.map(position => first!.answers.list.id[position]!)
  const rows = await Promise.all(sides.map(side => loadAnswers(side.files, side.answers, ids)))
  const image = (position: number, isLarge: boolean) =>
    thumbnailAddress(first!.files, first!.answers, { position, isLarge })
  return { total: positions.length, items: galleryItems(answers, shown, { counts, rows, image }) }
}

/** Returns the data of a view. Errors are for the reader of the page. */
export const loadView = <V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
): Promise<ViewData[V]> => viewLoaders[view](query)
