/** The process that decodes images for `createThumbnails`, one at a time. It ends with its parent. */
import sharp from 'sharp'
import { readImage } from '../datasets/readImage.ts'
import { messageOf } from '../lib/errors.ts'
import { decodeImage } from '../lib/pixels/decode.ts'
import { type ThumbnailAnswer, type ThumbnailRequest } from './thumbnails.ts'

async function makeThumbnail({ source, sidePx }: ThumbnailRequest): Promise<Uint8Array> {
  const { data, width, height } = await decodeImage(await readImage(source))
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(sidePx, sidePx, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer()
}

process.on('disconnect', () => process.exit())
process.on('message', (request: ThumbnailRequest) => {
  void makeThumbnail(request)
    .then(
      (bytes): ThumbnailAnswer => ({ type: 'thumbnail', bytes: Uint8Array.from(bytes) }),
      (error: unknown): ThumbnailAnswer => ({ type: 'failed', reason: messageOf(error) }),
    )
    .then(answer => process.send!(answer))
})
// The time limit of an image begins after this module has loaded.
process.send!('ready')
