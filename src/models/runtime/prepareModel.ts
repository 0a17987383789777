import { stat } from 'node:fs/promises'
import { imagenetNames } from '../../datasets/labels/imagenet.ts'
import { quoteForMessage, inputError, weightsError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { localFile } from '../../lib/storage/localFile.ts'
import { downloadUrl } from '../../lib/hub/download.ts'
import { modelCost } from '../cost.ts'
import { loadHead } from './head.ts'
import { eitherHubFile, type HubSource } from '../../lib/hub/hub.ts'
import { fetchHubGraph } from '../onnx/hubGraph.ts'
import { describeUse, bindGraphUse } from '../onnx/use.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { type DownloadProgress } from '../../lib/hub/transfer.ts'
import { type ModelSpec, type TrainedHead, type LocalModel, type WeightSource } from '../spec.ts'

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
  const files = admitted?.files ?? given
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
  const { name, architecture, head } = spec
  const classes = classCount(head ? head.base : spec.classes)
  const model: LocalModel = { name, architecture, classes, files }
  if (admitted) model.graph = admitted.graph
  if (spec.sizeOf !== undefined) model.resizePositions = true
  if (head) model.headFile = head.file
  if (head) hashes.push(await admitHead(spec, head, hashes))
  const { multiplyAdds } = spec.graph ? { multiplyAdds: 50 * bytes } : modelCost(spec)
  return { spec, model, hashes, bytes, multiplyAdds }
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

/** Returns the weight files, downloaded into the hub cache if they are not on this machine. */
async function weightFiles(
  { name, weights, graph }: ModelSpec,
  progress?: DownloadProgress,
): Promise<readonly string[]> {
  const options = progress ? { progress } : {}
  switch (weights.from) {
    case 'files':
      return Promise.all(weights.files.map(localFile))
    case 'hub':
      if (graph) return [await fetchHubGraph(weights, options)]
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

/** Returns the file that older repositories have instead. */
const alternativeFile = (source: Extract<WeightSource, { from: 'hub' }>): HubSource | undefined =>
  source.otherwise === undefined ? undefined : { ...source, file: source.otherwise }
