import { stat } from 'node:fs/promises'
import { imagenetNames } from '../../datasets/labels/imagenet.ts'
import { GeogapError, shown } from '../../lib/errors.ts'
import { whereThere } from '../../lib/files.ts'
import { localFile } from '../../lib/storage/localFile.ts'
import { downloadUrl } from '../../lib/hub/download.ts'
import { loadHead } from './head.ts'
import { eitherHubFile, type HubSource } from '../../lib/hub/hub.ts'
import { hubGraph } from '../onnx/hubGraph.ts'
import { describeUse, readyGraph } from '../onnx/use.ts'
import { hashFile } from '../../lib/hub/hash.ts'
import { type Progress } from '../../lib/hub/transfer.ts'
import { type ModelSpec, type OwnHead, type ReadyModel, type WeightSource } from '../spec.ts'

export interface Readied {
  model: ReadyModel
  /** SHA-256 of every weight file; of a graph made elsewhere also how it is used. */
  hashes: string[]
  /** Bytes of all weight files. */
  bytes: number
}

/** Puts a model's weights on this machine and hashes them. */
export async function readyModel(spec: ModelSpec, progress?: Progress): Promise<Readied> {
  const given = await weightFiles(spec, progress)
  const admitted = spec.graph && (await readyGraph(spec, spec.graph, given[0]!))
  const files = admitted?.files ?? given
  const hashes: string[] = []
  let bytes = 0
  for (const file of files) {
    const found = await whereThere(stat(file), undefined)
    if (!found?.isFile()) throw new GeogapError('input', 'no-weights-file', `no such weights file: ${shown(file, 300)}`)
    bytes += found.size
    hashes.push(await hashFile(file, 'sha256'))
  }
  if (admitted) hashes.push(describeUse(admitted.graph))
  const { name, architecture, head } = spec
  const classes = classCount(head ? head.base : spec.classes)
  const graph = admitted && { graph: admitted.graph }
  const model: ReadyModel = { name, architecture, classes, files, ...graph, ...(head && { head: head.file }) }
  if (head) hashes.push(await admitHead(spec, head, hashes))
  return { model, hashes, bytes }
}

/** The hash of a head that fits its model. Errors: other-weights, weights-mismatch, no-head. */
async function admitHead(spec: ModelSpec, { file, weights }: OwnHead, hashes: readonly string[]): Promise<string> {
  if (weights && weights.join() !== hashes.join())
    throw new GeogapError('weights', 'other-weights', `${spec.name} was trained on features of other weights`)
  const found = (await loadHead(file)).classes
  if (found === classCount(spec.classes)) return hashFile(file, 'sha256')
  const message = `the head of ${spec.name} has ${found} classes, ${classCount(spec.classes)} are named`
  throw new GeogapError('weights', 'weights-mismatch', message)
}

function classCount(classes: ModelSpec['classes']): number {
  if (classes === 'imagenet-1k') return imagenetNames.length
  return classes === 'zero-shot' ? 0 : classes.length
}

/** The weight files on this machine, downloaded into the hub cache where they are not there yet. */
async function weightFiles({ name, weights, graph }: ModelSpec, progress?: Progress): Promise<readonly string[]> {
  const options = progress ? { progress } : {}
  switch (weights.from) {
    case 'files':
      return Promise.all(weights.files.map(localFile))
    case 'hub':
      if (graph) return [await hubGraph(weights, options)]
      return [(await eitherHubFile(weights, otherFile(weights), options)).path]
    case 'url': {
      const files: string[] = []
      for (const { url, ...hash } of weights.files) {
        files.push((await downloadUrl(url, { ...options, ...hash, page: weights.page })).path)
      }
      return files
    }
    case 'hand':
      throw new GeogapError(
        'weights',
        'no-weights',
        `no program can download ${name}: get ${weights.file} from ${weights.page} and give it with --weights FILE`,
      )
  }
}

/** The file that older repositories have instead. */
const otherFile = (source: Extract<WeightSource, { from: 'hub' }>): HubSource | undefined =>
  source.otherwise === undefined ? undefined : { ...source, file: source.otherwise }
