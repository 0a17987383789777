import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { crc32, deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'

const codeOf = (bytes: Uint8Array): Promise<string> =>
  decodeImage(bytes).then(
    ({ width, height }) => `${width} x ${height}`,
    (error: unknown) => (error as { code: string }).code,
  )

const pixelsOf = async (bytes: Uint8Array): Promise<number[][]> => {
  const { data } = await decodeImage(bytes)
  return Array.from({ length: data.length / 3 }, (_, i) => [...data.subarray(3 * i, 3 * i + 3)])
}

/** Makes TIFF files of one uncompressed strip: the header, then the bytes of the count, of an entry, before its value, and after all. */
const tiffMaker =
  (head: string, bytes: Readonly<Record<'count' | 'entry' | 'value' | 'next', number>>) =>
  (
    [width, height]: [number, number],
    data: Uint8Array,
    tags: Readonly<Record<number, number>>,
  ): Buffer => {
    const all = { 256: width, 257: height, 259: 1, 273: 0, 278: height, 279: data.length, ...tags }
    const entries = Object.entries(all)
    const start = head.length + bytes.count
    const file = Buffer.alloc(start + bytes.entry * entries.length + bytes.next)
    file.write(head, 'latin1')
    file.writeUInt16LE(entries.length, head.length)
    for (const [i, [tag, value]] of entries.entries()) {
      const at = start + bytes.entry * i
      file.writeUInt16LE(Number(tag), at)
      file.writeUInt16LE(4, at + 2)
      file.writeUInt32LE(1, at + 4)
      file.writeUInt32LE(['273', '324'].includes(tag) ? file.length : value, at + bytes.value)
    }
    return Buffer.concat([file, data])
  }

const makeTiff = tiffMaker('II*\0\x08\0\0\0', { count: 2, entry: 12, value: 8, next: 4 })
const makeBigTiff = tiffMaker('II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0', {
  count: 8,
  entry: 20,
  value: 12,
  next: 8,
})

/** A gray PNG file of 16 bits in which one value is transparent. */
function makeGrayPng(values: readonly number[], transparent: number): Buffer {
  const chunk = (type: string, data: Uint8Array): Buffer => {
    const bytes = Buffer.concat([Buffer.from(`\0\0\0\0${type}`, 'latin1'), data, Buffer.alloc(4)])
    bytes.writeUInt32BE(data.length, 0)
    bytes.writeUInt32BE(crc32(bytes.subarray(4, -4)), bytes.length - 4)
    return bytes
  }
  const twoBytes = (value: number): number[] => [value >> 8, value & 255]
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', Uint8Array.of(0, 0, 0, values.length, 0, 0, 0, 1, 16, 0, 0, 0, 0)),
    chunk('tRNS', Uint8Array.from(twoBytes(transparent))),
    chunk('IDAT', deflateSync(Uint8Array.from([0, ...values.flatMap(twoBytes)]))),
    chunk('IEND', new Uint8Array()),
  ])
}

interface GifOptions {
  screen: [number, number]
  /** left, top, width, height */
  frame: [number, number, number, number]
  colors: number[]
  transparent?: number
  hasPalette?: boolean
}

const gifPalette = [
  [200, 10, 20],
  [30, 210, 40],
  [50, 60, 220],
  [240, 250, 70],
]

/** A GIF file of one frame with codes of three bits, each after a clear code. */
function makeGif({ screen, frame, colors, transparent, hasPalette = true }: GifOptions): Buffer {
  const head = Buffer.alloc(13)
  head.write('GIF89a', 'latin1')
  head.writeUInt16LE(screen[0], 6)
  head.writeUInt16LE(screen[1], 8)
  head[10] = hasPalette ? 0x81 : 0
  const control = transparent === undefined ? [] : [0x21, 0xf9, 4, 1, 0, 0, transparent, 0]
  const descriptor = Buffer.alloc(10)
  descriptor[0] = 0x2c
  for (const [i, value] of frame.entries()) descriptor.writeUInt16LE(value, 1 + 2 * i)
  const bits = [...colors.flatMap(color => [4, color]), 5].flatMap(code => [
    code & 1,
    (code >> 1) & 1,
    code >> 2,
  ])
  const codes = Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    bits.slice(8 * i, 8 * i + 8).reduce((byte, bit, k) => byte | (bit << k), 0),
  )
  return Buffer.concat([
    head,
    Buffer.from(hasPalette ? gifPalette.flat() : []),
    Buffer.from(control),
    descriptor,
    Buffer.from([2, codes.length, ...codes, 0, 0x3b]),
  ])
}

