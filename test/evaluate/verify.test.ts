import { mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { compareRows, keptDifference, type ShardRow } from '../../src/evaluate/agreement.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import {
  type StoredEvaluation,
  manifestName,
  readStoredEvaluations,
  shardPaths,
} from '../../src/results/storedEvaluations.ts'
import { verifyText } from '../../src/cli/print/verify.ts'
import { copyQueryToParquet } from '../../src/lib/sql.ts'
import { isWithinTolerance, modelsToVerify, verify } from '../../src/evaluate/verify.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
let out: string
let model: ModelSpec
let entry: StoredEvaluation
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-verified-'))
  out = join(folder, 'results')
  model = await writeModel(join(folder, 'models'))
  const dataset = { name: await writeWorld(folder, 130), classes: join(folder, 'classes.txt') }
  await evaluate({ models: [model], datasets: [dataset], out, keep: 'logits' })
  entry = (await readStoredEvaluations(out))[0]!
})
afterAll(() => rm(folder, { recursive: true, force: true }))

it('a shard at least is drawn, by the seed alone, and agrees; machines stand on both sides', async () => {
  expect(entry.shards.length).toBeGreaterThan(3)
  const { shards, here, left } = await verify(out, { models: [model], seed: 3 })
  expect([shards.length, left]).toEqual([1, []])
  expect(shards[0]).toMatchObject({ differing: 0, ties: 0, kept: 0, stored: here })
  expect(shards[0]!.difference).toBeLessThan(1e-6)
  expect(Object.keys(here)).toEqual(
    expect.arrayContaining(['machine', 'instructions', 'version', 'runtime', 'host']),
  )
  expect((await verify(out, { models: [model], seed: 3 })).shards).toEqual(shards)
})

it('the models with results are named, for short names of them', async () => {
  expect(await modelsToVerify(out)).toEqual([model.name])
})

it('tampered shards are found: other first classes, other probabilities, other correctness, a lost file', async () => {
  const [turned, own] = ['list_reverse(top5)', 'labels[1]']
  const selects = [
    `* REPLACE (${turned} AS top5, list_position(${turned}, ${own})::INTEGER AS rank, ${turned}[1] = ${own} AS correct1)`,
    '* REPLACE ([0.9, 0.07, 0.03]::FLOAT[] AS probabilities)',
    '* REPLACE (true AS correct1)',
  ]
  const files = shardPaths(entry)
  for (const file of files) await rename(file, `${file}.kept`)
  for (const [i, select] of selects.entries())
    await copyQueryToParquet(files[i]!, `SELECT ${select} FROM read_parquet($1)`, [
      `${files[i]!}.kept`,
    ])
  const verified = await verify(out, { sample: 1, tolerance: 1e-6, models: [model] })
  for (const file of files) await rename(`${file}.kept`, file)
  expect(verified.shards.map(shard => isWithinTolerance(shard, 1e-6))).toEqual(
    files.map(() => false),
  )
  const faults = verified.shards.map(({ faults }) => faults[0]!.fault)
  expect(faults.slice(0, 4)).toEqual([
    'top-1',
    'scores',
    expect.stringMatching(/^rank/),
    expect.stringMatching(/^cannot/),
  ])
  expect(verifyText(verified, 'text')).toMatch(/differs +lcnet_050.seed_1 +world/)
})

it('what was made with other weights or images is not run again, and said', async () => {
  const other = { ...(await writeModel(join(folder, 'models'), 2)), name: model.name }
  const { shards, left } = await verify(out, { models: [other] })
  expect([shards, left[0]!.reason]).toEqual([
    [],
    expect.stringMatching(/^these would be other results here: weights /),
  ])
  await expect(verify(out, { models: [{ ...model, name: 'lcnet' }] })).rejects.toThrow(
    /unknown model: lcnet; nearest/,
  )
  expect((await verify(out)).left[0]!.reason).toMatch(/no model of the catalogue/)
})

it('a manifest says what its shard was made with', async () => {
  const manifest: unknown = JSON.parse(
    await readFile(join(entry.folder, manifestName(entry.shards[0]!)), 'utf8'),
  )
  expect(manifest).toMatchObject({
    machine: expect.stringContaining(process.arch) as string,
    instructions: expect.any(String) as string,
    host: expect.any(String) as string,
    identity: {
      version: expect.any(String) as string,
      runtime: expect.stringMatching(/^onnxruntime \d/) as string,
    },
  })
})

const row = (top5: number[], probabilities: number[], more: Partial<ShardRow> = {}): ShardRow => ({
  id: 'a',
  label: 'cup',
  labels: [9],
  top5,
  probabilities,
  rank: null,
  target_probability: null,
  correct1: false,
  correct5: false,
  status: 'ok',
  ...more,
})

it('a tie within the tolerance is no difference, one beyond it is', () => {
  const [stored, again] = [row([1, 2], [0.4001, 0.3999]), row([2, 1], [0.4001, 0.3999])]
  expect(compareRows(stored, again, 0.01)).toMatchObject({
    tie: true,
    difference: expect.closeTo(0.00025, 5) as number,
  })
  expect(compareRows(stored, again, 0.01).fault).toBeUndefined()
  expect(compareRows(stored, again, 0.0001).fault).toBe('top-1')
  expect(compareRows(row([1, 2], [0.6, 0.3]), row([1, 3], [0.6, 0.3]), 0.01).fault).toBeUndefined()
  expect(compareRows(row([1, 2], [0.6, 0.3]), row([3, 2], [0.6, 0.3]), 0.01).fault).toBe('top-1')
  expect(compareRows(row([1, 2], [0.6, 0.3]), undefined, 0.01).fault).toBe('no such image')
})

it('the probability of the accepted classes may move as little as the others', () => {
  const stored = row([1, 2], [0.6, 0.3], { target_probability: 0.01 })
  const again = (target: number | null) =>
    compareRows(stored, row([1, 2], [0.6, 0.3], { target_probability: target }), 0.01)
  expect(again(0.0101).fault).toBeUndefined()
  expect(again(0.02).fault).toBe('scores')
  expect(again(null).fault).toBeUndefined()
})

it('kept logits may be off by their rounding, features by a share of their deviation', () => {
  const values = Float32Array.from([-3, 0, 1, 8])
  expect(
    keptDifference(
      'logits',
      values,
      values.map(value => value * 1.001),
    ),
  ).toBe(0)
  expect(keptDifference('logits', values, Float32Array.from([-3, 0, 1.3, 8]))).toBeCloseTo(0.146, 3)
  expect(keptDifference('features', values, Float32Array.from([-3, 0, 1, 8.4]))).toBeCloseTo(
    0.0992,
    3,
  )
  expect(keptDifference('logits', values, new Float32Array(3))).toBe(Infinity)
})
