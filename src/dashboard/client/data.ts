/** Reads the dashboard's data files, from `geogap serve` or from a bundle, and asks the server's endpoints. */
import { type AnswerColumns, type AnswerRow } from '../answers.ts'
import { type ModelAnswers } from '../pages.ts'
import { pageOrigin } from './origin.ts'

const { base, isBundle } = pageOrigin

interface LoadedFile {
  etag: string | null
  value: unknown
}

const loadedFiles = new Map<string, LoadedFile>()
const pendingFiles = new Map<string, Promise<unknown>>()

/** Reads a data file. The files of a bundle are read once; a server is asked whether the file has changed. */
export function loadFile<T>(name: string): Promise<T> {
  const pending =
    pendingFiles.get(name) ?? revalidateFile(name).finally(() => pendingFiles.delete(name))
  pendingFiles.set(name, pending)
  return pending as Promise<T>
}

/** Reads a data file unless it was read before; for files that never change under their name. */
export const loadOnce = async <T>(name: string): Promise<T> =>
  loadedFiles.has(name) ? (loadedFiles.get(name)!.value as T) : loadFile<T>(name)

async function revalidateFile(name: string): Promise<unknown> {
  const known = loadedFiles.get(name)
  if (known && isBundle) return known.value
  const response = await request(`data/${name}.json`, known?.etag)
  if (known && response.status === 304) {
    // Chromium reports a response whose body is never read as an aborted request.
    await response.arrayBuffer()
    return known.value
  }
  const value: unknown = await response.json()
  loadedFiles.set(name, { etag: response.headers.get('etag'), value })
  return value
}

/** Asks one of the server's endpoints. */
export const askServer = async <T>(
  endpoint: string,
  query: Readonly<Record<string, string>>,
): Promise<T> =>
  (await request(`api/${endpoint}?${new URLSearchParams(query).toString()}`)).json() as Promise<T>

async function request(address: string, etag?: string | null): Promise<Response> {
  const headers: Record<string, string> = etag ? { 'If-None-Match': etag } : {}
  const response = await fetch(new URL(address, base), {
    headers,
    cache: isBundle ? 'default' : 'no-store',
  }).catch(() => {
    throw new Error(
      isBundle
        ? `The file ${address} cannot be read.`
        : 'The server does not answer: is geogap serve still running?',
    )
  })
  if (response.ok || response.status === 304) return response
  const answer = await response.text()
  const isJson = response.headers.get('content-type')?.includes('json')
  throw new Error(isJson ? (JSON.parse(answer) as { error: string }).error : answer)
}

/** Where the data of a model on a data set are. */
export interface ModelFiles {
  dataset: string
  folder: string
  file: string
}

/** Reads a model's answers for the images with these ids: all at once from a bundle, these alone from a server. */
export async function loadAnswers(
  { dataset, folder, file }: ModelFiles,
  { model, list }: ModelAnswers,
  ids: readonly string[],
): Promise<(AnswerRow | null)[]> {
  if (ids.length === 0) return []
  if (!isBundle) {
    const columns = await askServer<AnswerColumns>('answers', {
      dataset,
      model,
      ids: JSON.stringify(ids),
    })
    return ids.map((_, i) => answerRow(columns, i))
  }
  const columns = await loadFile<AnswerColumns>(`${folder}/${file}-answers`)
  const positions = new Map(list.id.map((id, position) => [id, position]))
  return ids.map(id => answerRow(columns, positions.get(id) ?? -1))
}

function answerRow({ status, top, p }: AnswerColumns, position: number): AnswerRow | null {
  const row = { status: status[position], top: top[position], p: p[position] }
  return row.status && row.top && row.p ? { status: row.status, top: row.top, p: row.p } : null
}

/** Returns the address of an image's thumbnail, or of its large picture, which a bundle has not; null if there are none. */
export function thumbnailAddress(
  { folder }: ModelFiles,
  { images, list }: ModelAnswers,
  { position, isLarge }: { position: number; isLarge: boolean },
): string | null {
  if (!list.pictures) return null
  if (isBundle) return `data/${folder}/${images}/${position}.webp`
  const query = { content: list.content, id: list.id[position]!, ...(isLarge && { size: 'large' }) }
  return `thumb?${new URLSearchParams(query).toString()}`
}
