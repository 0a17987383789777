/*
 * Embeddings of texts, kept in the cache of this machine: one folder for each text tower, with files of rows that are found by
 * their text. Every list of classes, prompt and language shares them. All of it may be deleted at any time; a file whose content
 * does not match the hash in its name is deleted, and its texts are embedded again.
 */
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { orIfMissing, writeAtomically, writeFully } from '../../lib/files.ts'
import { sha256 } from '../../lib/hash.ts'
import { geogapCache } from '../../lib/hub/hubCache.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { runtimeVersion } from '../../lib/onnx/engine.ts'
import { asBytes } from '../../lib/tensors/tensors.ts'
import { version } from '../../lib/version.ts'

/** Unit embeddings by their texts, all of one width. */
export type TextEmbeddings = Map<string, Float32Array>

/** Returns the folder of the cache that has a folder for each text tower. */
export const textEmbeddingsFolder = (): string => join(geogapCache(), 'texts')

/** What an embedding depends on beside its text. */
export interface TextTowerIdentity {
  /** One file of weights may serve two architectures, with the plain and the quick GELU. */
  architecture: string
  /** SHA-256 of the weight files, and the use of a foreign graph. */
  hashes: readonly string[]
  /** Path of `tokenizer.json`. */
  tokenizer: string
}

/** Returns the folder below `folder` for the embeddings of a tower, as this version computes them. */
export async function towerFolder(
  folder: string,
  { architecture, hashes, tokenizer }: TextTowerIdentity,
): Promise<string> {
  const by = [version, runtimeVersion()]
  const content = JSON.stringify([architecture, hashes, await hashFile(tokenizer, 'sha256'), by])
  return join(folder, sha256(content, 32))
}

const ending = '.rows'

/** Reads the kept embeddings of those of the texts that have one. Damaged files are deleted. */
export async function readTextEmbeddings(
  folder: string,
  texts: ReadonlySet<string>,
): Promise<TextEmbeddings> {
  const found: TextEmbeddings = new Map()
  for (const name of (await orIfMissing(readdir(folder), [])).sort()) {
    if (!name.endsWith(ending) || found.size === texts.size) continue
    const file = join(folder, name)
    const bytes = await orIfMissing(readFile(file), undefined)
    if (!bytes) continue
    if (name === `${sha256(bytes, 32)}${ending}`) addRows(found, bytes, texts)
    else await rm(file, { force: true }).catch(() => undefined)
  }
  return found
}

/** Adds the rows of a file: a line of JSON with the texts, then float32 values, a row for each text. */
function addRows(found: TextEmbeddings, bytes: Buffer, texts: ReadonlySet<string>): void {
  const end = bytes.indexOf('\n')
  const named = JSON.parse(bytes.toString('utf8', 0, end)) as string[]
  const values = new Float32Array(Uint8Array.from(bytes.subarray(end + 1)).buffer)
  const width = values.length / named.length
  for (const [i, text] of named.entries())
    if (texts.has(text)) found.set(text, values.subarray(i * width, (i + 1) * width))
}

/** Keeps embeddings; a cache that cannot be written costs time and nothing else. */
export async function keepTextEmbeddings(folder: string, rows: TextEmbeddings): Promise<void> {
  const header = Buffer.from(`${JSON.stringify([...rows.keys()])}\n`)
  const bytes = Buffer.concat([header, ...[...rows.values()].map(asBytes)])
  try {
    await mkdir(folder, { recursive: true })
    const file = join(folder, `${sha256(bytes, 32)}${ending}`)
    await writeAtomically(file, handle => writeFully(handle, bytes))
  } catch {
    return
  }
}
