import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keptCountsName } from '../../src/results/keptCounts.ts'
import { readKeptOutputs, writeKeptOutputs } from '../../src/results/keptOutputs.ts'
import {
  shardFileNames,
  manifestName,
  readStoredEvaluations,
} from '../../src/results/storedEvaluations.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-kept-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const order = (row: Float32Array): number[] =>
  [...row.keys()]
    .filter(i => !Number.isNaN(row[i]))
    .sort((a, b) => (row[a]! === row[b]! ? a - b : row[b]! > row[a]! ? 1 : -1))

const ties = (row: Float32Array): boolean[] => {
  const sorted = order(row).map(i => row[i]!)
  return sorted.slice(1).map((value, i) => value === sorted[i])
}

async function stored(values: Float32Array): Promise<Float32Array> {
  const file = join(folder, 'row.safetensors')
  await writeKeptOutputs(file, 'logits', { values, width: values.length })
  return (await readKeptOutputs(file, 'logits')).values
}

describe('kept logits', () => {
  it('rank any logits as float32 ranks them, ties, infinities and not-a-numbers included', async () => {
    const logit = fc.oneof(
      fc.float({ min: -60, max: 60 }),
      fc.integer({ min: 0, max: 40 }).map(k => Math.fround(20 + k * 2 ** -18)),
      fc.constantFrom(0, -0, NaN, -Infinity, 7),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(logit, { minLength: 1, maxLength: 300 }), async list => {
        const row = Float32Array.from(list)
        const kept = await stored(row)
        expect(order(kept)).toEqual(order(row))
        expect(ties(kept)).toEqual(ties(row))
        expect(list.filter((value, i) => Number.isNaN(value) !== Number.isNaN(kept[i]))).toEqual([])
      }),
      { numRuns: 60 },
    )
  })

  it('are within a step or two of float16 of the distance from the median', async () => {
    const row = Float32Array.from({ length: 1000 }, (_, i) => 30 + 16 * ((i * 0.6180339887) % 1))
    const middle = [...row].sort((a, b) => a - b)[499]!
    const kept = await stored(row)
    const worst = Math.max(...row.map((value, i) => Math.abs(value - middle - kept[i]!)))
    expect(worst).toBeLessThan(2 ** -8)
  })
})

describe('evaluate with keep', () => {
  it('keeps an output beside every shard, adds what an earlier run lacks, and changes no key', async () => {
    const manifest = await writeWorld(folder, 70)
    const models = [await writeModel(folder), await writeModel(folder, 2)]
    const out = join(folder, 'out')
    const options = {
      models,
      datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
      out,
    }
    await evaluate(options)
    const plain = await readStoredEvaluations(out)
    await evaluate({ ...options, keep: 'features' })
    await evaluate({ ...options, keep: 'logits', replace: true })
    const entries = await readStoredEvaluations(out)
    expect(entries.map(({ key }) => key).sort()).toEqual(plain.map(({ key }) => key).sort())
    for (const { shards, folder: place, rows } of entries) {
      expect(rows).toBe(70)
      expect(shards.map(({ kept }) => kept?.output)).toEqual(shards.map(() => 'logits'))
      const files = shards.flatMap(shard => [manifestName(shard), ...shardFileNames(shard)])
      expect((await readdir(place)).sort()).toEqual([...files, keptCountsName].sort())
      for (const { kept, rows } of shards) {
        const { values, width } = await readKeptOutputs(join(place, kept!.file), 'logits')
        expect([values.length / width, width]).toEqual([rows, 3])
      }
    }
    const seen: number[] = []
    await evaluate({ ...options, keep: 'logits', onProgress: ({ done }) => seen.push(done) })
    await evaluate({ ...options, onProgress: ({ done }) => seen.push(done) })
    expect(seen).toEqual([])
  }, 60_000)
})
