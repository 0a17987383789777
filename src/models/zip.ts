/**
 * The directory of a zip archive whose members are stored as they are, as PyTorch writes them: nothing is unpacked, a
 * member is a range of the archive. Names are keys of a map and never paths. Sizes come from the central directory
 * (PyTorch leaves them out of the local headers) and are checked against the archive.
 */
import type { FileHandle } from 'node:fs/promises'
import { readFully } from '../files.ts'
import { badWeights, shown } from './tensors.ts'

export interface ZipMember {
  name: string
  /** 0 when stored as it is */
  method: number
  /** Where the local header begins. */
  header: number
  /** Bytes as stored. */
  length: number
}

export interface ZipFile {
  file: string
  handle: FileHandle
  size: number
  members: Map<string, ZipMember>
}

interface Directory {
  offset: number
  length: number
  count: number
}

const endLength = 22
const longestComment = 65_535
const directoryLimit = 16 << 20
const unknown32 = 0xffffffff

export async function readZip(file: string, handle: FileHandle, size: number): Promise<ZipFile> {
  const directory = await findDirectory(file, handle, size)
  const { offset, length } = directory
  if (offset + length > size) throw bad(file, 'its directory lies outside the file')
  if (length > directoryLimit) throw bad(file, `its directory of ${length} bytes is longer than ${directoryLimit}`)
  const bytes = await readExactly(file, handle, offset, length)
  return { file, handle, size, members: parseDirectory(file, bytes, directory) }
}

/** The absolute range of a member's content. */
export async function memberRange(zip: ZipFile, member: ZipMember): Promise<{ offset: number; length: number }> {
  const { file } = zip
  if (member.method !== 0) throw bad(file, `member ${shown(member.name)} is compressed`)
  const local = await readExactly(file, zip.handle, member.header, 30)
  if (local.readUInt32LE(0) !== 0x04034b50) throw bad(file, `member ${shown(member.name)} has no local header`)
  const nameLength = local.readUInt16LE(26)
  const name = await readExactly(file, zip.handle, member.header + 30, nameLength)
  if (name.toString('utf8') !== member.name) throw bad(file, `member ${shown(member.name)} has two names`)
  const offset = member.header + 30 + nameLength + local.readUInt16LE(28)
  if (offset + member.length > zip.size) throw bad(file, `member ${shown(member.name)} reaches beyond the file`)
  return { offset, length: member.length }
}

async function findDirectory(file: string, handle: FileHandle, size: number): Promise<Directory> {
  const length = Math.min(size, endLength + longestComment)
  const tail = await readExactly(file, handle, size - length, length)
  for (let at = length - endLength; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== 0x06054b50 || tail.readUInt16LE(at + 20) !== length - at - endLength) continue
    const end = {
      count: tail.readUInt16LE(at + 10),
      length: tail.readUInt32LE(at + 12),
      offset: tail.readUInt32LE(at + 16),
    }
    const isLong = end.count === 0xffff || end.length === unknown32 || end.offset === unknown32
    return isLong ? await longDirectory(file, handle, size - length + at) : end
  }
  throw bad(file, 'a zip archive without an end, perhaps cut off')
}

/** The zip64 record that archives beyond 4 GB have: its position stands in a locator before the ordinary end. */
async function longDirectory(file: string, handle: FileHandle, end: number): Promise<Directory> {
  const locator = end < 20 ? Buffer.alloc(20) : await readExactly(file, handle, end - 20, 20)
  if (locator.readUInt32LE(0) !== 0x07064b50) throw bad(file, 'its zip64 locator is missing')
  const record = await readExactly(file, handle, whole(file, locator, 8), 56)
  if (record.readUInt32LE(0) !== 0x06064b50) throw bad(file, 'its zip64 record is missing')
  return { count: whole(file, record, 32), length: whole(file, record, 40), offset: whole(file, record, 48) }
}

function parseDirectory(file: string, bytes: Buffer, directory: Directory): Map<string, ZipMember> {
  const members = new Map<string, ZipMember>()
  let at = 0
  while (at < bytes.length) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50) throw bad(file, 'its directory is damaged')
    const nameEnd = at + 46 + bytes.readUInt16LE(at + 28)
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30)
    const next = extraEnd + bytes.readUInt16LE(at + 32)
    if (next > bytes.length) throw bad(file, 'its directory is damaged')
    const name = bytes.toString('utf8', at + 46, nameEnd)
    if (members.has(name)) throw bad(file, `two members are named ${shown(name)}`)
    members.set(
      name,
      parseMember(file, name, bytes.subarray(at, nameEnd), bytes.subarray(nameEnd, extraEnd), directory),
    )
    at = next
  }
  if (members.size !== directory.count) throw bad(file, `${members.size} members instead of ${directory.count}`)
  return members
}

function parseMember(file: string, name: string, fixed: Buffer, extra: Buffer, directory: Directory): ZipMember {
  const long = longFields(file, extra)
  const take = (value: number): number => (value === unknown32 ? (long.shift() ?? NaN) : value)
  const size = take(fixed.readUInt32LE(24))
  const length = take(fixed.readUInt32LE(20))
  const header = take(fixed.readUInt32LE(42))
  const method = fixed.readUInt16LE(10)
  if (fixed.readUInt16LE(8) & 1) throw bad(file, `member ${shown(name)} is encrypted`)
  if (method === 0 && size !== length) throw bad(file, `member ${shown(name)} has two sizes`)
  if (!(header + length <= directory.offset)) throw bad(file, `member ${shown(name)} reaches into the directory`)
  return { name, method, header, length }
}

/** The 64-bit values of extra field 1. */
function longFields(file: string, extra: Buffer): number[] {
  for (let at = 0; at + 4 <= extra.length;) {
    const end = at + 4 + extra.readUInt16LE(at + 2)
    if (end > extra.length) break
    if (extra.readUInt16LE(at) === 1) {
      const count = Math.min(3, Math.floor((end - at - 4) / 8))
      return Array.from({ length: count }, (_, i) => whole(file, extra, at + 4 + 8 * i))
    }
    at = end
  }
  return []
}

function whole(file: string, bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at))
  if (!Number.isSafeInteger(value)) throw bad(file, `an offset of ${value} bytes`)
  return value
}

async function readExactly(file: string, handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length)
  if ((await readFully(handle, bytes, offset)) < length) throw bad(file, `no ${length} bytes at ${offset}`)
  return bytes
}

const bad = (file: string, what: string) => badWeights('bad-checkpoint', file, what)
