import { readImage } from '../../datasets/images.ts'
import { GeogapError } from '../../lib/errors.ts'
import { createCropper, type Cropper } from '../../lib/pixels/cropper.ts'
import { splitSteps, type Step } from '../../lib/pixels/steps.ts'
import { type ShardItem } from './messages.ts'

/** Crops of a batch, uint8 [n, 3, size, size], for the items that could be decoded. */
export interface Batch {
  crops: Uint8Array
  /** Positions in the shard, one for every crop. */
  kept: number[]
  /** Items without a crop and the code of what went wrong. */
  failed: { at: number; code: string }[]
}

/** Preparation begins when this is called and goes on while the caller computes. */
export interface Preparing {
  first: number
  /** Resolves when all files are read and handed to the decoder. */
  handedOver: Promise<void>
  /** Room for a crop of each item. */
  crops: Uint8Array
  /** Each item's crop in its room, or the code of what went wrong. */
  made: Promise<Uint8Array | string>[]
}

export interface Preparer {
  /** Starts reading and decoding the items from position `first`. */
  begin(items: readonly ShardItem[], first: number): Preparing
  finish(preparing: Preparing): Promise<Batch>
  /** Milliseconds that resizing took so far. */
  resizing(): number
}

export async function createPreparer(steps: readonly Step[]): Promise<Preparer> {
  const clock = { resizing: 0 }
  const crop = await createCropper(steps, clock)
  const bytes = 3 * splitSteps(steps).size ** 2
  return { begin: (items, first) => begin(crop, bytes, items, first), finish, resizing: () => clock.resizing }
}

function begin(crop: Cropper, bytes: number, items: readonly ShardItem[], first: number): Preparing {
  const reads = items.map(item => readImage(item.image).catch(codeOf))
  const crops = new Uint8Array(items.length * bytes)
  const made = reads.map(async (read, i) => {
    const encoded = await read
    const place = crops.subarray(i * bytes, (i + 1) * bytes)
    return typeof encoded === 'string' ? encoded : crop(encoded, place).catch(codeOf)
  })
  const handedOver = Promise.all(reads).then(() => new Promise<void>(resolve => setImmediate(resolve)))
  // Whoever waits for these hears of a fault; a batch that nobody waits for any more must not end the process.
  for (const promise of [handedOver, ...made]) promise.catch(() => undefined)
  return { first, handedOver, crops, made }
}

/** The code of a fault of the image; any other fault passes on. */
function codeOf(error: unknown): string {
  if (!(error instanceof GeogapError)) return 'corrupt'
  if (error.kind !== 'data') throw error
  return error.code
}

async function finish({ first, crops, made }: Preparing): Promise<Batch> {
  const kept: number[] = []
  const failed: Batch['failed'] = []
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
  return { crops: crops.subarray(0, end), kept, failed }
}
