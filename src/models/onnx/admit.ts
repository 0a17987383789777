/*
 * Decides, before ONNX Runtime opens a foreign graph, whether it only reads files beside it and only uses operators that
 * ONNX Runtime itself implements.
 */
import { lstat, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type GeogapError, quoteForMessage, weightsError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { inspectOnnx, type OnnxFacts } from './inspect.ts'

/** Operator domains that ONNX Runtime implements. */
const knownDomains: readonly string[] = ['', 'ai.onnx', 'ai.onnx.ml', 'com.microsoft']

export interface AdmittedOnnx extends OnnxFacts {
  /** The graph's real path, then the real paths of the files that hold its external data. */
  files: string[]
}

/**
 * Inspects a graph and refuses custom operators and external data that is not a plain file in the graph's own folder.
 * @throws GeogapError `bad-onnx`, `custom-operators`, `external-data`
 */
export async function admitOnnx(file: string): Promise<AdmittedOnnx> {
  const facts = inspectOnnx(file)
  const custom = facts.domains.filter(domain => !knownDomains.includes(domain))
  if (custom.length > 0)
    throw refusedOnnxError(
      'custom-operators',
      file,
      `operators of ${custom.map(name => quoteForMessage(name)).join(', ')}; known domains are ai.onnx, ai.onnx.ml and com.microsoft`,
    )
  const real = await realpath(file)
  const needed = new Map<string, number>()
  for (const { location, offset, length } of facts.external) {
    const end = offset + length
    if (!Number.isSafeInteger(end) || offset < 0 || length < 0)
      throw refusedOnnxError(
        'external-data',
        file,
        `external data ${quoteForMessage(location)} at bytes ${offset} to ${end}`,
      )
    needed.set(location, Math.max(end, needed.get(location) ?? 0))
  }
  const files = [real]
  for (const [location, bytes] of needed)
    files.push(
      await findExternalFile(dirname(real), { location, bytes }, why =>
        refusedOnnxError(
          'external-data',
          file,
          `external data ${quoteForMessage(location)} ${why}`,
        ),
      ),
    )
  return { ...facts, files }
}

const refusedOnnxError = (code: string, file: string, what: string): GeogapError =>
  weightsError(code, `refused ONNX file ${quoteForMessage(file, 300)}: ${what}`)

/** Follows a location below `folder` part by part, since a link anywhere in it may lead elsewhere. */
async function findExternalFile(
  folder: string,
  { location, bytes }: { location: string; bytes: number },
  refuse: (why: string) => GeogapError,
): Promise<string> {
  const parts = location.split('/')
  if (
    parts.some(part => part === '' || part === '.' || part === '..' || /[\\:*\p{Cc}]/u.test(part))
  )
    throw refuse("is not the name of a file in the graph's folder")
  let path = folder
  for (const [i, part] of parts.entries()) {
    path = join(path, part)
    const found = await orIfMissing(lstat(path), undefined)
    if (!found) throw refuse('is missing')
    if (found.isSymbolicLink()) throw refuse('is a link')
    const last = i === parts.length - 1
    if (last ? !found.isFile() : !found.isDirectory()) throw refuse('is not a plain file')
    if (last && found.size < bytes) throw refuse(`has ${found.size} bytes, ${bytes} are needed`)
  }
  return path
}
