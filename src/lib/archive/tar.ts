// Tar archives read in place: one pass over the headers gives each member's offset and size, then any member is one
// read. POSIX ustar, pax (`x`, `g`) and GNU long names (`L`) are read; links and devices are refused.
import { memberPath, refuseDuplicates, refused } from './members.ts'
import type { ReadAt } from './member.ts'
import type { Entry } from './member.ts'

const block = 512
const maxHeaderText = 1 << 20

/** What pax and GNU headers say about the member that follows. */
interface Extended {
  path?: string
  size?: number
}

export async function tarMembers(file: string, fileSize: number, read: ReadAt): Promise<readonly Entry[]> {
  const members: Entry[] = []
  let extended: Extended = {}
  let offset = 0
  while (offset < fileSize) {
    const header = await read(offset, block)
    if (header.length < block) throw refused(file, `header at byte ${offset} is cut off`)
    if (header.every(byte => byte === 0)) return refuseDuplicates(file, members)
    const { name, size: stated, type } = parseHeader(file, offset, header)
    const body = offset + block
    const size = isText(type) ? stated : (extended.size ?? stated)
    if (body + size > fileSize) throw refused(file, `member ${name} states ${size} bytes, more than the archive has`)
    if (isText(type)) {
      if (size > maxHeaderText) throw refused(file, `extended header of ${size} bytes at byte ${offset}`)
      extended = { ...extended, ...extendedHeader(file, type, await read(body, size)) }
    } else {
      const path = memberPath(file, extended.path ?? name)
      if (!['0', '\0', '7', '5'].includes(type)) throw refused(file, `member ${path} is a link or a device`)
      if (type !== '5') members.push({ path, bytes: size, source: { kind: 'range', file, offset: body, length: size } })
      extended = {}
    }
    offset = body + Math.ceil(size / block) * block
  }
  return refuseDuplicates(file, members)
}

const isText = (type: string): boolean => ['x', 'g', 'L', 'K'].includes(type)

function parseHeader(file: string, at: number, header: Buffer): { name: string; size: number; type: string } {
  const stated = parseInt(string(header, 148, 8).trim(), 8)
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0)
  if (stated !== sum) throw refused(file, `not a tar header at byte ${at} (checksum)`)
  const prefix = string(header, 257, 5) === 'ustar' && header[263] === 0x30 ? string(header, 345, 155) : ''
  const name = string(header, 0, 100)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: number(file, at, header),
    type: String.fromCharCode(header[156]!),
  }
}

function string(header: Buffer, start: number, length: number): string {
  const end = header.indexOf(0, start)
  return header.toString('utf8', start, end === -1 ? start + length : Math.min(end, start + length))
}

/** The size field: octal text, or GNU's base 256 for large members. */
function number(file: string, at: number, header: Buffer): number {
  const field = header.subarray(124, 136)
  const octal = /^\s*([0-7]+)\s*$/.exec(string(header, 124, 12))
  const large =
    (field[0]! & 0x80) === 0 ? undefined : field.reduce((n, byte, i) => n * 256 + (i === 0 ? byte & 0x7f : byte), 0)
  const size = large ?? (octal ? parseInt(octal[1]!, 8) : NaN)
  if (!Number.isSafeInteger(size)) throw refused(file, `member without a size at byte ${at}`)
  return size
}

function extendedHeader(file: string, type: string, body: Buffer): Extended {
  if (type === 'L') return { path: string(body, 0, body.length) }
  return type === 'K' ? {} : paxRecords(file, body)
}

/** `<length> <key>=<value>\n`, length in bytes and counting itself. */
function paxRecords(file: string, body: Buffer): Extended {
  const found: Extended = {}
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const space = body.indexOf(0x20, at)
    const length = space === -1 ? NaN : Number(body.toString('latin1', at, space))
    if (!Number.isInteger(length) || length <= space - at || at + length > body.length)
      throw refused(file, 'broken pax header')
    const [key, ...value] = body.toString('utf8', space + 1, at + length - 1).split('=')
    if (key === 'path') found.path = value.join('=')
    if (key === 'size') found.size = Number(value.join('='))
    at += length
  }
  if (found.size !== undefined && !(Number.isSafeInteger(found.size) && found.size >= 0))
    throw refused(file, 'broken pax size')
  return found
}
