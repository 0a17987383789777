import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'
import { shared, sharedPath } from '../../helpers/shared.ts'
import files from './avif.json' with { type: 'json' }

/** AVIF files (base64) with the size and the hash of the pixels that Pillow 13.0 with libavif 1.4 makes of them. */
const cases = Object.entries(files)
const bytesOf = (name: keyof typeof files): Buffer => Buffer.from(files[name].file, 'base64')

const resultOf = (bytes: Uint8Array) =>
  decodeImage(bytes).then(
    ({ width, height, data }) => ({
      size: `${width} x ${height}`,
      sha256: createHash('sha256').update(data).digest('hex'),
    }),
    (error: unknown) => ({ code: (error as { code: string }).code }),
  )

describe("AVIF gives Pillow's pixels to the bit", () => {
  it.each(cases)('%s', async (_, { file, size, sha256 }) => {
    expect(await resultOf(Buffer.from(file, 'base64'))).toEqual({ size, sha256 })
  })

  it.skipIf(!shared)('of a photograph (left out: the shared cases are not here)', async () => {
    const { sha256 } = (await resultOf(readFileSync(sharedPath('cases/images/x.avif')))) as {
      sha256: string
    }
    expect(sha256).toBe('be92577b602b77388452ec5b5314326db66e50dac915ae6685c6214928290e08')
  })
})

describe('AVIF that is not read', () => {
  it('says so of matrices that are rare and of premultiplied alpha', async () => {
    const matrix = bytesOf('4:2:0, BT.709')
    matrix[matrix.indexOf('nclx') + 9] = 8
    await expect(decodeImage(matrix)).rejects.toMatchObject({
      code: 'unknown-format',
      message: 'AVIF with the matrix coefficients 8 is not read; convert the image to PNG',
    })
    const alpha = bytesOf('10 bits, 4:2:0, alpha')
    alpha.write('prem', alpha.indexOf('auxl'))
    alpha.writeUInt16BE(1, alpha.indexOf('prem') + 4)
    expect(await resultOf(alpha)).toEqual({ code: 'unknown-format' })
  })

  it('is an error wherever the file is cut off', async () => {
    const file = bytesOf('grid of two tiles')
    for (let length = 32; length < file.length - 1; length += 7)
      expect(['truncated', 'corrupt', 'unknown-format']).toContain(
        ((await resultOf(file.subarray(0, length))) as { code: string }).code,
      )
  })

  it('survives damaged boxes', async () => {
    const file = bytesOf('grid of two tiles')
    const end = file.indexOf('mdat')
    for (let at = 12; at < end; at += 2)
      for (const value of [0, 0x44, 0xff]) {
        const damaged = Buffer.from(file)
        damaged[at] = value
        const result = await resultOf(damaged)
        if ('code' in result)
          expect(['truncated', 'corrupt', 'unknown-format', 'too-large']).toContain(result.code)
      }
  })
})
