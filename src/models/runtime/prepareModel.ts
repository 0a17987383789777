import { stat } from 'node:fs/promises'
import { imagenetNames } from '../../datasets/labels/imagenet.ts'
import { GeogapError, quoteForMessage, inputError, weightsError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { localFile } from '../../lib/storage/localFile.ts'
import { downloadUrl } from '../../lib/hub/urlDownload.ts'
import { modelCost } from '../modelCost.ts'
import { describeHead, headListOf } from '../headClasses.ts'
import { loadHead } from './head.ts'
import {
  eitherHubFile,
  findHubFile,
  hubFile,
  type HubOptions,
  type HubSource,
} from '../../lib/hub/hub.ts'
import { fetchHubGraph } from '../onnx/hubGraph.ts'
import { bindTextTower, describeTextTower, type TextTowerFiles } from '../onnx/textTower.ts'
import { describeUse, bindGraphUse } from '../onnx/bindGraphUse.ts'
import { shardFiles } from '../../lib/tensors/shards.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { type DownloadProgress } from '../../lib/hub/resumableDownload.ts'
import {
  type BoundTextTower,
  type LocalModel,
  type ModelSpec,
  type ForeignTextTower,
  type TrainedHead,
  type WeightSource,
} from '../spec.ts'

/** A model whose weights are on this machine and hashed, with its cost. */
export interface PreparedModel {
  spec: ModelSpec
  /** The part that worker processes get. */
  model: LocalModel
  /** SHA-256 of every weight file, and for a foreign graph a line about its use. */
  hashes: string[]
  /** Bytes of all weight files. */
  bytes: number
  /** For one image. */
  multiplyAdds: number
}

/** Brings a model's weights to this machine and hashes them. */
export async function prepareModel(
  spec: ModelSpec,
  progress?: DownloadProgress,
): Promise<PreparedModel> {
  const given = await weightFiles(spec, progress)
  const admitted = spec.graph && (await bindGraphUse(spec, spec.graph, given[0]!))
  const texts = spec.text && (await admitTextTower(spec, spec.text, admitted?.width))
  const files = [...(admitted?.files ?? given), ...(texts?.files ?? [])]
  const hashes: string[] = []
  let bytes = 0
  for (const file of files) {
    const found = await orIfMissing(stat(file), undefined)
    if (!found?.isFile())
      throw inputError('no-weights-file', `no such weights file: ${quoteForMessage(file, 300)}`)
    bytes += found.size
    hashes.push(await hashFile(file, 'sha256'))
  }
  if (admitted) hashes.push(describeUse(admitted.graph))
  if (texts) hashes.push(describeTextTower(texts.text))
  const { name, architecture, head } = spec
  const list = spec.headClasses === undefined ? undefined : headListOf(spec.headClasses)
  const classes = list?.classes ?? classCount(head ? head.base : spec.classes)
  const model: LocalModel = { name, architecture, classes, files }
  if (list) model.picksImagenet = true
  if (list) hashes.push(describeHead(list))
  if (admitted) model.graph = admitted.graph
  if (texts) model.text = texts.text
  if (spec.sizeOf !== undefined) model.resizePositions = true
  if (head) model.headFile = head.file
  if (head) hashes.push(await admitHead(spec, head, hashes))
  const { multiplyAdds } = spec.graph ? { multiplyAdds: 50 * bytes } : modelCost(spec)
  return { spec, model, hashes, bytes, multiplyAdds }
}

/** Brings a text tower to this machine and compares it with the image tower. @throws GeogapError `graph-mismatch` */
async function admitTextTower(
  { name, weights }: ModelSpec,
  tower: ForeignTextTower,
  imageWidth: number | undefined,
): Promise<{ files: string[]; text: BoundTextTower }> {
  const bound = await bindTextTower(name, tower, await textTowerFiles(weights, tower))
  const { width } = bound.text
  if (width !== undefined && imageWidth !== undefined && width !== imageWidth)
    throw weightsError(
      'graph-mismatch',
      `${name}: embeddings of texts have ${width} values, those of images ${imageWidth}; a projection is missing in one of the files`,
    )
  return bound
}

async function textTowerFiles(
  weights: WeightSource,
  tower: ForeignTextTower,
): Promise<TextTowerFiles> {
  const { file, tokenizer, tokenizerConfig } = tower
  if (weights.from !== 'hub') return { graph: file, tokenizer, tokenizerConfig }
  const config =
    tokenizerConfig === undefined
      ? undefined
      : await findHubFile({ ...weights, file: tokenizerConfig })
  return {
    graph: await fetchHubGraph({ ...weights, file }, {}),
    tokenizer: (await hubFile({ ...weights, file: tokenizer })).path,
    tokenizerConfig: config?.path,
  }
}

/** Returns the hash of a head that fits its model. @throws GeogapError `other-weights`, `weights-mismatch`, `no-head` */
async function admitHead(
  spec: ModelSpec,
  { file, weights }: TrainedHead,
  hashes: readonly string[],
): Promise<string> {
  if (weights && weights.join() !== hashes.join())
    throw weightsError('other-weights', `${spec.name} was trained on features of other weights`)
  const found = (await loadHead(file)).classes
  if (found === classCount(spec.classes)) return hashFile(file, 'sha256')
  const message = `the head of ${spec.name} has ${found} classes, ${classCount(spec.classes)} are named`
  throw weightsError('weights-mismatch', message)
}

function classCount(classes: ModelSpec['classes']): number {
  if (classes === 'imagenet-1k') return imagenetNames.length
  return classes === 'zero-shot' ? 0 : classes.length
}

const filesOf = async (file: string): Promise<string[]> => shardFiles(await localFile(file))

/** Returns the weight files, downloaded into the hub cache if they are not on this machine. */
async function weightFiles(
  { name, weights, graph }: ModelSpec,
  progress?: DownloadProgress,
): Promise<readonly string[]> {
  const options = progress ? { progress } : {}
  switch (weights.from) {
    case 'files':
      return (await Promise.all(weights.files.map(filesOf))).flat()
    case 'hub':
      if (graph) return [await eitherHubGraph(weights, options)]
      return [(await eitherHubFile(weights, alternativeFile(weights), options)).path]
    case 'url': {
      const files: string[] = []
      for (const { url, ...hash } of weights.files) {
        files.push((await downloadUrl(url, { ...options, ...hash, page: weights.page })).path)
      }
      return files
    }
    case 'hand':
      throw weightsError(
        'no-weights',
        `no program can download ${name}: get ${weights.file} from ${weights.page} and give it with --weights FILE`,
      )
  }
}

/** Returns the graph of a repository, or the other one where it has none of that name. */
const eitherHubGraph = (
  weights: Extract<WeightSource, { from: 'hub' }>,
  options: HubOptions,
): Promise<string> =>
  fetchHubGraph(weights, options).catch(async (error: unknown) => {
    const other = alternativeFile(weights)
    const isAbsent = error instanceof GeogapError && /^hub-(not-found|offline)$/.test(error.code)
    if (!isAbsent) throw error
    const found = other && (await fetchHubGraph(other, options).catch(() => undefined))
    if (found !== undefined) return found
    throw inputError(
      error.code,
      `${error.message}; name another graph as hf:${weights.repo}:FILE.onnx`,
      error,
    )
  })

/** Returns the file that older repositories have instead. */
const alternativeFile = (source: Extract<WeightSource, { from: 'hub' }>): HubSource | undefined =>
  source.otherwise === undefined ? undefined : { ...source, file: source.otherwise }
