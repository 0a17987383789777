// Zip archives read in place: the central directory at the end lists the members, each member's local header gives where
// its bytes start. Stored and deflated members are read, also beyond 4 GB (zip64). Encrypted members, links, members that
// overlap, and headers that contradict the directory are refused.
import { memberPath, refuseDuplicates, refused } from './members.ts'
import type { Entry, ReadAt } from './tree.ts'

const localSize = 30
const maxDirectory = 1 << 28

interface Listed {
  path: string
  isFolder: boolean
  method: number
  flags: number
  packed: number
  unpacked: number
  header: number
}

export async function zipMembers(file: string, fileSize: number, read: ReadAt): Promise<readonly Entry[]> {
  const { offset, size, count } = await directoryEnd(file, fileSize, read)
  if (size > maxDirectory || offset + size > fileSize) throw refused(file, 'its directory lies outside the file')
  const listed = parseDirectory(file, await read(offset, size), count)
  const members: Entry[] = []
  let end = 0
  for (const member of [...listed].sort((a, b) => a.header - b.header)) {
    if (member.header < end) throw refused(file, `members overlap at ${member.path}`)
    const start = await dataStart(file, member, read)
    end = start + member.packed
    if (end > offset)
      throw refused(file, `member ${member.path} states ${member.packed} bytes, more than the archive has`)
    if (!member.isFolder) members.push(entry(file, member, start))
  }
  return refuseDuplicates(file, members)
}

const entry = (file: string, { path, method, packed, unpacked }: Listed, offset: number): Entry => ({
  path,
  bytes: unpacked,
  source: { kind: 'range', file, offset, length: packed, ...(method === 8 && { deflated: { size: unpacked } }) },
})

/** Where the central directory lies, from the end record or its zip64 form. */
async function directoryEnd(
  file: string,
  fileSize: number,
  read: ReadAt,
): Promise<{ offset: number; size: number; count: number }> {
  const tailStart = Math.max(0, fileSize - 65_557)
  const tail = await read(tailStart, fileSize - tailStart)
  const at = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]))
  if (at === -1 || at + 22 > tail.length) throw refused(file, 'not a zip, or cut off: it has no end record')
  const plain = {
    count: tail.readUInt16LE(at + 10),
    size: tail.readUInt32LE(at + 12),
    offset: tail.readUInt32LE(at + 16),
  }
  const locator = at - 20
  if (locator < 0 || tail.readUInt32LE(locator) !== 0x07064b50) return plain
  const end = await read(Number(tail.readBigUInt64LE(locator + 8)), 56)
  if (end.length < 56 || end.readUInt32LE(0) !== 0x06064b50) throw refused(file, 'its zip64 end record is broken')
  return {
    count: Number(end.readBigUInt64LE(32)),
    size: Number(end.readBigUInt64LE(40)),
    offset: Number(end.readBigUInt64LE(48)),
  }
}

function parseDirectory(file: string, directory: Buffer, count: number): Listed[] {
  const listed: Listed[] = []
  let at = 0
  while (at + 46 <= directory.length && directory.readUInt32LE(at) === 0x02014b50) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map(field => directory.readUInt16LE(at + field))
    const next = at + 46 + nameLength! + extraLength! + commentLength!
    if (next > directory.length) throw refused(file, 'its directory is cut off')
    listed.push(parseMember(file, directory.subarray(at, next), nameLength!, extraLength!))
    at = next
  }
  if (listed.length !== count) throw refused(file, `its directory lists ${listed.length} members and states ${count}`)
  return listed
}

function parseMember(file: string, record: Buffer, nameLength: number, extraLength: number): Listed {
  const name = record.toString('utf8', 46, 46 + nameLength)
  const path = memberPath(file, name)
  const flags = record.readUInt16LE(8)
  const method = record.readUInt16LE(10)
  const unixType = (record.readUInt32LE(38) >>> 28) & 0xf
  if ((flags & 1) !== 0) throw refused(file, `member ${path} is encrypted; unpack it with the password of its authors`)
  if (method !== 0 && method !== 8)
    throw refused(file, `member ${path} uses compression method ${method}; known: stored, deflated`)
  if (unixType === 0xa) throw refused(file, `member ${path} is a link`)
  const [unpacked, packed, header] = wideFields(record, 46 + nameLength, extraLength)
  if (method === 0 && packed !== unpacked) throw refused(file, `stored member ${path} states two sizes`)
  return { path, isFolder: name.endsWith('/'), method, flags, packed: packed!, unpacked: unpacked!, header: header! }
}

/** Unpacked size, packed size and header offset; where a 32-bit field is full, its value is in the zip64 extra field. */
function wideFields(record: Buffer, extraStart: number, extraLength: number): number[] {
  const narrow = [24, 20, 42].map(field => record.readUInt32LE(field))
  for (let at = extraStart; at + 4 <= extraStart + extraLength; at += 4 + record.readUInt16LE(at + 2)) {
    if (record.readUInt16LE(at) !== 1) continue
    let value = at + 4
    return narrow.map(field => {
      if (field !== 0xffffffff) return field
      value += 8
      return Number(record.readBigUInt64LE(value - 8))
    })
  }
  return narrow
}

async function dataStart(file: string, member: Listed, read: ReadAt): Promise<number> {
  const local = await read(member.header, localSize)
  if (local.length < localSize || local.readUInt32LE(0) !== 0x04034b50)
    throw refused(file, `member ${member.path} has no header`)
  const stated = local.readUInt32LE(18)
  const deferred = (member.flags & 8) !== 0 || stated === 0xffffffff
  if (!deferred && stated !== member.packed) throw refused(file, `member ${member.path} states two sizes`)
  return member.header + localSize + local.readUInt16LE(26) + local.readUInt16LE(28)
}
