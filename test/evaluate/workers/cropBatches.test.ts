import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import sharp from 'sharp'
import type { GeogapError } from '../../../src/lib/errors.ts'
import { createCropper } from '../../../src/lib/pixels/crop.ts'
import { paperSteps } from '../../../src/lib/pixels/steps.ts'
import { createCropPreparer } from '../../../src/evaluate/workers/cropBatches.ts'
import { temporaryFolder } from '../../datasets/fixtures.ts'

const folder = temporaryFolder()

const formats = ['jpeg', 'png', 'webp'] as const
const files: { file: string; bytes: Buffer }[] = []

beforeAll(async () => {
  for (let i = 0; i < 24; i++) {
    const side = 260 + 37 * (i % 5)
    const raw = Buffer.from(
      Array.from({ length: 3 * side * side }, (_, at) => (at * (i + 3)) % 251),
    )
    const image = sharp(raw, { raw: { width: side, height: side, channels: 3 } })
    const bytes = await image[formats[i % 3]!]().toBuffer()
    const file = join(folder, `${i}.img`)
    // Every seventh file is cut off: its place in the batch is closed.
    files.push({ file, bytes: i % 7 === 3 ? bytes.subarray(0, bytes.length >> 2) : bytes })
    writeFileSync(file, files[i]!.bytes)
  }
})

test('crops are those of a cropper that shares no memory, batch after batch, with damaged files among them', async () => {
  const crop = await createCropper(paperSteps)
  const expected = await Promise.all(
    files.map(({ bytes }) => crop(bytes).catch((error: unknown) => (error as GeogapError).code)),
  )
  const preparer = await createCropPreparer(paperSteps)
  const sampleOf = (i: number) => ({
    image: { kind: 'file', file: files[i]!.file } as const,
    labels: [0],
  })
  const batches = Array.from({ length: 12 }, (_, k) => [0, 1, 2, 3, 4].map(i => (5 * k + i) % 24))
  let next = preparer.begin(batches[0]!.map(sampleOf), 0)
  let damaged = 0
  for (const [k, batch] of batches.entries()) {
    const { crops, positions, failed } = await preparer.finish(next)
    next = preparer.begin((batches[k + 1] ?? []).map(sampleOf), 0)
    await next.handedOver
    for (const { at, code } of failed) expect(expected[batch[at]!]).toBe(code)
    damaged += failed.length
    const bytes = 3 * 224 * 224
    expect(crops.length).toBe(positions.length * bytes)
    for (const [row, at] of positions.entries()) {
      const found = crops.subarray(row * bytes, (row + 1) * bytes)
      expect(Buffer.compare(found, expected[batch[at]!] as Uint8Array)).toBe(0)
    }
    expect(positions.length + failed.length).toBe(batch.length)
    preparer.release({ crops, positions, failed })
  }
  expect(damaged).toBeGreaterThan(5)
})
