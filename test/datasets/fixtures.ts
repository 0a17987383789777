import { crc32, deflateRawSync } from 'node:zlib'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

/** A temporary folder that is removed when the test file ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'geogap-datasets-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Writes `files` (path -> content) below `folder` and returns the folder. */
export function lay(folder: string, files: Record<string, string | Uint8Array>): string {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
  return folder
}

/** Members of a tar as POSIX writes them (ustar headers, names up to 100 bytes). */
export function makeTar(files: Record<string, string | Uint8Array>, type = '0'): Buffer {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const body = Buffer.from(content as string)
    const padding = Buffer.alloc((512 - (body.length % 512)) % 512)
    return [tarHeader(name, body.length, type), body, padding]
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

export function tarHeader(name: string, size: number, type = '0'): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0, 100, 'utf8')
  header.write('0000644\0', 100)
  header.write(size.toString(8).padStart(11, '0') + '\0', 124)
  header.write('00000000000\0', 136)
  header.write(type, 156)
  header.write('ustar\x0000', 257, 'latin1')
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(sum.toString(8).padStart(6, '0') + '\0 ', 148)
  return header
}

export interface ZipMember {
  name: string
  content: string | Uint8Array
  deflate?: boolean
  /** Values to lie with. */
  unpacked?: number
  crc32?: number
  packed?: number
  flags?: number
  method?: number
  unixMode?: number
}

/** A zip as the common tools write it: local headers with sizes, a central directory, an end record. */
export function makeZip(members: readonly ZipMember[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const member of members) {
    const body = Buffer.from(member.content as string)
    const stored = member.deflate ? deflateRawSync(body) : body
    const name = Buffer.from(member.name)
    const sizes = {
      packed: member.packed ?? stored.length,
      unpacked: member.unpacked ?? body.length,
    }
    const fields = Buffer.alloc(26)
    fields.writeUInt16LE(20, 0)
    fields.writeUInt16LE(member.flags ?? 0, 2)
    fields.writeUInt16LE(member.method ?? (member.deflate ? 8 : 0), 4)
    fields.writeUInt32LE(member.crc32 ?? crc32(body), 10)
    fields.writeUInt32LE(sizes.packed, 14)
    fields.writeUInt32LE(sizes.unpacked, 18)
    fields.writeUInt16LE(name.length, 22)
    const central = Buffer.alloc(14)
    central.writeUInt32LE(((member.unixMode ?? 0o100644) << 16) >>> 0, 6)
    central.writeUInt32LE(offset, 10)
    directory.push(Buffer.from('PK\x01\x02\x14\x03', 'latin1'), fields, central, name)
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), fields, name, stored])
    parts.push(local)
    offset += local.length
  }
  const listed = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(members.length, 8)
  end.writeUInt16LE(members.length, 10)
  end.writeUInt32LE(listed.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, listed, end])
}

/** A JPEG's worth of bytes that differ from file to file; nothing here decodes them. */
export const photo = (seed: number): Buffer =>
  Buffer.from(Array.from({ length: 900 + seed }, (_, i) => (i * 7 + seed) & 255))
