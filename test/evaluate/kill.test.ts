/**
 * SIGKILL of an evaluation or of one of its children at random moments, again and again in the same folder, until the same
 * command has completed it, and at its n-th write, sync or rename. GEOGAP_TORTURE=1 kills 200 times, and for every n.
 */
import { fork } from 'node:child_process'
import { readFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { openRun } from '../../src/results/run.ts'
import { randomFrom } from '../../src/lib/random.ts'
import {
  ended,
  hasProc,
  isAlive,
  smallWorld,
  storedRows,
  workersOf,
} from '../helpers/evaluation.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { measured, scaled, torture } from '../helpers/torture.ts'

const count = 240
const kills = scaled(3, 200)
const step = torture > 0 ? Math.round(1 / torture) : 40
const random = randomFrom(11)
let folder: string
let world: { images: string; weights: string }
let whole: string[]
let table: unknown
let shardSize: number
let seconds: number

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-kill-'))
  world = await smallWorld(folder, count)
  const out = join(folder, 'whole')
  const started = performance.now()
  expect(await ended(start(out))).toBe(0)
  seconds = (performance.now() - started) / 1000
  whole = await storedRows(out)
  table = (await openRun(out)).accuracy({ by: 'label' })
  shardSize = (await readStoredEvaluations(out))[0]!.shards[0]!.rows
  expect(whole).toHaveLength(count)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const logOf = (out: string): string => `${out}.log`
const script = builtPath('test/evaluate/evaluate.child.ts')
const start = (out: string, ...at: string[]) =>
  fork(script, [world.weights, world.images, out, logOf(out), ...at], { stdio: 'ignore' })

describe.skipIf(!hasProc)('an evaluation that is killed at random moments', () => {
  it(
    `is whole after the same command: ${kills} kills`,
    { timeout: torture > 0 ? 4 * 3_600_000 : 300_000 },
    async () => {
      const tally = { parent: 0, child: 0, again: 0 }
      for (let round = 0; tally.parent + tally.child < kills; round++) {
        const out = join(folder, `round-${round}`)
        while (!(await killed(out, tally))) await expectPart(out)
        expect(await storedRows(out)).toEqual(whole)
        expect((await openRun(out)).accuracy({ by: 'label' })).toEqual(table)
        tally.again += (await inferredIn(out)) - count
        await rm(out, { recursive: true })
      }
      const { parent, child, again } = tally
      const shards = again / shardSize
      measured(
        `SIGKILL of ${parent} evaluations and ${child} children at random moments: every table as unkilled; ` +
          `${again} images (${shards.toFixed(1)} shards) done twice, ${(shards / (parent + child)).toFixed(2)} shards a kill`,
      )
      expect(shards).toBeLessThanOrEqual(2 * parent + child)
    },
  )
})

describe.skipIf(!hasProc)('an evaluation that is killed at a write, a sync or a rename', () => {
  it(
    'is whole after the same command',
    { timeout: torture > 0 ? 4 * 3_600_000 : 300_000 },
    async () => {
      const tally = { points: 0, most: 0 }
      for (let at = step; ; at += step) {
        const out = join(folder, `at-${at}`)
        const end = await ended(start(out, String(at)))
        if (end !== 'SIGKILL') {
          expect(end).toBe(0)
          measured(
            `SIGKILL at ${tally.points} of ${at - 1} writes, syncs and renames: ${tally.most} shards done twice at most`,
          )
          expect(tally.points).toBeGreaterThan(0)
          return
        }
        await expectPart(out)
        expect(await ended(start(out))).toBe(0)
        expect(await storedRows(out)).toEqual(whole)
        expect((await openRun(out)).accuracy({ by: 'label' })).toEqual(table)
        tally.points++
        tally.most = Math.max(tally.most, ((await inferredIn(out)) - count) / shardSize)
        // Each of the two processes computes one shard while the result of its last one is stored.
        expect(tally.most).toBeLessThanOrEqual(4)
        await rm(out, { recursive: true })
      }
    },
  )
})

/** Images that were inferred for `out`, in all its runs. */
const inferredIn = async (out: string): Promise<number> =>
  (await readFile(logOf(out), 'utf8')).split('\n').reduce((sum, line) => sum + Number(line), 0)

/** Runs and kills; true once the evaluation came to its end. */
async function killed(out: string, tally: { parent: number; child: number }): Promise<boolean> {
  const parent = start(out)
  const end = ended(parent)
  await Promise.race([end, wait(1000 * seconds * (0.2 + random()))])
  if (parent.exitCode !== null) {
    expect(parent.exitCode).toBe(0)
    seconds *= 0.8
    return true
  }
  const workers = workersOf(parent.pid!)
  const victim = random() < 0.5 ? workers[Math.floor(random() * workers.length)] : undefined
  if (victim !== undefined) {
    tally.child++
    process.kill(victim, 'SIGKILL')
    expect(await end).toBe(0)
    return true
  }
  tally.parent++
  parent.kill('SIGKILL')
  await end
  for (let i = 0; workers.some(isAlive); i++) {
    expect(i).toBeLessThan(200)
    await wait(100)
  }
  return false
}

/** What a killed evaluation left is right as far as it goes. */
async function expectPart(out: string): Promise<void> {
  const rows = await storedRows(out).catch(() => [])
  expect(new Set(rows).size).toBe(rows.length)
  expect(rows.filter(row => !whole.includes(row))).toEqual([])
}
