import { readImage } from '../../datasets/readImage.ts'
import { type BufferPool, createBufferPool } from '../../lib/bufferPool.ts'
import { GeogapError } from '../../lib/errors.ts'
import { createCropper, type Cropper } from '../../lib/pixels/crop.ts'
import { splitSteps, type PreprocessingStep } from '../../lib/pixels/steps.ts'
import { type ShardSample } from './messages.ts'

/** Crops of a batch, uint8 [n, 3, size, size], for the items that could be decoded. */
export interface CropBatch {
  crops: Uint8Array
  /** Positions in the shard, one for every crop. */
  positions: number[]
  /** Items without a crop, with their error codes. */
  failed: { at: number; code: string }[]
}

/** Preparation begins when this is called and goes on while the caller computes. */
export interface PendingCrops {
  first: number
  /** Resolves when all files are read and handed to the decoder. */
  handedOver: Promise<void>
  /** Room for a crop of each item. */
  crops: Uint8Array
  /** Each item's crop in its place, or an error code. */
  results: Promise<Uint8Array | string>[]
}

export interface CropPreparer {
  /** Starts reading and decoding the items from position `first`. */
  begin(items: readonly ShardSample[], first: number): PendingCrops
  finish(preparing: PendingCrops): Promise<CropBatch>
  /** Lets the memory of a batch be used again: its crops must not be read any more. */
  release(batch: CropBatch): void
  /** Milliseconds that resizing took so far. */
  resizingMs(): number
}

export async function createCropPreparer(
  steps: readonly PreprocessingStep[],
): Promise<CropPreparer> {
  const clock = { resizing: 0 }
  const making = {
    crop: await createCropper(steps, clock),
    bytes: 3 * splitSteps(steps).size ** 2,
    memory: createBufferPool(),
  }
  return {
    begin: (items, first) => ({ first, ...beginCrops(items, making) }),
    finish: finishCrops,
    release: ({ crops }) => making.memory.giveBack(crops),
    resizingMs: () => clock.resizing,
  }
}

interface CropMaking {
  crop: Cropper
  /** Bytes of a crop. */
  bytes: number
  memory: BufferPool
}

function beginCrops(
  items: readonly ShardSample[],
  { crop, bytes, memory }: CropMaking,
): Omit<PendingCrops, 'first'> {
  const reads = items.map(item => readImage(item.image, memory.take).catch(imageErrorCode))
  const crops = memory.take(items.length * bytes)
  const made = reads.map(async (read, i) => {
    const encoded = await read
    const place = crops.subarray(i * bytes, (i + 1) * bytes)
    if (typeof encoded === 'string') return encoded
    const cropped = await crop(encoded, place).catch(imageErrorCode)
    // After an error a decoder's thread may still read the file's bytes.
    if (typeof cropped !== 'string') memory.giveBack(encoded)
    return cropped
  })
  const handedOver = Promise.all(reads).then(
    () => new Promise<void>(resolve => setImmediate(resolve)),
  )
  // Awaiting these reports an error; an error of an abandoned batch must not end the process.
  for (const promise of [handedOver, ...made]) promise.catch(() => undefined)
  return { handedOver, crops, results: made }
}

/** The code of a fault of the image; any other fault passes on. */
function imageErrorCode(error: unknown): string {
  if (!(error instanceof GeogapError)) return 'corrupt'
  if (error.kind !== 'data') throw error
  return error.code
}

async function finishCrops({ first, crops, results: made }: PendingCrops): Promise<CropBatch> {
  const kept: number[] = []
  const failed: CropBatch['failed'] = []
  let end = 0
  for (const [i, crop] of (await Promise.all(made)).entries()) {
    if (typeof crop === 'string') {
      failed.push({ at: first + i, code: crop })
      continue
    }
    if (failed.length > 0) crops.set(crop, end)
    kept.push(first + i)
    end += crop.length
  }
  return { crops: crops.subarray(0, end), positions: kept, failed }
}
