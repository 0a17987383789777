import sharp from 'sharp'
import { expect, it } from 'vitest'
import { decodeImage } from '../../../src/lib/pixels/decode.ts'

it(
  'names the reason of each image, however many fail side by side',
  { timeout: 30_000 },
  async () => {
    const whole = await sharp({
      create: { width: 64, height: 48, channels: 3, background: '#884422' },
    })
      .jpeg()
      .toBuffer()
    const codeOf = (bytes: Uint8Array): Promise<string> =>
      decodeImage(bytes).then(
        ({ width, height }) => `${width} × ${height}`,
        (error: unknown) => (error as { code: string }).code,
      )
    const images = [whole, whole.subarray(0, whole.length / 2), Buffer.from('this is no picture')]
    for (let round = 0; round < 100; round++) {
      const codes = await Promise.all([...images, ...images].map(codeOf))
      expect(codes).toEqual([...codes.slice(0, 3), '64 × 48', 'truncated', 'unknown-format'])
      expect(codes.slice(0, 3)).toEqual(codes.slice(3))
    }
  },
)
