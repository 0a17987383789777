import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { crc32, deflateSync } from 'node:zlib'
import fc from 'fast-check'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, it } from 'vitest'
import { GeogapError } from '../../../src/lib/errors.ts'
import { createCropper } from '../../../src/lib/pixels/crop.ts'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'
import { parseJpegLayout } from '../../../src/lib/pixels/jpeg.ts'
import { decodeScans } from '../../../src/lib/pixels/jpegScans.ts'
import { createWorkspace, loadModule } from '../../../src/lib/pixels/pixelModule.ts'
import { parsePlainPng } from '../../../src/lib/pixels/png.ts'
import {
  centerCrop,
  imagenetMean,
  imagenetStd,
  normalize,
  resize,
} from '../../../src/lib/pixels/steps.ts'
import { long } from '../../helpers/torture.ts'

const steps = [resize(40, 'bicubic'), centerCrop(32), normalize(imagenetMean, imagenetStd)]

/** Waves and noise, so that every coefficient of a block occurs. */
function picture(width: number, height: number, seed: number): Sharp {
  const data = Buffer.alloc(3 * width * height)
  for (let i = 0, noise = seed; i < data.length; i++) {
    noise = (Math.imul(noise, 1_664_525) + 1_013_904_223) >>> 0
    data[i] =
      128 +
      90 * Math.sin(((i % (3 * width)) * (1 + (seed % 7))) / 40 + i / data.length) +
      (noise >>> 27)
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
}

/** What libvips decodes, cropped by the same resampling; or the error's code. */
async function byGeneralDecoder(bytes: Uint8Array): Promise<string> {
  const crop = await createCropper(steps)
  return outcome(async () => {
    const { data, width, height } = await decodeImage(bytes)
    return crop(
      await sharp(data, { raw: { width, height, channels: 3 } })
        .tiff({ compression: 'none' })
        .toBuffer(),
    )
  })
}

/** Whether the module decodes all scans of a file, here without keeping any pixel. */
async function isDecodedByModule(bytes: Uint8Array): Promise<boolean> {
  const layout = parseJpegLayout(bytes)
  if (!layout) return false
  const work = createWorkspace(await loadModule(), { resizing: 0 })
  const { width, height, components } = layout
  for (const [i, { wide, tall, quantization }] of components.entries())
    work.write('components', [wide, tall, quantization], 32 * i)
  const { wide, tall } = components[0]!
  work.write('grid', [Math.ceil(width / 8 / wide), Math.ceil(height / 8 / tall), 0, 0, 0, 0])
  return decodeScans(work, layout)
}

/** Pixels as text, which is compared at once; value by value takes longer than a crop. */
const asText = (pixels: Uint8Array): string => Buffer.from(pixels).toString('hex')

const outcome = (make: () => Promise<Uint8Array>): Promise<string> =>
  make().then(asText, (error: unknown) =>
    error instanceof GeogapError ? error.code : String(error),
  )

const jpegs = fc.record({
  width: fc.integer({ min: 16, max: 120 }),
  height: fc.integer({ min: 16, max: 120 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
  quality: fc.integer({ min: 5, max: 100 }),
  chromaSubsampling: fc.constantFrom('4:2:0', '4:4:4'),
  gray: fc.boolean(),
  progressive: fc.boolean(),
})

/** Where the sampling factors of the first component are stated. */
const samplingOf = (bytes: Buffer): number => bytes.indexOf(Buffer.of(0xff, 0xc0)) + 11

const plain = { chromaSubsampling: '4:2:0' as const, gray: true, progressive: false }

async function jpeg({
  width,
  height,
  seed,
  quality,
  chromaSubsampling,
  gray,
  progressive,
}: typeof jpegs extends fc.Arbitrary<infer T> ? T : never) {
  const image = picture(width, height, seed)
  return (gray ? image.grayscale() : image)
    .jpeg({ quality, chromaSubsampling, progressive })
    .toBuffer()
}

const damages = fc.record({ at: fc.nat(), byte: fc.nat(255), cut: fc.boolean() })

/** Replaces a byte of a file, and cuts the file there if `cut`. */
function damaged(
  file: Buffer,
  { at, byte, cut }: { at: number; byte: number; cut: boolean },
): Buffer {
  file[at % file.length] = byte
  return cut ? file.subarray(0, at % file.length) : file
}

it.each([1, 2, 3, 4, 5])('a crop of %i pixels a side has the planes of its colours', async size => {
  const background = { r: 200, g: 100, b: 50 }
  const image = sharp({ create: { width: 9, height: 9, channels: 3, background } })
  const crop = await createCropper([centerCrop(size), normalize(imagenetMean, imagenetStd)])
  const plane = (value: number): number[] => Array<number>(size * size).fill(value)
  const planes = [200, 100, 50].flatMap(plane)
  expect([...(await crop(await image.png().toBuffer()))]).toEqual(planes)
})

describe('crops of JPEG files', () => {
  it('are those of the general decoder', async () => {
    const crop = await createCropper(steps)
    await fc.assert(
      fc.asyncProperty(jpegs, async settings => {
        const bytes = await jpeg(settings)
        expect(await isDecodedByModule(bytes)).toBe(true)
        expect(asText(await crop(bytes))).toBe(await byGeneralDecoder(bytes))
      }),
      { numRuns: 60 },
    )
  })

  it('of damaged files are its crops or errors too', async () => {
    const crop = await createCropper(steps)
    await fc.assert(
      fc.asyncProperty(jpegs, damages, async (settings, damage) => {
        const bytes = damaged(await jpeg(settings), damage)
        expect(await outcome(() => crop(bytes))).toEqual(await byGeneralDecoder(bytes))
      }),
      {
        numRuns: 150,
        // The sampling factors of the only component.
        examples: [
          [
            { ...plain, width: 20, height: 20, seed: 1, quality: 75 },
            {
              at: samplingOf(await jpeg({ ...plain, width: 20, height: 20, seed: 1, quality: 75 })),
              byte: 0x51,
              cut: false,
            },
          ],
        ],
      },
    )
  })

  it('with steps too large for 16 bits are those of the general decoder', async () => {
    const crop = await createCropper(steps)
    const damage = fc.record({
      places: fc.array(fc.nat(63), { minLength: 1, maxLength: 4 }),
      step: fc.integer({ min: 100, max: 255 }),
    })
    await fc.assert(
      fc.asyncProperty(jpegs, damage, async (settings, { places, step }) => {
        const bytes = await jpeg(settings)
        const table = bytes.indexOf(Buffer.of(0xff, 0xdb)) + 5
        for (const place of places) bytes[table + place] = step
        expect(await outcome(() => crop(bytes))).toEqual(await byGeneralDecoder(bytes))
      }),
      {
        numRuns: 60,
        examples: [
          [
            { ...plain, width: 24, height: 50, seed: 298_095, quality: 32 },
            { places: [0], step: 249 },
          ],
        ],
      },
    )
  })

  it('of progressive files that lack scans are those of the general decoder', async () => {
    const crop = await createCropper(steps)
    const whole = await picture(90, 70, 3).jpeg({ progressive: true }).toBuffer()
    const scans = [...whole.keys()].filter(at => whole[at] === 0xff && whole[at + 1] === 0xda)
    expect(scans.length).toBeGreaterThan(5)
    for (const end of scans.slice(1)) {
      const bytes = Buffer.concat([whole.subarray(0, end), Buffer.of(0xff, 0xd9)])
      expect(await isDecodedByModule(bytes)).toBe(false)
      expect(await outcome(() => crop(bytes))).toEqual(await byGeneralDecoder(bytes))
    }
  })

  it('leave CMYK and arithmetic files to the general decoder', async () => {
    const image = picture(64, 64, 1)
    expect(
      parseJpegLayout(await image.clone().toColourspace('cmyk').jpeg().toBuffer()),
    ).toBeUndefined()
    const arithmetic = await image.clone().jpeg().toBuffer()
    arithmetic[arithmetic.indexOf(Buffer.of(0xff, 0xc0)) + 1] = 0xc9
    expect(parseJpegLayout(arithmetic)).toBeUndefined()
  })

  it('keep no memory from picture to picture', async () => {
    const crop = await createCropper(steps)
    const bytes = await picture(1500, 1000, 1).jpeg().toBuffer()
    for (let i = 0; i < 20; i++) await crop(bytes)
    const before = process.memoryUsage().rss
    for (let i = 0; i < 200; i++) await crop(bytes)
    expect(process.memoryUsage().rss - before).toBeLessThan(30e6)
  })
})

const pngs = fc.record({
  width: fc.integer({ min: 16, max: 90 }),
  height: fc.integer({ min: 16, max: 90 }),
  seed: fc.integer({ min: 1, max: 1e6 }),
  adaptiveFiltering: fc.boolean(),
  alpha: fc.boolean(),
})

/** A PNG whose rows have the filter that `filterOf` gives, or the encoder's choice. */
async function png(
  {
    width,
    height,
    seed,
    adaptiveFiltering,
    alpha,
  }: typeof pngs extends fc.Arbitrary<infer T> ? T : never,
  filterOf?: (row: number) => number,
): Promise<Buffer> {
  const image = alpha ? picture(width, height, seed).ensureAlpha(0.5) : picture(width, height, seed)
  const bytes = await image.png({ adaptiveFiltering }).toBuffer()
  if (!filterOf) return bytes
  const rows = parsePlainPng(bytes)!.inflate()
  for (let y = 0; y < height; y++) rows[y * (1 + (alpha ? 4 : 3) * width)] = filterOf(y)
  const header = bytes.subarray(0, 33)
  return Buffer.concat([header, chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type), data])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}

describe('crops of PNG files', () => {
  it('are those of the general decoder, whatever filters the rows have', async () => {
    const crop = await createCropper(steps)
    await fc.assert(
      fc.asyncProperty(pngs, fc.array(fc.nat(4), { maxLength: 9 }), async (settings, filters) => {
        const some = filters.length > 0 ? (y: number) => filters[y % filters.length]! : undefined
        const bytes = await png(settings, some)
        expect(parsePlainPng(bytes)).toBeDefined()
        expect(asText(await crop(bytes))).toBe(await byGeneralDecoder(bytes))
      }),
      { numRuns: 60 },
    )
  })

  it('of damaged files are its crops or errors too', async () => {
    const crop = await createCropper(steps)
    await fc.assert(
      fc.asyncProperty(pngs, damages, async (settings, damage) => {
        const bytes = damaged(await png(settings), damage)
        expect(await outcome(() => crop(bytes))).toEqual(await byGeneralDecoder(bytes))
      }),
      { numRuns: 60 },
    )
  })

  it('with an unknown filter, or too few or many rows, are errors of the general decoder', async () => {
    const crop = await createCropper(steps)
    const settings = { width: 20, height: 20, seed: 1, adaptiveFiltering: false, alpha: false }
    const unknown = await png(settings, y => (y === 9 ? 5 : 0))
    expect(await outcome(() => crop(unknown))).toEqual(await byGeneralDecoder(unknown))
    for (const height of [19, 21]) {
      const bytes = await png(settings)
      bytes.writeUInt32BE(height, 20)
      bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
      expect(await outcome(() => crop(bytes))).toEqual(await byGeneralDecoder(bytes))
    }
  })

  it('with a chunk of no valid name, or too long a side, are errors of the general decoder', async () => {
    const settings = { width: 20, height: 20, seed: 1, adaptiveFiltering: false, alpha: false }
    const bytes = await png(settings)
    const odd = Buffer.concat([
      bytes.subarray(0, 33),
      chunk('quux', Buffer.alloc(3)),
      bytes.subarray(33),
    ])
    expect(parsePlainPng(odd)).toBeUndefined()
    const crop = await createCropper(steps)
    expect(await outcome(() => crop(odd))).toBe('corrupt')
    const long = await png(settings, () => 0)
    long.writeUInt32BE(70_000, 16)
    long.writeUInt32BE(crc32(long.subarray(12, 29)), 29)
    expect(await outcome(() => crop(long))).toBe('too-large')
  })

  it('leave files of other depths, colours or passes to the general decoder', async () => {
    const image = picture(20, 20, 1)
    const others = [{ palette: true }, { progressive: true }]
    for (const options of others)
      expect(parsePlainPng(await image.clone().png(options).toBuffer())).toBeUndefined()
    const deep = await image.clone().toColourspace('rgb16').png().toBuffer()
    expect(parsePlainPng(deep)).toBeUndefined()
  })
})

/** Tells the module with its sources, its options and its compiler from any other. */
function moduleDigest(): string {
  const hash = createHash('sha256')
  const sources = readdirSync('assembly').sort()
  for (const file of [
    ...sources.map(name => `assembly/${name}`),
    'node_modules/assemblyscript/package.json',
    'src/lib/pixels/pixels.wasm',
  ])
    hash.update(`${file}\n`).update(readFileSync(file))
  return `${hash.digest('hex')}\n`
}

const compiledDigest = new URL('pixels.sha256', import.meta.url)

describe('the WebAssembly module', () => {
  it('is what its sources compile to, or, in the short form, has the kept digest of when it was', async () => {
    if (!long && moduleDigest() === readFileSync(compiledDigest, 'utf8')) return
    const folder = await mkdtemp(join(tmpdir(), 'geogap-pixels-'))
    try {
      const compiler = 'node_modules/assemblyscript/bin/asc.js'
      const options = [
        '--config',
        'assembly/asconfig.json',
        '--outFile',
        join(folder, 'pixels.wasm'),
      ]
      await promisify(execFile)(process.execPath, [compiler, ...options])
      const compiled = readFileSync(join(folder, 'pixels.wasm'))
      expect(compiled.equals(readFileSync('src/lib/pixels/pixels.wasm'))).toBe(true)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })

  it.runIf(long)('has its digest kept (GEOGAP_LONG=1 npx vitest run -u writes it)', async () => {
    await expect(moduleDigest()).toMatchFileSnapshot('pixels.sha256')
  })
})
