import zlib from 'node:zlib'

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})

/** Returns the CRC-32 of bytes by a table, for releases of Node.js that have no function for it. */
export function tableCrc32(bytes: Uint8Array): number {
  let value = 0xffffffff
  for (const byte of bytes) value = table[(value ^ byte) & 255]! ^ (value >>> 8)
  return ~value >>> 0
}

/** Returns the CRC-32 of bytes, as zip archives have it. Node.js has `zlib.crc32` from 20.15 on. */
export const crc32: (bytes: Uint8Array) => number =
  (zlib as Partial<typeof zlib>).crc32 ?? tableCrc32
