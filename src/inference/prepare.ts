import { readImage } from '../datasets/images.ts'
import { GeogapError } from '../errors.ts'
import { createCropper, type Cropper } from '../preprocessing/cropper.ts'
import { type Step } from '../preprocessing/steps.ts'
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
  crops: Promise<Uint8Array | string>[]
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
  return { begin: (items, first) => begin(crop, items, first), finish, resizing: () => clock.resizing }
}

function begin(crop: Cropper, items: readonly ShardItem[], first: number): Preparing {
  const reads = items.map(item => readImage(item.image).catch(codeOf))
  const crops = reads.map(async read => {
    const bytes = await read
    return typeof bytes === 'string' ? bytes : crop(bytes).catch(codeOf)
  })
  const handedOver = Promise.all(reads).then(() => new Promise<void>(resolve => setImmediate(resolve)))
  // Whoever waits for these hears of a fault; a batch that nobody waits for any more must not end the process.
  for (const promise of [handedOver, ...crops]) promise.catch(() => undefined)
  return { first, handedOver, crops }
}

/** The code of a fault of the image; any other fault passes on. */
function codeOf(error: unknown): string {
  if (!(error instanceof GeogapError)) return 'corrupt'
  if (error.kind !== 'data') throw error
  return error.code
}

async function finish({ first, crops }: Preparing): Promise<Batch> {
  const made = await Promise.all(crops)
  const batch: Batch = { crops: new Uint8Array(), kept: [], failed: [] }
  for (const [i, crop] of made.entries()) {
    if (typeof crop === 'string') batch.failed.push({ at: first + i, code: crop })
    else batch.kept.push(first + i)
  }
  batch.crops = Buffer.concat(made.filter(crop => typeof crop !== 'string'))
  return batch
}
