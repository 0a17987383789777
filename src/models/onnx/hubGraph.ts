import { randomBytes } from 'node:crypto'
import { copyFile, link, mkdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, posix } from 'node:path'
import { quoteForMessage, weightsError } from '../../lib/errors.ts'
import { orIfMissing } from '../../lib/files.ts'
import { sha256 } from '../../lib/hash.ts'
import { hubFile, type HubOptions } from '../../lib/hub/hub.ts'
import { geogapCache } from '../../lib/hub/hubCache.ts'
import { inspectOnnx } from './inspect.ts'

/**
 * Downloads a repository's graph and returns its path. External data is linked (or copied) beside it in a folder of its own,
 * since the hub cache names files by their hashes.
 * @throws GeogapError `external-data`, and the errors of `hubFile`
 */
export async function fetchHubGraph(
  source: { repo: string; file: string; revision?: string },
  options: HubOptions,
): Promise<string> {
  const { path, commit } = await hubFile(source, options)
  const locations = [...new Set(inspectOnnx(path).external.map(({ location }) => location))]
  if (locations.length === 0) return path
  const parts = new Map([['model.onnx', await realpath(path)]])
  for (const location of locations) {
    if (
      parts.size > 1000 ||
      location === 'model.onnx' ||
      !/^[\w.-]+$/.test(location) ||
      /^\.+$/.test(location)
    )
      throw weightsError(
        'external-data',
        `refused ONNX file: external data ${quoteForMessage(location)}`,
      )
    const file = posix.join(posix.dirname(source.file), location)
    parts.set(
      location,
      await realpath((await hubFile({ ...source, revision: commit, file }, options)).path),
    )
  }
  return assembleFiles(parts, options)
}

async function assembleFiles(
  parts: ReadonlyMap<string, string>,
  { env }: HubOptions,
): Promise<string> {
  const key = sha256(JSON.stringify([...parts]), 32)
  const folder = join(geogapCache(env), 'graphs', key)
  if (await orIfMissing(stat(folder), undefined)) return join(folder, 'model.onnx')
  const temporary = `${folder}.${randomBytes(4).toString('hex')}.tmp`
  await mkdir(temporary, { recursive: true })
  try {
    for (const [name, blob] of parts)
      await link(blob, join(temporary, name)).catch(() => copyFile(blob, join(temporary, name)))
    await mkdir(dirname(folder), { recursive: true })
    await rename(temporary, folder).catch(async (error: unknown) => {
      if (!(await orIfMissing(stat(folder), undefined))) throw error
    })
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
  return join(folder, 'model.onnx')
}
