import { type InferenceSession } from 'onnxruntime-node'
import { readImage } from '../datasets/images.ts'
import { GeogapError } from '../errors.ts'
import { encode } from '../graph/onnx.ts'
import { decode, type Pixels } from '../preprocessing/decode.ts'
import { cropFeeds, cropGraph } from '../preprocessing/toGraph.ts'
import { splitSteps, type Step } from '../preprocessing/steps.ts'
import { type ShardItem } from './messages.ts'
import { createSession } from './session.ts'

/** Crops of a batch, uint8 [n, 3, size, size], for the items that could be decoded. */
export interface Batch {
  crops: Uint8Array
  /** Positions in the shard, one for every crop. */
  kept: number[]
  /** Items without a crop and the code of what went wrong. */
  failed: { at: number; code: string }[]
}

/** Decoding begins when this is called and goes on while the caller computes. */
export interface Decoding {
  first: number
  /** Resolves when all files are read and handed to the decoder, whose threads then work by themselves. */
  handedOver: Promise<void>
  pixels: Promise<Pixels | string>[]
}

export interface Preparer {
  /** Starts reading and decoding the items from position `first`. */
  begin(items: readonly ShardItem[], first: number): Decoding
  finish(decoding: Decoding): Promise<Batch>
}

export async function createPreparer(steps: readonly Step[]): Promise<Preparer> {
  const { size } = splitSteps(steps)
  const model = encode(cropGraph(steps))
  const session = await createSession(model, { threads: 1, spinning: false })
  return {
    begin,
    finish: decoding => cropAll(session, steps, size, decoding),
  }
}

function begin(items: readonly ShardItem[], first: number): Decoding {
  const reads = items.map(item => readImage(item.image).catch(codeOf))
  const pixels = reads.map(async read => {
    const bytes = await read
    return typeof bytes === 'string' ? bytes : decode(bytes).catch(codeOf)
  })
  const handedOver = Promise.all(reads).then(() => new Promise<void>(resolve => setImmediate(resolve)))
  return { first, handedOver, pixels }
}

const codeOf = (error: unknown): string => (error instanceof GeogapError ? error.code : 'corrupt')

async function cropAll(
  session: InferenceSession,
  steps: readonly Step[],
  size: number,
  decoding: Decoding,
): Promise<Batch> {
  const bytes = 3 * size * size
  const crops = new Uint8Array(decoding.pixels.length * bytes)
  const batch: Batch = { crops, kept: [], failed: [] }
  for (const [i, promise] of decoding.pixels.entries()) {
    const pixels = await promise
    const result = typeof pixels === 'string' ? pixels : await crop(session, steps, pixels)
    if (typeof result === 'string') batch.failed.push({ at: decoding.first + i, code: result })
    else {
      crops.set(result, batch.kept.length * bytes)
      batch.kept.push(decoding.first + i)
    }
  }
  batch.crops = crops.subarray(0, batch.kept.length * bytes)
  return batch
}

async function crop(session: InferenceSession, steps: readonly Step[], pixels: Pixels): Promise<Uint8Array | string> {
  const { Tensor } = await import('onnxruntime-node')
  const { data, height, width } = pixels
  try {
    const sizes = Object.entries(cropFeeds(steps, height, width)).map(([name, values]) => {
      return [name, new Tensor('int64', BigInt64Array.from(values, BigInt), [values.length])] as const
    })
    const feeds = { image: new Tensor('uint8', data, [1, height, width, 3]), ...Object.fromEntries(sizes) }
    const { crop } = await session.run(feeds)
    return crop!.data as Uint8Array
  } catch (error) {
    return codeOf(error)
  }
}
