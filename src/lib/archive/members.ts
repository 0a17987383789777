import { GeogapError, shown } from '../errors.ts'
import type { Entry } from './member.ts'

/** An archive that is not read because of what a member is or claims; the whole archive is refused. */
export const refused = (file: string, why: string): GeogapError =>
  new GeogapError('data', 'bad-archive', `archive refused: ${file}: ${why}`)

/** Bytes of the longest path that systems take. */
const longest = 4096

/** A member's path in plain form; one that could point outside the archive, or hide, is refused. */
export function memberPath(file: string, name: string): string {
  if (name.length > longest) throw refused(file, `a member path of ${name.length} characters: ${shown(name)}`)
  const path = name.replace(/^(\.\/)+/, '').replace(/(?<!\/)\/+$/, '')
  if (path === '' ? !name.endsWith('/') : isUnsafe(path))
    throw refused(file, `unsafe member path ${JSON.stringify(name)}`)
  return path
}

/** Whether a name from elsewhere could be taken for a file outside of the folder that it is meant for. */
export const isUnsafe = (path: string): boolean =>
  /[\\\0]|^[a-z]:/i.test(path) || path.split('/').some(part => ['', '.', '..'].includes(part))

/** Members in archive order; one path given twice is refused, for it would depend on the reader which one counts. */
export function refuseDuplicates(file: string, members: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>()
  for (const { path } of members) {
    if (seen.has(path)) throw refused(file, `member given twice: ${path}`)
    seen.add(path)
  }
  return members
}
