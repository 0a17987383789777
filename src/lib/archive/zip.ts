// Reads zip archives in place: the central directory at the end lists the members, and each member's local header says where
// its bytes start. Stored and deflated members are read, also beyond 4 GB (zip64). Encrypted members, links, members that
// overlap, and headers that contradict the directory are refused.
import { quoteForMessage } from '../errors.ts'
import {
  type ArchiveMember,
  archiveError,
  checkedMemberPath,
  type ReadAt,
  refuseDuplicates,
} from './member.ts'

const localHeaderBytes = 30
const endRecordBytes = 22
const maxCommentBytes = 65_535
const maxDirectoryBytes = 1 << 28

/** Marks a 32-bit field whose value is in the zip64 part. */
const zip64Marker = 0xffffffff

export interface ZipSource {
  size: number
  read: ReadAt
  /** Returns the error to throw. */
  refuse: (why: string) => Error
}

export interface ZipMember {
  name: string
  /** Compression method: 0 stored, 8 deflated. */
  method: number
  flags: number
  isLink: boolean
  /** CRC-32 of the unpacked bytes. */
  crc32: number
  /** Bytes in the archive. */
  packedSize: number
  unpackedSize: number
  /** Offset of the local header. */
  headerOffset: number
  /** The member ends before this offset. */
  maxEnd: number
}

interface ZipDirectory {
  offset: number
  length: number
  count: number
}

export async function readZipMembers(
  file: string,
  size: number,
  read: ReadAt,
): Promise<readonly ArchiveMember[]> {
  const source: ZipSource = { size, read, refuse: why => archiveError(file, why) }
  const members: ArchiveMember[] = []
  let end = 0
  for (const member of (await readZipDirectory(source)).sort(
    (a, b) => a.headerOffset - b.headerOffset,
  )) {
    const { name, method, packedSize, unpackedSize } = member
    const path = checkedMemberPath(file, name)
    if (method !== 0 && method !== 8)
      throw archiveError(
        file,
        `member ${quoteForMessage(path)} uses compression method ${method}; known: stored, deflated`,
      )
    if (member.isLink) throw archiveError(file, `member ${quoteForMessage(path)} is a link`)
    if (member.headerOffset < end)
      throw archiveError(file, `members overlap at ${quoteForMessage(path)}`)
    const offset = await findDataStart(source, member)
    end = offset + packedSize
    const deflated = method === 8 && { deflated: { size: unpackedSize } }
    if (!name.endsWith('/'))
      members.push({
        path,
        bytes: unpackedSize,
        source: {
          kind: 'range',
          file,
          offset,
          length: packedSize,
          crc32: member.crc32,
          ...deflated,
        },
      })
  }
  return refuseDuplicates(file, members)
}

/** Returns the members that the central directory lists, with its sizes, because local headers may leave them out. */
export async function readZipDirectory(source: ZipSource): Promise<ZipMember[]> {
  const directory = await findDirectory(source)
  const { offset, length, count } = directory
  if (length > maxDirectoryBytes || offset + length > source.size)
    throw source.refuse('its directory lies outside the file')
  const bytes = await readExactly(source, offset, length)
  const members: ZipMember[] = []
  for (let at = 0; at + 46 <= length && bytes.readUInt32LE(at) === 0x02014b50;) {
    const [name, extra, comment] = [28, 30, 32].map(field => bytes.readUInt16LE(at + field))
    const end = at + 46 + name! + extra!
    if (end + comment! > length) throw source.refuse('its directory is cut off')
    members.push(parseMember(source, bytes.subarray(at, end), offset))
    at = end + comment!
  }
  if (members.length !== count)
    throw source.refuse(`its directory lists ${members.length} members and states ${count}`)
  return members
}

/** Returns the offset of a member's bytes. */
export async function findDataStart(
  source: ZipSource,
  { name, flags, packedSize, headerOffset, maxEnd }: ZipMember,
): Promise<number> {
  const local = await readExactly(source, headerOffset, localHeaderBytes)
  if (local.readUInt32LE(0) !== 0x04034b50)
    throw source.refuse(`member ${quoteForMessage(name)} has no header`)
  const stated = local.readUInt32LE(18)
  const deferred = (flags & 8) !== 0 || stated === zip64Marker
  if (!deferred && stated !== packedSize)
    throw source.refuse(`member ${quoteForMessage(name)} states two sizes`)
  const nameLength = local.readUInt16LE(26)
  const own = await readExactly(source, headerOffset + localHeaderBytes, nameLength)
  if (own.toString('utf8') !== name)
    throw source.refuse(`member ${quoteForMessage(name)} has two names`)
  const start = headerOffset + localHeaderBytes + nameLength + local.readUInt16LE(28)
  if (start + packedSize > maxEnd) throw source.refuse(beyondArchive(name, packedSize))
  return start
}

