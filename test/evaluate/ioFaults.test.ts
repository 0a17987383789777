/**
 * A small evaluation whose n-th file operation fails or is the last one. Inference is replaced by a table, so
 * that a run takes milliseconds; GEOGAP_TORTURE=1 takes every n for every error, otherwise a share of them.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ModelSpec } from '../../src/models/spec.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { runStatus } from '../../src/results/status.ts'
import { storedRows } from '../helpers/evaluation.ts'
import { type Fault, type Outcome, withFault } from '../helpers/faults.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { tablePool } from '../helpers/tablePool.ts'
import { long, measured, scaled } from '../helpers/torture.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let inferred = 0
const evaluate = pooledEvaluate(tablePool(count => (inferred += count)))

let folder: string
let models: ModelSpec[]
let manifest: string
let whole: string[]
let outs = 0
let shardSize = 0
/** File operations of an evaluation. */
let total: number
const count = 128
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-faults-'))
  manifest = await writeWorld(folder, count)
  models = [
    await writeModel(join(folder, 'models'), 1),
    await writeModel(join(folder, 'models'), 2),
  ]
  const out = join(folder, 'whole')
  await evaluation(out)
  whole = await storedRows(out)
  expect(whole).toHaveLength(2 * count)
  const shards = (await readStoredEvaluations(out))[0]!.shards
  expect(shards.length).toBeGreaterThan(2)
  shardSize = shards[0]!.rows
  // The first evaluation has done once what later ones need not do again.
  total = (await faulty(Infinity, { kind: 'error', code: 'EIO' })).operations
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const evaluation = (out: string) =>
  evaluate({
    models,
    datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
    out,
  })

/** Runs with the fault in a new folder, checks what is there, runs again, and checks that nothing is missing; how many shards were done `again`. */
async function faulty(at: number, fault: Fault): Promise<Outcome<unknown> & { again: number }> {
  const out = join(folder, `out-${outs++}`)
  inferred = 0
  const outcome = await withFault(at, fault, () => evaluation(out))
  await expectHonest(out, outcome)
  await evaluation(out)
  expect(await storedRows(out)).toEqual(whole)
  const { results } = await runStatus(out)
  expect(results.map(({ state }) => state)).toEqual(['complete', 'complete'])
  await rm(out, { recursive: true })
  return { ...outcome, again: (inferred - whole.length) / (models.length * shardSize) }
}

/** What is committed is right whatever happened, and what is not complete is not called done. */
async function expectHonest(
  out: string,
  { value, error, crashed }: Outcome<unknown>,
): Promise<void> {
  const entries = await readStoredEvaluations(out).catch(() => [])
  const stored = entries.length === 0 ? [] : await storedRows(out)
  expect(entries.flatMap(({ damaged }) => damaged)).toEqual([])
  expect(new Set(stored).size).toBe(stored.length)
  for (const row of stored) expect(whole).toContain(row)
  if (value !== undefined) expect(stored).toEqual(whole)
  else if (!crashed) expect((error as Error).message).toMatch(/^[^\n]*\S[^\n]*$/)
  const { runs } = await runStatus(out).catch(() => ({ runs: [] }))
  if (runs[0]?.state === 'done') expect(stored).toEqual(whole)
}

describe('an evaluation whose n-th file operation is its last', () => {
  it('is whole after the same command, with at most one shard done twice', async () => {
    let most = 0
    // The last one is when shards are stored.
    const points = [...sample(total, scaled(long ? 6 : 3, total)), total - 8]
    for (const at of points) {
      const outcome = await faulty(at, { kind: 'crash' })
      expect(outcome.crashed).toBe(true)
      most = Math.max(most, outcome.again)
    }
    measured(
      `crashes at ${points.length} of ${total} file operations: at most ${most} shards done twice in a crash`,
    )
    expect(most).toBeLessThanOrEqual(1)
  })
})

const codes = ['ENOSPC', 'EACCES', 'EIO', 'EMFILE', 'EROFS', 'ESTALE', 'EDQUOT']

describe.each(long ? codes : codes.slice(0, 2))(
  'an evaluation whose n-th file operation fails with %s',
  code => {
    it('says so or does without, never claims to be done, and the next one completes', async () => {
      const points = sample(total, scaled(4, total))
      let failed = 0
      for (const at of points) {
        const outcome = await faulty(at, { kind: 'error', code })
        expect(outcome.reached).toBe(true)
        if (outcome.error !== undefined) failed++
      }
      measured(
        `${code} at ${points.length} of ${total} file operations: ${failed} evaluations failed, all said why`,
      )
      expect(failed).toBeGreaterThan(0)
    })
  },
)

/** `count` of the numbers 1 … total, evenly spaced. */
const sample = (total: number, count: number): number[] => [
  ...new Set(Array.from({ length: count }, (_, i) => 1 + Math.floor((i * total) / count))),
]
