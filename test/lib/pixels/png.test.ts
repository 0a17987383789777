import sharp from 'sharp'
import { crc32, deflateSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'
import { withoutTextChunks } from '../../../src/lib/pixels/png.ts'

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}

const background = { r: 30, g: 200, b: 90 }
const plain = await sharp({ create: { width: 5, height: 4, channels: 3, background } })
  .png()
  .toBuffer()
/** Where the first chunk after the header begins. */
const afterHeader = 8 + 25
const withChunks = (...chunks: Buffer[]): Buffer =>
  Buffer.concat([plain.subarray(0, afterHeader), ...chunks, plain.subarray(afterHeader)])

it('texts in a PNG are not unpacked, and other chunks stay', async () => {
  const packed = deflateSync(Buffer.alloc(1 << 20))
  const texts = [
    chunk('tEXt', Buffer.from('a\0b')),
    chunk('zTXt', Buffer.concat([Buffer.from('a\0\0'), packed])),
    chunk('iTXt', Buffer.concat([Buffer.from('a\0\u0001\0\0\0'), packed])),
  ]
  const gamma = chunk('gAMA', Buffer.from([0, 0, 0xb1, 0x8f]))
  expect(withoutTextChunks(withChunks(...texts))).toEqual(plain)
  expect(withoutTextChunks(withChunks(texts[1]!, gamma, texts[2]!))).toEqual(withChunks(gamma))
  expect(withoutTextChunks(plain)).toBe(plain)
  expect(await decodeImage(withChunks(...texts))).toEqual(await decodeImage(plain))
})

it('a chunk that is cut off, or longer than the file, stays for the decoder to refuse', async () => {
  const cut = withChunks(chunk('tEXt', Buffer.from('a\0b'))).subarray(0, afterHeader + 9)
  expect(withoutTextChunks(cut)).toEqual(cut)
  const long = withChunks(chunk('tEXt', Buffer.from('a\0b')))
  long.writeUInt32BE(0xffff_fff0, afterHeader)
  expect(withoutTextChunks(long)).toEqual(long)
  await expect(decodeImage(cut)).rejects.toMatchObject({ name: 'GeogapError' })
})
