import { type GeogapError, quoteForMessage, dataError } from '../errors.ts'

/** Where an image's bytes are: a file, a byte range of an archive, or a cell of a Parquet file. */
export type ImageSource =
  | { kind: 'file'; file: string }
  /**
   * `length` stored bytes at `offset` of a file; `deflated.size` is the unpacked length of a deflated member, `crc32` what a zip
   * states of the unpacked bytes.
   */
  | {
      kind: 'range'
      file: string
      offset: number
      length: number
      deflated?: { size: number }
      crc32?: number
    }
  | { kind: 'parquet'; file: string; column: string; row: number }

/** A file of a folder or an archive. */
export interface ArchiveMember {
  /** Relative to the root of the folder or archive, with `/`. */
  path: string
  /** Unpacked size; null for an entry of a folder that is no readable file, such as a link to nothing. */
  bytes: number | null
  source: ImageSource
}

/** Reads `length` bytes at `offset`; fewer only at the end of the file. */
export type ReadAt = (offset: number, length: number) => Promise<Buffer>

/** Returns the error of an archive that is refused as a whole because of one member. */
export const archiveError = (file: string, why: string): GeogapError =>
  dataError('bad-archive', `archive refused: ${file}: ${why}`)

/** Length of the longest path that systems take. */
const maxPathLength = 4096

/** Returns a member's path without `./` and final slashes. Errors: `bad-archive` for a path that could lead outside. */
export function checkedMemberPath(file: string, name: string): string {
  if (name.length > maxPathLength)
    throw archiveError(file, `a member path of ${name.length} characters: ${quoteForMessage(name)}`)
  const path = name.replace(/^(\.\/)+/, '').replace(/(?<!\/)\/+$/, '')
  if (path === '' ? !name.endsWith('/') : isUnsafePath(path))
    throw archiveError(file, `unsafe member path ${JSON.stringify(name)}`)
  return path
}

/** Whether a path, taken relative to a folder, could lead outside of it. */
export const isUnsafePath = (path: string): boolean =>
  /[\\\0]|^[a-z]:/i.test(path) || path.split('/').some(part => ['', '.', '..'].includes(part))

/** Returns the members. Errors: `bad-archive` if two have one path, because readers would differ in which one they take. */
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
