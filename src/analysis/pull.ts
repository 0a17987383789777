import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileReadError } from '../datasets/files.ts'
import { inputError } from '../lib/errors.ts'
import { downloadBytes } from '../lib/hub/urlDownload.ts'
import { writeOutput } from '../lib/files.ts'
import { bytesText, countText, stripControlCharacters } from '../lib/table/text.ts'
import { distinctFieldValues } from '../results/storedEvaluations.ts'
import { sha256 } from '../lib/hash.ts'
import { parsePack } from './pack.ts'

/** Largest size of a downloaded pack. */
const maxPackBytes = 256 * 1024 * 1024

/**
 * Copies a pack to `output` after checking it, and returns a text with its content.
 * Errors: missing-file, unknown-pack, bad-pack, not-downloaded.
 */
export async function pullPack(source: string, output?: string): Promise<string> {
  const remote = /^https?:\/\//.test(source)
  const bytes = remote ? await downloadBytes(source, maxPackBytes) : await readLocalPack(source)
  const { created, geogap, evaluations, terms } = await parsePack(bytes, source)
  const target = output ?? basename(remote ? new URL(source).pathname : source)
  if (target === '')
    throw inputError('bad-option', `${source} names no file: give one with --output`)
  await writeOutput(target, bytes)
  const models = distinctFieldValues(evaluations, 'model').length
  const lines = [
    `${target}: ${countText(models, 'model')}, ${countText(evaluations.length, 'evaluation')}, made ${created.slice(0, 10)} by geogap ${geogap}`,
    `${bytesText(bytes.length)}, SHA-256 ${sha256(bytes)}`,
    ...terms.map(({ dataset, terms }) => `${dataset}: ${terms}`),
  ]
  return `${lines.map(stripControlCharacters).join('\n')}\n`
}

const readLocalPack = (file: string): Promise<Buffer> =>
  readFile(file).catch((error: unknown) => {
    if (/^[\w-]+$/.test(file))
      throw inputError(
        'unknown-pack',
        `no pack goes by the name ${file}: none is published yet; give a file or an address`,
      )
    throw fileReadError(file, error)
  })
