import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { imagenetNames } from '../datasets/imagenet.ts'
import { GeogapError } from '../errors.ts'
import { shown } from './tensors.ts'
import { type ModelSpec, type ReadyModel } from './spec.ts'

export interface Readied {
  model: ReadyModel
  /** SHA-256 of every weight file. */
  hashes: string[]
  /** Bytes of all weight files. */
  bytes: number
}

/** Puts a model's weights on this machine and hashes them. */
export async function readyModel(spec: ModelSpec): Promise<Readied> {
  const files = await weightFiles(spec)
  const hashes: string[] = []
  let bytes = 0
  for (const file of files) {
    const found = await stat(file).catch(() => undefined)
    if (!found?.isFile()) throw new GeogapError('input', 'no-weights-file', `no such weights file: ${shown(file, 300)}`)
    bytes += found.size
    hashes.push(await fileHash(file))
  }
  const classes = spec.classes === 'imagenet-1k' ? imagenetNames.length : spec.classes.length
  return { model: { name: spec.name, architecture: spec.architecture, classes, files }, hashes, bytes }
}

function weightFiles({ name, weights }: ModelSpec): Promise<readonly string[]> {
  if (weights.from === 'files') return Promise.resolve(weights.files)
  throw new GeogapError('weights', 'no-weights', `no weights for ${name}: give them with --weights FILE`)
}

async function fileHash(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}
