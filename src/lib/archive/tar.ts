// Reads tar archives in place: one pass over the headers gives each member's offset and size. POSIX ustar, pax (`x`, `g`) and
// GNU long names (`L`) are read; links and devices are refused.
import {
  type ArchiveMember,
  archiveError,
  checkedMemberPath,
  type ReadAt,
  refuseDuplicates,
} from './member.ts'

const blockSize = 512
const maxHeaderText = 1 << 20

/** The fields of pax and GNU headers, which hold for the member that follows. */
interface ExtendedHeader {
  path?: string
  size?: number
}

export async function readTarMembers(
  file: string,
  fileSize: number,
  read: ReadAt,
): Promise<readonly ArchiveMember[]> {
  const members: ArchiveMember[] = []
  let extended: ExtendedHeader = {}
  let offset = 0
  while (offset < fileSize) {
    const header = await read(offset, blockSize)
    if (header.length < blockSize) throw archiveError(file, `header at byte ${offset} is cut off`)
    if (header.every(byte => byte === 0)) {
      refuseSecondArchive(file, offset, await read(offset, maxEndBytes))
      return refuseDuplicates(file, members)
    }
    const { name, size: stated, type } = parseHeader(file, offset, header)
    const body = offset + blockSize
    const size = isExtendedHeaderType(type) ? stated : (extended.size ?? stated)
    if (body + size > fileSize)
      throw archiveError(file, `member ${name} states ${size} bytes, more than the archive has`)
    if (isExtendedHeaderType(type)) {
      if (size > maxHeaderText)
        throw archiveError(file, `extended header of ${size} bytes at byte ${offset}`)
      extended = { ...extended, ...readExtendedHeader(file, type, await read(body, size)) }
    } else {
      const path = checkedMemberPath(file, extended.path ?? name)
      if (!['0', '\0', '7', '5'].includes(type))
        throw archiveError(file, `member ${path} is a link or a device`)
      if (type !== '5')
        members.push({
          path,
          bytes: size,
          source: { kind: 'range', file, offset: body, length: size },
        })
      extended = {}
    }
    offset = body + Math.ceil(size / blockSize) * blockSize
    if (offset > fileSize) throw archiveError(file, `it is cut off after member ${name}`)
  }
  return refuseDuplicates(file, members)
}

/** The longest padding after an archive's end that programs write (GNU tar's largest usual record). */
const maxEndBytes = 1 << 20

/** Refuses an archive behind the end of another one, as `cat` makes them: readers of tar files stop at the first end. */
function refuseSecondArchive(file: string, offset: number, end: Buffer): void {
  for (let at = 0; at + blockSize <= end.length; at += blockSize)
    if (end.toString('latin1', at + 257, at + 262) === 'ustar')
      throw archiveError(
        file,
        `another archive begins at byte ${offset + at}, behind the end of the first: unpack it with tar -x --ignore-zeros`,
      )
}

const isExtendedHeaderType = (type: string): boolean => ['x', 'g', 'L', 'K'].includes(type)

function parseHeader(
  file: string,
  at: number,
  header: Buffer,
): { name: string; size: number; type: string } {
  const stated = parseInt(readHeaderText(header, 148, 8).trim(), 8)
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0)
  if (stated !== sum) throw archiveError(file, `not a tar header at byte ${at} (checksum)`)
  const prefix =
    readHeaderText(header, 257, 5) === 'ustar' && header[263] === 0x30
      ? readHeaderText(header, 345, 155)
      : ''
  const name = readHeaderText(header, 0, 100)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: readSize(file, at, header),
    type: String.fromCharCode(header[156]!),
  }
}

function readHeaderText(header: Buffer, start: number, length: number): string {
  const end = header.indexOf(0, start)
  return header.toString('utf8', start, end === -1 ? start + length : Math.min(end, start + length))
}

/** Reads the size field: octal text, or GNU's base 256 for large members. */
function readSize(file: string, at: number, header: Buffer): number {
  const field = header.subarray(124, 136)
  const octal = /^\s*([0-7]+)\s*$/.exec(readHeaderText(header, 124, 12))
  const large =
    (field[0]! & 0x80) === 0
      ? undefined
      : field.reduce((n, byte, i) => n * 256 + (i === 0 ? byte & 0x7f : byte), 0)
  const size = large ?? (octal ? parseInt(octal[1]!, 8) : NaN)
  if (!Number.isSafeInteger(size)) throw archiveError(file, `member without a size at byte ${at}`)
  return size
}

function readExtendedHeader(file: string, type: string, body: Buffer): ExtendedHeader {
  if (type === 'L') return { path: readHeaderText(body, 0, body.length) }
  return type === 'K' ? {} : readPaxRecords(file, type, body)
}

/** Reads records `<length> <key>=<value>\n`; the length is in bytes and counts itself. */
function readPaxRecords(file: string, type: string, body: Buffer): ExtendedHeader {
  const found: ExtendedHeader = {}
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const space = body.indexOf(0x20, at)
    const length = space === -1 ? NaN : Number(body.toString('latin1', at, space))
    if (!Number.isInteger(length) || length <= space - at || at + length > body.length)
      throw archiveError(file, 'broken pax header')
    const [key, ...value] = body.toString('utf8', space + 1, at + length - 1).split('=')
    if (key!.startsWith('GNU.sparse.'))
      throw archiveError(
        file,
        'a member is sparse, with its holes left out: pack it without --sparse',
      )
    if (type === 'g' && (key === 'path' || key === 'size'))
      throw archiveError(file, `a global pax header gives one ${key} to all members`)
    if (key === 'path') found.path = value.join('=')
    if (key === 'size') found.size = Number(value.join('='))
    at += length
  }
  if (found.size !== undefined && !(Number.isSafeInteger(found.size) && found.size >= 0))
    throw archiveError(file, 'broken pax size')
  return found
}