describe('decoding as Pillow does', () => {
  it.skipIf(!shared).each([
    ['cmyk.tiff', 'a0d0bb4d86c3953a8f27b39d488a272e6766a68c616b034d56121b4d930580bd'],
    ['still_trans.gif', '6b4f73eb1b5fd959817d7af226f11ea6864d0505c258201381f508704430d54e'],
  ])('gives the same bytes of %s (left out: the shared cases are not here)', async (file, hash) => {
    const { data } = await decodeImage(readFileSync(sharedPath(`cases/images/${file}`)))
    expect(createHash('sha256').update(data).digest('hex')).toBe(hash)
  })

  it('converts CMYK in TIFF by the formula of CMYK in JPEG', async () => {
    const cmyk = Uint8Array.of(10, 200, 0, 30, 255, 0, 128, 0)
    const tags = { 258: 8, 262: 5, 277: 4 }
    expect(await pixelsOf(makeTiff([2, 1], cmyk, tags))).toEqual([
      [216, 49, 225],
      [0, 255, 127],
    ])
  })

  it('clips gray of 16 bits', async () => {
    const gray = new Uint8Array(Uint16Array.of(0, 200, 255, 256, 65_535).buffer)
    const tags = { 258: 16, 262: 1, 277: 1 }
    const expected = [0, 200, 255, 255, 255].map(value => [value, value, value])
    expect(await pixelsOf(makeTiff([5, 1], gray, tags))).toEqual(expected)
    expect(await pixelsOf(makeGrayPng([0, 200, 255, 256, 65_535], 200))).toEqual(expected)
  })

  it('turns a TIFF by its orientation, and no JPEG', async () => {
    const gray = Uint8Array.of(1, 2)
    const tags = { 258: 8, 262: 1, 277: 1, 274: 6 }
    expect(await codeOf(makeTiff([2, 1], gray, tags))).toBe('1 x 2')
    const image = sharp({ create: { width: 40, height: 20, channels: 3, background: '#aa3311' } })
    expect(await codeOf(await image.jpeg().withMetadata({ orientation: 6 }).toBuffer())).toBe(
      '40 x 20',
    )
  })

  it('refuses uncompressed YCbCr in TIFF', async () => {
    const ycc = new Uint8Array(3)
    expect(await codeOf(makeTiff([1, 1], ycc, { 258: 8, 262: 6, 277: 3 }))).toBe('unknown-format')
  })

  it('refuses TIFF with signed bytes, with 16 bits where white is 0, and in colours of floats', async () => {
    const refused = [
      makeTiff([2, 1], new Uint8Array(2), { 258: 8, 262: 1, 277: 1, 339: 2 }),
      makeTiff([2, 1], new Uint8Array(4), { 258: 16, 262: 0, 277: 1 }),
      makeTiff([1, 1], new Uint8Array(12), { 258: 32, 262: 2, 277: 3, 339: 3 }),
      makeBigTiff([2, 1], new Uint8Array(2), { 258: 8, 262: 1, 277: 1, 339: 2 }),
      makeBigTiff([1, 1], new Uint8Array(3), { 258: 8, 262: 6, 277: 3 }),
    ]
    expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'unknown-format'))
  })

  it('refuses what libvips would make black: colours of more bits, half floats, tiles packed otherwise', async () => {
    const tile = { 258: 8, 262: 1, 277: 1, 322: 16, 323: 16, 324: 0, 325: 64 }
    const refused = [
      makeTiff([1, 1], Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9), { 258: 16, 262: 5, 277: 4 }),
      makeTiff([1, 1], new Uint8Array(12).fill(99), { 258: 32, 262: 2, 277: 3 }),
      makeTiff([2, 1], Uint8Array.of(0, 60, 0, 60), { 258: 16, 262: 1, 277: 1, 339: 3 }),
      ...[34_925, 50_000].map(packing =>
        makeTiff([16, 16], new Uint8Array(64).fill(7), { ...tile, 259: packing }),
      ),
    ]
    expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => 'unknown-format'))
  })

  it('refuses a JPEG of two components', async () => {
    const image = sharp({ create: { width: 8, height: 8, channels: 3, background: '#a31' } })
    const jpeg = await image.jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()
    /** Takes the last component out of a segment that has so many bytes of each. */
    const lessOne = (bytes: Buffer, marker: number, width: number): Buffer => {
      const at = bytes.indexOf(Buffer.of(0xff, marker)) + 2
      const count = at + (marker === 0xc0 ? 7 : 2)
      bytes.writeUInt16BE(bytes.readUInt16BE(at) - width, at)
      bytes[count] = 2
      const last = count + 1 + 2 * width
      return Buffer.concat([bytes.subarray(0, last), bytes.subarray(last + width)])
    }
    expect(await codeOf(lessOne(lessOne(jpeg, 0xc0, 3), 0xda, 2))).toBe('unknown-format')
  })

  it.each([
    ['keeps the colour of transparent pixels', {}, [1, 2, 0, 3, 1, 2]],
    [
      'lays a small frame on colour 0',
      { screen: [4, 2], frame: [1, 0, 2, 1], colors: [1, 2] },
      [0, 1, 2, 0, 0, 0, 0, 0],
    ],
    [
      'lays a small frame on the transparent colour',
      { screen: [2, 2], frame: [0, 1, 1, 1], colors: [2], transparent: 3 },
      [3, 3, 2, 3],
    ],
    [
      'extends the screen to the frame',
      { screen: [1, 1], frame: [1, 1, 1, 1], colors: [2] },
      [0, 0, 0, 2],
    ],
  ])('of a GIF %s', async (_, options, expected) => {
    const whole: GifOptions = {
      screen: [3, 2],
      frame: [0, 0, 3, 2],
      colors: [1, 2, 0, 3, 1, 2],
      transparent: 2,
    }
    const gif = makeGif({ ...('colors' in options ? {} : whole), ...options } as GifOptions)
    expect(await pixelsOf(gif)).toEqual(expected.map(color => gifPalette[color]))
  })

  it('reads a GIF without a palette as gray', async () => {
    const gif = makeGif({ screen: [2, 1], frame: [0, 0, 2, 1], colors: [3, 1], hasPalette: false })
    expect(await pixelsOf(gif)).toEqual([
      [3, 3, 3],
      [1, 1, 1],
    ])
  })

  it('decodes GIF files with growing codes, interlaced or not', async () => {
    const data = Uint8Array.from({ length: 3 * 90 * 70 }, (_, i) => ((i * i) % 251) & 0xe0)
    const image = sharp(data, { raw: { width: 90, height: 70, channels: 3 } })
    const gif = await image.gif({ dither: 0 }).toBuffer()
    const expected = await sharp(gif).removeAlpha().raw().toBuffer()
    expect(Buffer.from((await decodeImage(gif)).data).equals(expected)).toBe(true)
  })

  it('names what is wrong with a GIF that is cut off anywhere', async () => {
    const gif = makeGif({ screen: [3, 2], frame: [0, 0, 3, 2], colors: [1, 2, 0, 3, 1, 2] })
    for (let length = 1; length < gif.length - 4; length++)
      expect([length, await codeOf(gif.subarray(0, length))]).toEqual([
        length,
        length < 6 ? 'unknown-format' : 'truncated',
      ])
  })

  it('survives damaged codes of a GIF', async () => {
    const gif = makeGif({ screen: [3, 2], frame: [0, 0, 3, 2], colors: [1, 2, 0, 3, 1, 2] })
    for (let i = gif.length - 12; i < gif.length; i++)
      for (const value of [0, 0x55, 0xff]) {
        const damaged = Buffer.from(gif)
        damaged[i] = value
        expect(['3 x 2', 'truncated', 'corrupt']).toContain(await codeOf(damaged))
      }
  })
})

