import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { imagenetNames } from '../datasets/imagenet.ts'
import { GeogapError } from '../errors.ts'
import { downloadUrl } from './download.ts'
import { hubFile } from './hub.ts'
import { shown } from './tensors.ts'
import { type Progress } from './transfer/transfer.ts'
import { type ModelSpec, type ReadyModel } from './spec.ts'

export interface Readied {
  model: ReadyModel
  /** SHA-256 of every weight file. */
  hashes: string[]
  /** Bytes of all weight files. */
  bytes: number
}

/** Puts a model's weights on this machine and hashes them. */
export async function readyModel(spec: ModelSpec, progress?: Progress): Promise<Readied> {
  const files = await weightFiles(spec, progress)
  const hashes: string[] = []
  let bytes = 0
  for (const file of files) {
    const found = await stat(file).catch(() => undefined)
    if (!found?.isFile()) throw new GeogapError('input', 'no-weights-file', `no such weights file: ${shown(file, 300)}`)
    bytes += found.size
    hashes.push(await fileHash(file))
  }
  return {
    model: { name: spec.name, architecture: spec.architecture, classes: classCount(spec), files },
    hashes,
    bytes,
  }
}

function classCount({ classes }: ModelSpec): number {
  if (classes === 'imagenet-1k') return imagenetNames.length
  return classes === 'zero-shot' ? 0 : classes.length
}

/** The weight files on this machine, downloaded into the hub cache where they are not there yet. */
async function weightFiles({ weights }: ModelSpec, progress?: Progress): Promise<readonly string[]> {
  if (weights.from === 'files') return weights.files
  const options = progress ? { progress } : {}
  if (weights.from === 'url') {
    const { url, sha256 } = weights
    return [(await downloadUrl(url, { ...options, ...(sha256 === undefined ? {} : { sha256 }) })).path]
  }
  const { repo, file, revision } = weights
  return [(await hubFile({ repo, file, ...(revision === undefined ? {} : { revision }) }, options)).path]
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
