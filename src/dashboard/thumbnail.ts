/** The process that decodes images for `createThumbnails`, one at a time. It ends with its parent. */
import sharp from 'sharp'
import { readImage } from '../datasets/images.ts'
import { type ImageSource } from '../lib/archive/member.ts'
import { messageOf } from '../lib/errors.ts'
import { decodeImage } from '../lib/pixels/decode.ts'
import { type ThumbnailAnswer } from './thumbnails.ts'

const maxSidePx = 224

async function makeThumbnail(source: ImageSource): Promise<Uint8Array> {
  const { data, width, height } = await decodeImage(await readImage(source))
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(maxSidePx, maxSidePx, { fit: 'inside', withoutEnlargement: true })
    .webp({ quality: 80 })
    .toBuffer()
}

process.on('disconnect', () => process.exit())
process.on('message', (source: ImageSource) => {
  void makeThumbnail(source)
    .then(
      (bytes): ThumbnailAnswer => ({ type: 'thumbnail', bytes: Uint8Array.from(bytes) }),
      (error: unknown): ThumbnailAnswer => ({ type: 'failed', reason: messageOf(error) }),
    )
    .then(answer => process.send!(answer))
})
// The time limit of an image begins after this module has loaded.
process.send!('ready')
