import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { writeSafetensors } from '../../src/lib/tensors/safetensors.ts'
import {
  applyHead,
  type FeatureMatrix,
  type LinearHead,
  loadHead,
  saveHead,
} from '../../src/models/runtime/head.ts'
import { retrainHead } from '../../src/experiments/lastLayer.ts'
import { randomFor } from '../../src/lib/random.ts'

const [rows, width, classes] = [120, 16, 4]
const folder = await mkdtemp(join(tmpdir(), 'geogap-head-'))
afterAll(() => rm(folder, { recursive: true }))

/** Features whose class is the largest of their first values. */
function world(seed: number): { features: FeatureMatrix; labels: number[] } {
  const draw = randomFor(seed, 'world')
  const data = Float32Array.from({ length: rows * width }, () => 2 * draw() - 1)
  const labels = Array.from({ length: rows }, (_, i) => {
    const first = [...data.subarray(i * width, i * width + classes)]
    return first.indexOf(Math.max(...first))
  })
  return { features: { width, data }, labels }
}

const { features, labels } = world(1)
const head: LinearHead = {
  classes,
  width,
  weight: new Float32Array(classes * width),
  bias: new Float32Array(classes),
}
const options = { features, labels, head, seed: 1, rate: 0.03, epochs: 30 }

async function accuracy(
  trained: LinearHead,
  of: { features: FeatureMatrix; labels: number[] },
): Promise<number> {
  let hits = 0
  for await (const block of applyHead(of.features, trained, 50)) {
    for (let row = 0; row < block.rows; row++) {
      const scores = [...block.logits.subarray(row * classes, (row + 1) * classes)]
      if (scores.indexOf(Math.max(...scores)) === of.labels[block.start + row]) hits += 1
    }
  }
  return hits / of.labels.length
}

describe('last-layer retraining', () => {
  it('learns classes that generalize and leaves the first head as it was', async () => {
    const { head: trained, losses, images } = await retrainHead(options)
    expect(images).toBe(rows)
    expect(losses).toHaveLength(30)
    expect(losses.at(-1)).toBeLessThan(0.7 * losses[0]!)
    expect(await accuracy(trained, world(2))).toBeGreaterThan(0.7)
    expect(head.weight.every(value => value === 0)).toBe(true)
  })

  it('is the same to the last bit for a seed, and differs between seeds', async () => {
    const [first, again, other] = [
      await retrainHead(options),
      await retrainHead(options),
      await retrainHead({ ...options, seed: 2 }),
    ]
    expect(again).toEqual(first)
    expect(other.head.weight).not.toEqual(first.head.weight)
  })

  it('trains on a fraction of the rows', async () => {
    expect((await retrainHead({ ...options, epochs: 1, fraction: 0.05 })).images).toBe(6)
  })

  it('saves a head that loads as it was, and keeps the file when a later run fails', async () => {
    const file = join(folder, 'head.safetensors')
    const { head: trained } = await retrainHead(options)
    await saveHead(file, trained)
    expect(await loadHead(file)).toEqual(trained)
    const before = await readFile(file)
    const broken = { width, data: features.data.with(5, NaN) }
    const run = async () =>
      saveHead(file, (await retrainHead({ ...options, features: broken })).head)
    await expect(run()).rejects.toThrow(/^the loss is NaN at step \d+/)
    expect(await readFile(file)).toEqual(before)
    await writeSafetensors(file, [{ name: 'fc.weight', shape: [1, 1], data: Float32Array.of(1) }])
    await expect(loadHead(file)).rejects.toThrow('no classifier head.weight [classes, width]')
  })

  it('refuses sizes and labels that do not fit', async () => {
    const run = (change: Partial<typeof options> & { fraction?: number }) =>
      retrainHead({ ...options, ...change })
    await expect(run({ labels: labels.slice(1) })).rejects.toThrow(
      '119 labels for 120 rows of features',
    )
    await expect(run({ labels: labels.with(7, 4) })).rejects.toThrow(
      'label 4 of row 7 is not a class of 0 … 3',
    )
    await expect(run({ features: { width: 8, data: features.data } })).rejects.toThrow(
      'a head of width 16',
    )
    await expect(run({ features: { width, data: features.data.subarray(1) } })).rejects.toThrow(
      '1919 values are not',
    )
    await expect(run({ fraction: 0.001 })).rejects.toThrow('fraction 0.001 of 120 rows')
  })
})
