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
import { readRunRecords } from '../../src/results/runRecords.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { geogap } from '../helpers/cli.ts'
import { useCores, withCores } from '../helpers/cores.ts'
import {
  ended,
  hasProc,
  isAlive,
  smallOptions,
  smallWorld,
  storedRows,
  until,
  workersOf,
} from '../helpers/evaluation.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { tablePool } from '../helpers/tablePool.ts'
import { measured, scaled, torture } from '../helpers/torture.ts'

const count = 160
const kills = scaled(2, 200)
const step = torture > 0 ? Math.round(1 / torture) : 17
const random = randomFrom(11)
let inferredByTable = 0
// Two processes, as the evaluation that is killed has: shards are the same.
useCores(2)
const evaluate = pooledEvaluate()
const evaluateByTable = pooledEvaluate(tablePool(images => (inferredByTable += images)))
let folder: string
let world: { images: string; weights: string }

interface Whole {
  rows: string[]
  table: unknown
  shardSize: number
}
let whole: Whole

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-kill-'))
  world = await smallWorld(folder, count)
  const out = join(folder, 'whole')
  await evaluate(optionsOf(out))
  whole = await wholeOf(out)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function wholeOf(out: string): Promise<Whole> {
  const rows = await storedRows(out)
  expect(rows).toHaveLength(count)
  const [entry] = await readStoredEvaluations(out)
  return { rows, table: await tableOf(out), shardSize: entry!.shards[0]!.rows }
}

const tableOf = async (out: string) => (await openRun(out)).accuracy({ by: 'label' })

const optionsOf = (out: string) => ({ ...smallOptions(folder, out), models: ['lcnet_050:64'] })

const logOf = (out: string): string => `${out}.log`
const script = builtPath('test/evaluate/evaluate.child.ts')
const start = (out: string, ...at: string[]) =>
  fork(script, [world.weights, world.images, out, logOf(out), ...at], {
    stdio: 'ignore',
    env: withCores(2),
  })

describe.skipIf(!hasProc)('an evaluation that is killed at random moments', () => {
  it(
    `is whole after the same command: ${kills} kills`,
    { timeout: torture > 0 ? 4 * 3_600_000 : 300_000 },
    async () => {
      const tally = { parent: 0, child: 0, again: 0 }
      for (let round = 0; tally.parent + tally.child < kills; round++) {
        const out = join(folder, `round-${round}`)
        while (!(await killed(out, tally))) await expectPart(out)
        expect(await storedRows(out)).toEqual(whole.rows)
        expect(await tableOf(out)).toEqual(whole.table)
        tally.again += (await inferredIn(out)) - count
        await rm(out, { recursive: true })
      }
      const { parent, child, again } = tally
      const shards = again / whole.shardSize
      measured(
        `SIGKILL of ${parent} evaluations and ${child} children at random moments: every table as unkilled; ` +
          `${again} images (${shards.toFixed(1)} shards) done twice, ${(shards / (parent + child)).toFixed(2)} shards a kill`,
      )
      // Each of the two processes computes one shard while the result of its last one is stored.
      expect(shards).toBeLessThanOrEqual((torture > 0 ? 2 : 4) * parent + child)
    },
  )
})

describe.skipIf(!hasProc)('an evaluation that is killed at a write, a sync or a rename', () => {
  it(
    'is whole after the same command',
    { timeout: torture > 0 ? 4 * 3_600_000 : 300_000 },
    async () => {
      const out = join(folder, 'whole-by-table')
      await evaluateByTable(optionsOf(out))
      const byTable = await wholeOf(out)
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
        await expectPart(out, byTable)
        inferredByTable = 0
        await evaluateByTable(optionsOf(out))
        expect(await storedRows(out)).toEqual(byTable.rows)
        expect(await tableOf(out)).toEqual(byTable.table)
        tally.points++
        const inferred = inferredByTable + (await inferredIn(out))
        tally.most = Math.max(tally.most, (inferred - count) / byTable.shardSize)
        expect(tally.most).toBeLessThanOrEqual(1)
        await rm(out, { recursive: true })
      }
    },
  )
})

/** Images that were inferred for `out` by processes of their own, in all their runs. */
const inferredIn = async (out: string): Promise<number> =>
  (await readFile(logOf(out), 'utf8').catch(() => ''))
    .split('\n')
    .reduce((sum, line) => sum + Number(line), 0)

/** Runs and kills; true once the evaluation came to its end. */
async function killed(out: string, tally: { parent: number; child: number }): Promise<boolean> {
  const stored = (await storedRows(out).catch(() => [])).length
  const before = await inferredIn(out)
  const parent = start(out)
  const end = ended(parent)
  // The first kills are one of each kind.
  const isOfChild = tally.parent > 0 && (tally.child === 0 || random() < 0.5)
  await Promise.race([end, randomMoment(out, count - stored, isOfChild)])
  const isOver = parent.exitCode !== null
  const workers = isOver ? [] : workersOf(parent.pid!)
  const victim = isOfChild ? workers[Math.floor(random() * workers.length)] : undefined
  if (victim !== undefined) {
    tally.child++
    process.kill(victim, 'SIGKILL')
  }
  if (isOver || victim !== undefined) {
    expect(await end).toBe(0)
    expect((await inferredIn(out)) - before).toBe(count - stored)
    return true
  }
  tally.parent++
  parent.kill('SIGKILL')
  await end
  for (let i = 0; workers.some(isAlive); i++) {
    expect(i).toBeLessThan(200)
    await wait(100)
  }
  const states = (await readRunRecords(out)).map(({ state }) => state)
  if (states.includes('killed')) expect((await geogap(['status', out])).stdout).toMatch(/: killed/)
  else if (states.length > 0) {
    expect(states).toEqual(['done'])
    expect(await storedRows(out)).toEqual(whole.rows)
  }
  return false
}

/**
 * Waits until an evaluation has inferred some of the images that it has to: by GEOGAP_TORTURE any number of them, or for a moment of
 * its start; otherwise so many that something is stored, or so few that each child is at work.
 */
async function randomMoment(out: string, images: number, isOfChild: boolean): Promise<void> {
  const any = random()
  if (torture > 0 && any < 0.3) return wait(5000 * any)
  const part = torture > 0 ? any : (isOfChild ? 0.05 : 0.55) + 0.2 * any
  const enough = (await inferredIn(out)) + Math.floor(part * images)
  await until('the moment', async () => (await inferredIn(out)) > enough)
}

/** What a killed evaluation left is right as far as it goes. */
async function expectPart(out: string, { rows }: Whole = whole): Promise<void> {
  const kept = await storedRows(out).catch(() => [])
  expect(new Set(kept).size).toBe(kept.length)
  expect(kept.filter(row => !rows.includes(row))).toEqual([])
  const entries = await readStoredEvaluations(out).catch(() => [])
  expect(entries.flatMap(({ damaged }) => damaged)).toEqual([])
}
