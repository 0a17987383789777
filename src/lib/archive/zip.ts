// Zip archives read in place: the central directory at the end lists the members, each member's local header gives where
// its bytes start. Stored and deflated members are read, also beyond 4 GB (zip64). Encrypted members, links, members that
// overlap, and headers that contradict the directory are refused.
import { shown } from '../errors.ts'
import { memberPath, refuseDuplicates, refused } from './members.ts'
import type { ReadAt } from './member.ts'
import type { Entry } from './member.ts'

const localSize = 30
const endSize = 22
const longestComment = 65_535
const maxDirectory = 1 << 28

/** A 32-bit field whose value is in the zip64 part. */
const full = 0xffffffff

/** How an archive is read, and what is thrown where it is refused. */
export interface ZipSource {
  size: number
  read: ReadAt
  refuse: (why: string) => Error
}

export interface ZipMember {
  name: string
  /** 0 for what is stored as it is, 8 for deflated. */
  method: number
  flags: number
  isLink: boolean
  /** Bytes in the archive. */
  packed: number
  unpacked: number
  /** Where the local header begins, and before what the member ends. */
  header: number
  limit: number
}

interface Directory {
  offset: number
  length: number
  count: number
}

export async function zipMembers(file: string, size: number, read: ReadAt): Promise<readonly Entry[]> {
  const source: ZipSource = { size, read, refuse: why => refused(file, why) }
  const members: Entry[] = []
  let end = 0
  for (const member of (await readZip(source)).sort((a, b) => a.header - b.header)) {
    const { name, method, packed, unpacked } = member
    const path = memberPath(file, name)
    if (method !== 0 && method !== 8)
      throw refused(file, `member ${shown(path)} uses compression method ${method}; known: stored, deflated`)
    if (member.isLink) throw refused(file, `member ${shown(path)} is a link`)
    if (member.header < end) throw refused(file, `members overlap at ${shown(path)}`)
    const offset = await dataStart(source, member)
    end = offset + packed
    const deflated = method === 8 && { deflated: { size: unpacked } }
    if (!name.endsWith('/'))
      members.push({ path, bytes: unpacked, source: { kind: 'range', file, offset, length: packed, ...deflated } })
  }
  return refuseDuplicates(file, members)
}

/** The members that the central directory lists; sizes are its own, for local headers may leave them out. */
export async function readZip(source: ZipSource): Promise<ZipMember[]> {
  const directory = await findDirectory(source)
  const { offset, length, count } = directory
  if (length > maxDirectory || offset + length > source.size) throw source.refuse('its directory lies outside the file')
  const bytes = await readExactly(source, offset, length)
  const members: ZipMember[] = []
  for (let at = 0; at + 46 <= length && bytes.readUInt32LE(at) === 0x02014b50;) {
    const [name, extra, comment] = [28, 30, 32].map(field => bytes.readUInt16LE(at + field))
    const end = at + 46 + name! + extra!
    if (end + comment! > length) throw source.refuse('its directory is cut off')
    members.push(memberOf(source, bytes.subarray(at, end), name!, offset))
    at = end + comment!
  }
  if (members.length !== count) throw source.refuse(`its directory lists ${members.length} members and states ${count}`)
  return members
}

/** Where a member's bytes begin. */
export async function dataStart(source: ZipSource, { name, flags, packed, header, limit }: ZipMember): Promise<number> {
  const local = await readExactly(source, header, localSize)
  if (local.readUInt32LE(0) !== 0x04034b50) throw source.refuse(`member ${shown(name)} has no header`)
  const stated = local.readUInt32LE(18)
  const deferred = (flags & 8) !== 0 || stated === full
  if (!deferred && stated !== packed) throw source.refuse(`member ${shown(name)} states two sizes`)
  const nameLength = local.readUInt16LE(26)
  const own = await readExactly(source, header + localSize, nameLength)
  if (own.toString('utf8') !== name) throw source.refuse(`member ${shown(name)} has two names`)
  const start = header + localSize + nameLength + local.readUInt16LE(28)
  if (start + packed > limit) throw source.refuse(beyond(name, packed))
  return start
}

const beyond = (name: string, packed: number): string =>
  `member ${shown(name)} states ${packed} bytes, more than the archive has`

async function findDirectory(source: ZipSource): Promise<Directory> {
  const length = Math.min(source.size, endSize + longestComment)
  const start = source.size - length
  const tail = await readExactly(source, start, length)
  for (let at = length - endSize; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== 0x06054b50 || at + endSize + tail.readUInt16LE(at + 20) > length) continue
    const count = tail.readUInt16LE(at + 10)
    const [bytes, offset] = [12, 16].map(field => tail.readUInt32LE(at + field))
    const isLong = count === 0xffff || bytes === full || offset === full
    return isLong ? longDirectory(source, start + at) : { count, length: bytes!, offset: offset! }
  }
  throw source.refuse('not a zip, or cut off: it has no end record')
}

/** The zip64 record that archives beyond 4 GB have: its position stands in a locator before the ordinary end. */
async function longDirectory(source: ZipSource, end: number): Promise<Directory> {
  const locator = await readExactly(source, Math.max(0, end - 20), 20)
  if (locator.readUInt32LE(0) !== 0x07064b50) throw source.refuse('its zip64 locator is missing')
  const record = await readExactly(source, whole(source, locator, 8), 56)
  if (record.readUInt32LE(0) !== 0x06064b50) throw source.refuse('its zip64 end record is broken')
  const [count, length, offset] = [32, 40, 48].map(field => whole(source, record, field))
  return { count: count!, length: length!, offset: offset! }
}

/** A member of the directory at `limit`, from its record and extra fields. */
function memberOf(source: ZipSource, record: Buffer, nameLength: number, limit: number): ZipMember {
  const name = record.toString('utf8', 46, 46 + nameLength)
  const [flags, method] = [record.readUInt16LE(8), record.readUInt16LE(10)]
  const isLink = record.readUInt32LE(38) >>> 28 === 0xa
  const long = longFields(source, record.subarray(46 + nameLength))
  const [unpacked, packed, header] = [24, 20, 42].map(field => {
    const value = record.readUInt32LE(field)
    return value === full ? (long.shift() ?? NaN) : value
  })
  if (flags & 1) throw source.refuse(`member ${shown(name)} is encrypted; unpack it with the password of its authors`)
  if (method === 0 && packed !== unpacked) throw source.refuse(`stored member ${shown(name)} states two sizes`)
  if (!(header! + packed! <= limit)) throw source.refuse(beyond(name, packed!))
  return { name, method, flags, isLink, packed: packed!, unpacked: unpacked!, header: header!, limit }
}

/** The 64-bit values of extra field 1. */
function longFields(source: ZipSource, extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (end > extra.length) break
    if (extra.readUInt16LE(at) === 1) {
      const count = Math.min(3, Math.floor((end - at - 4) / 8))
      return Array.from({ length: count }, (_, i) => whole(source, extra, at + 4 + 8 * i))
    }
    at = end
  }
  return []
}

function whole({ refuse }: ZipSource, bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at))
  if (!Number.isSafeInteger(value)) throw refuse(`an offset of ${value} bytes`)
  return value
}

async function readExactly({ read, refuse }: ZipSource, offset: number, length: number): Promise<Buffer> {
  const bytes = await read(offset, length)
  if (bytes.length < length) throw refuse(`no ${length} bytes at ${offset}`)
  return bytes
}
