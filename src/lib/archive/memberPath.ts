import { GeogapError, quoteForMessage } from '../errors.ts'
import type { ArchiveMember } from './member.ts'

/** An archive that is not read because of what a member is or claims; the whole archive is refused. */
export const archiveError = (file: string, why: string): GeogapError =>
  new GeogapError('data', 'bad-archive', `archive refused: ${file}: ${why}`)

/** Bytes of the longest path that systems take. */
const maxPathLength = 4096

/** A member's path in plain form; one that could point outside the archive, or hide, is refused. */
export function checkedMemberPath(file: string, name: string): string {
  if (name.length > maxPathLength)
    throw archiveError(file, `a member path of ${name.length} characters: ${quoteForMessage(name)}`)
  const path = name.replace(/^(\.\/)+/, '').replace(/(?<!\/)\/+$/, '')
  if (path === '' ? !name.endsWith('/') : isUnsafePath(path))
    throw archiveError(file, `unsafe member path ${JSON.stringify(name)}`)
  return path
}

/** Whether a name from elsewhere could be taken for a file outside of the folder that it is meant for. */
export const isUnsafePath = (path: string): boolean =>
  /[\\\0]|^[a-z]:/i.test(path) || path.split('/').some(part => ['', '.', '..'].includes(part))

/** Members in archive order; one path given twice is refused, for it would depend on the reader which one counts. */
export function refuseDuplicates(
  file: string,
  members: readonly ArchiveMember[],
): readonly ArchiveMember[] {
  const seen = new Set<string>()
  for (const { path } of members) {
    if (seen.has(path)) throw archiveError(file, `member given twice: ${path}`)
    seen.add(path)
  }
  return members
}