describe('formats', () => {
  it.skipIf(!shared)('reads HEIC (left out: the shared cases are not here)', async () => {
    expect(await codeOf(readFileSync(sharedPath('cases/images/photo.heic')))).toBe('500 x 375')
  })

  it.each([
    ['BMP', 'BM\x36\x10\0\0\0\0\0\0\x36\0\0\0'],
    ['Netpbm', 'P6\n2 2\n255\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['JPEG XL', '\xff\x0a\0\0'],
    ['PDF', '%PDF-1.7'],
    ['SVG', '  \n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'],
    ['SVG', '\xef\xbb\xbf<?xml version="1.0"?><svg/>'],
  ])('refuses %s by name and says how to convert it', async (name, text) => {
    await expect(decodeImage(Buffer.from(text, 'latin1'))).rejects.toMatchObject({
      code: 'unknown-format',
      message: expect.stringMatching(new RegExp(`^${name}.* is not read; convert`)) as string,
    })
  })

  it.each([
    ['compressed', '\x1f\x8b\x08\0'],
    ['behind a GIF signature', 'GIF89a<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['behind a TIFF signature', 'II*\0<svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['behind a comment', '<!-- --><svg xmlns="http://www.w3.org/2000/svg"/>'],
    ['in UTF-16', '\xff\xfe<\0s\0v\0g\0'],
  ])('never draws SVG %s', async (_, text) => {
    expect(['unknown-format', 'truncated', 'corrupt']).toContain(
      await codeOf(Buffer.from(text, 'latin1')),
    )
  })
})

describe('damage is no picture', () => {
  const data = Uint8Array.from({ length: 3 * 60 * 40 }, (_, i) => (i * i) % 251)
  const image = sharp(data, { raw: { width: 60, height: 40, channels: 3 } })

  it('in a palette of a PNG', async () => {
    const png = await image.clone().png({ palette: true }).toBuffer()
    png[png.indexOf('PLTE') + 9]! ^= 1
    expect(await codeOf(png)).toBe('corrupt')
  })

  it('in a strip of a TIFF', async () => {
    const tiff = await image.clone().tiff({ compression: 'deflate' }).toBuffer()
    expect(await codeOf(tiff)).toBe('60 x 40')
    tiff[200]! ^= 16
    expect(await codeOf(tiff)).toBe('corrupt')
  })
})

describe('sizes are checked before pixels are decoded', () => {
  const small = sharp({ create: { width: 16, height: 16, channels: 3, background: '#123456' } })
  /** Writes a size over that of a small image, whose pixels then are missing. */
  const patch = async (
    image: Promise<Buffer>,
    find: (file: Buffer) => number,
    write: (file: Buffer, at: number) => void,
  ): Promise<Buffer> => {
    const file = Buffer.from(await image)
    write(file, find(file))
    return file
  }
  const bombs: Record<string, () => Promise<Buffer>> = {
    png: () =>
      patch(
        small.clone().png().toBuffer(),
        () => 16,
        (file, at) => {
          file.writeUInt32BE(1, at)
          file.writeUInt32BE(900_000, at + 4)
          const table = file.subarray(12, 29)
          file.writeUInt32BE(crc32(table), 29)
        },
      ),
    jpeg: () =>
      patch(
        small.clone().jpeg({ progressive: true }).toBuffer(),
        file => file.indexOf(Buffer.of(0xff, 0xc2)),
        (file, at) => file.writeUInt32BE(0xea60ea60, at + 5),
      ),
    'webp, lossy': () =>
      patch(
        small.clone().webp().toBuffer(),
        file => file.indexOf(Buffer.of(0x9d, 0x01, 0x2a)),
        (file, at) => file.writeUInt32LE(0x3fff3fff, at + 3),
      ),
    gif: () =>
      Promise.resolve(makeGif({ screen: [9, 9], frame: [0, 0, 65_535, 65_535], colors: [1] })),
    tiff: () =>
      Promise.resolve(makeTiff([1, 100_000], new Uint8Array(100_000), { 258: 8, 262: 1, 277: 1 })),
    avif: () =>
      patch(
        small.clone().avif().toBuffer(),
        file => file.indexOf('ispe'),
        (file, at) => {
          file.writeUInt32BE(30_000, at + 8)
          file.writeUInt32BE(30_000, at + 12)
        },
      ),
  }
  it.each(Object.keys(bombs))('%s', async format => {
    expect(await codeOf(await bombs[format]!())).toBe('too-large')
  })
})

describe.skipIf(!shared)('HEIC that is damaged or too large', () => {
  it('is an error, and libheif writes nothing to the console', async () => {
    const photo = readFileSync(sharedPath('cases/images/photo.heic'))
    const lines: unknown[] = []
    const { log } = console
    console.log = (...words: unknown[]) => void lines.push(words)
    try {
      const large = Buffer.from(photo)
      for (let at = large.indexOf('ispe'); at >= 0; at = large.indexOf('ispe', at + 4)) {
        large.writeUInt32BE(60_000, at + 8)
        large.writeUInt32BE(60_000, at + 12)
      }
      const cut = photo.subarray(0, (photo.length * 3) / 4)
      expect(await Promise.all([large, cut, photo].map(codeOf))).toEqual([
        'too-large',
        'corrupt',
        expect.stringMatching(/^\d+ x \d+$/),
      ])
      expect(lines).toEqual([])
    } finally {
      console.log = log
    }
  })
})