const beyondArchive = (name: string, packed: number): string =>
  `member ${quoteForMessage(name)} states ${packed} bytes, more than the archive has`

async function findDirectory(source: ZipSource): Promise<ZipDirectory> {
  const length = Math.min(source.size, endRecordBytes + maxCommentBytes)
  const start = source.size - length
  const tail = await readExactly(source, start, length)
  for (let at = length - endRecordBytes; at >= 0; at--) {
    if (
      tail.readUInt32LE(at) !== 0x06054b50 ||
      at + endRecordBytes + tail.readUInt16LE(at + 20) > length
    )
      continue
    const count = tail.readUInt16LE(at + 10)
    const [bytes, offset] = [12, 16].map(field => tail.readUInt32LE(at + field))
    const isLong = count === 0xffff || bytes === zip64Marker || offset === zip64Marker
    return isLong
      ? readZip64Directory(source, start + at)
      : { count, length: bytes!, offset: offset! }
  }
  throw source.refuse('not a zip, or cut off: it has no end record')
}

/** Reads the zip64 record of archives beyond 4 GB, whose position is in a locator before the ordinary end record. */
async function readZip64Directory(source: ZipSource, end: number): Promise<ZipDirectory> {
  const locator = await readExactly(source, Math.max(0, end - 20), 20)
  if (locator.readUInt32LE(0) !== 0x07064b50) throw source.refuse('its zip64 locator is missing')
  const record = await readExactly(source, readSafeInteger64(source, locator, 8), 56)
  if (record.readUInt32LE(0) !== 0x06064b50) throw source.refuse('its zip64 end record is broken')
  const [count, length, offset] = [32, 40, 48].map(field =>
    readSafeInteger64(source, record, field),
  )
  return { count: count!, length: length!, offset: offset! }
}

/** Parses a record of the directory. */
function parseMember(source: ZipSource, record: Buffer, maxEnd: number): ZipMember {
  const nameLength = record.readUInt16LE(28)
  const name = record.toString('utf8', 46, 46 + nameLength)
  const flags = record.readUInt16LE(8)
  const method = record.readUInt16LE(10)
  const isLink = record.readUInt32LE(38) >>> 28 === 0xa
  const long = readZip64Fields(source, record.subarray(46 + nameLength))
  const [unpackedSize, packedSize, headerOffset] = [24, 20, 42].map(field => {
    const value = record.readUInt32LE(field)
    return value === zip64Marker ? (long.shift() ?? NaN) : value
  })
  if (flags & 1)
    throw source.refuse(
      `member ${quoteForMessage(name)} is encrypted; unpack it with the password of its authors`,
    )
  if (method === 0 && packedSize !== unpackedSize)
    throw source.refuse(`stored member ${quoteForMessage(name)} states two sizes`)
  if (!(headerOffset! + packedSize! <= maxEnd))
    throw source.refuse(beyondArchive(name, packedSize!))
  return {
    name,
    method,
    flags,
    isLink,
    crc32: record.readUInt32LE(16),
    packedSize: packedSize!,
    unpackedSize: unpackedSize!,
    headerOffset: headerOffset!,
    maxEnd,
  }
}

/** Returns the 64-bit values of extra field 1. */
function readZip64Fields(source: ZipSource, extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (end > extra.length) break
    if (extra.readUInt16LE(at) === 1) {
      const count = Math.min(3, Math.floor((end - at - 4) / 8))
      return Array.from({ length: count }, (_, i) =>
        readSafeInteger64(source, extra, at + 4 + 8 * i),
      )
    }
    at = end
  }
  return []
}

function readSafeInteger64({ refuse }: ZipSource, bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at))
  if (!Number.isSafeInteger(value)) throw refuse(`an offset of ${value} bytes`)
  return value
}

async function readExactly(
  { read, refuse }: ZipSource,
  offset: number,
  length: number,
): Promise<Buffer> {
  const bytes = await read(offset, length)
  if (bytes.length < length) throw refuse(`no ${length} bytes at ${offset}`)
  return bytes
}
