/** Computes the data of each view from the data files. */
import type { ClusterState } from '../../evaluate/queue/queue.ts'
import {
  byCountName,
  byMomentName,
  type DatasetCounts,
  dimensions,
  groupFilter,
} from '../../analysis/datasetCounts.ts'
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
  type ModelAnswers,
  outcomePositions,
  outcomes,
  pageOf,
} from '../pages.ts'
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
  model: ModelView
  gallery: GalleryPage
  flips: GalleryPage
  compare: CompareView
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
  const image = (position: number) => thumbnailAddress(first!.files, first!.answers, position)
  return { total: positions.length, items: galleryItems(answers, shown, { counts, rows, image }) }
}

/** Returns the data of a view. Errors are for the reader of the page. */
export const loadView = <V extends keyof ViewData>(
  view: V,
  query: ViewQuery,
): Promise<ViewData[V]> => viewLoaders[view](query)
