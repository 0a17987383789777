/** The dashboard's data files: `geogap serve` answers with them and `geogap report --bundle` writes them. */
import {
  byCountName,
  byMomentName,
  type CellMomentColumns,
  type DatasetCounts,
  type ModelCounts,
} from '../analysis/datasetCounts.ts'
import { imageListName, readImageList, readOutcomes } from './answers.ts'
import { evaluationStateOf } from './growingCounts.ts'
import { type InferredDisparity } from '../metrics/disparityInference.ts'
import { countByHousehold } from '../results/households.ts'
import { type StoredEvaluation } from '../results/storedEvaluations.ts'
import { disparityEnding, modelDisparity, placeDimension } from './screen.ts'
import { type DashboardStore } from './store.ts'

/** A data set's counts. Models name their columns by position, because most of them share `n` and `errors`. */
export interface CountsFile extends Pick<DatasetCounts, 'values' | 'codes' | 'isClustered'> {
  columns: (readonly number[])[]
  models: Record<string, ModelColumns>
}

/** Positions of a model's columns. */
interface ModelColumns extends Record<Exclude<keyof ModelCounts, 'households'>, number> {
  households: Record<keyof CellMomentColumns, number> | null
}

export interface DataFile {
  /** Changes whenever the content of the file may change. */
  state: string
  read: () => unknown
}

/** Returns the data file of a name such as `overview`, `geode-1a2b3c4d/counts` or `geode-1a2b3c4d/resnet50-5e6f7a8b`. */
export function findDataFile(store: DashboardStore, name: string): DataFile | undefined {
  const revision = String(store.revision())
  if (name === 'overview') return { state: revision, read: store.overview }
  if (name === 'progress') return { state: revision, read: store.progress }
  const [folder, file] = name.split('/')
  const { datasets, models } = store.overview()
  const dataset = datasets.find(known => known.folder === folder)
  if (!dataset) return undefined
  const evaluations = [...store.evaluations(dataset.name).values()]
  if (file === 'counts')
    return {
      state: evaluations.map(evaluationStateOf).join(),
      read: () => countsFile(store.counts(dataset.name)),
    }
  const content = imageLists(store, dataset.name).get(file ?? '')
  if (content !== undefined)
    return { state: file!, read: () => readImageList(store, dataset.name, content) }
  const [own, kind] = file?.endsWith(disparityEnding)
    ? [file.slice(0, -disparityEnding.length), 'disparity']
    : [file, 'outcomes']
  const model = models.find(known => known.file === own)?.name
  const evaluation = evaluations.find(({ identity }) => identity.model === model)
  if (!evaluation) return undefined
  if (kind === 'disparity')
    return {
      state: evaluationStateOf(evaluation),
      read: () => householdDisparity(store, dataset.name, evaluation),
    }
  const images = imageListName(store, dataset.name, evaluation.identity.content)
  return {
    state: `${evaluationStateOf(evaluation)} ${images}`,
    read: () => readOutcomes(store, dataset.name, evaluation.identity.model),
  }
}

/** Returns a model's disparity between the places of a data set, with its interval over households. */
async function householdDisparity(
  store: DashboardStore,
  dataset: string,
  evaluation: StoredEvaluation,
): Promise<InferredDisparity | null> {
  const counts = store.counts(dataset)
  const by = placeDimension(counts)
  const entries = [...store.evaluations(dataset).values()]
  const clusters = by && (await countByHousehold(evaluation, by, entries))
  return modelDisparity(counts, evaluation.identity.model, { clusters })
}

/** Returns the hash of the content of each image list of a data set, by the name of its file. */
export function imageLists(store: DashboardStore, dataset: string): Map<string, string> {
  const contents = [...store.evaluations(dataset).values()].map(({ identity }) => identity.content)
  return new Map(
    [...new Set(contents)].map(content => [imageListName(store, dataset, content), content]),
  )
}

function countsFile({ values, codes, models, isClustered }: DatasetCounts): CountsFile {
  const columns: number[][] = []
  const positions = new Map<string, number>()
  const positionOf = (column: ArrayLike<number>): number => {
    const list = Array.from(column)
    const key = list.join(' ')
    const position = positions.get(key) ?? columns.push(list) - 1
    positions.set(key, position)
    return position
  }
  const positionsByModel = [...models].map(
    ([model, { households, ...counts }]) =>
      [
        model,
        {
          ...byCountName(name => positionOf(counts[name])),
          households: households && byMomentName(name => positionOf(households[name])),
        },
      ] as const,
  )
  return { values, codes, isClustered, columns, models: Object.fromEntries(positionsByModel) }
}
