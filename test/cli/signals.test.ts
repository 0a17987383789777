/** Signals to an evaluation; SIGKILL is that of evaluate/kill.test.ts. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { geogap, start } from '../helpers/cli.ts'
import { useCores, withCores } from '../helpers/cores.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { long } from '../helpers/torture.ts'
import {
  workersOf,
  ended,
  hasProc,
  isAlive,
  shardNames,
  smallEvaluation,
  smallOptions,
  storedRows,
  until,
} from '../helpers/evaluation.ts'

useCores(1)
const evaluate = pooledEvaluate()

// Half of the images are left when the first shard is stored: time enough for a signal.
const count = 300
let folder: string
let args: (out: string) => string[]
let whole: string[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-signals-'))
  args = await smallEvaluation(folder, count)
  await evaluate(smallOptions(folder, join(folder, 'whole')))
  whole = await storedRows(join(folder, 'whole'))
  expect(whole).toHaveLength(count)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** An evaluation on so many cores that has committed its first shard. */
async function begun(out: string, cores: number) {
  const env = withCores(cores)
  const child = start(args(out), { stdio: ['ignore', 'ignore', 'pipe'], env })
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const end = ended(child)
  await until('a first shard', async () => (await shardNames(out)).length > 0)
  return { child, end, text: () => stderr }
}

async function finishes(out: string): Promise<void> {
  expect((await evaluate(smallOptions(folder, out))).failures).toEqual([])
  expect(await storedRows(out)).toEqual(whole)
}

type Begun = Awaited<ReturnType<typeof begun>>

/**
 * Begins an evaluation and disturbs it. On a busy machine it may be over before that, which `disturb` answers by false; then another
 * one is begun, three at most.
 */
async function disturbed(
  name: string,
  disturb: (evaluation: Begun, workers: number[], out: string) => Promise<boolean>,
  cores = 1,
): Promise<string> {
  for (const out of [name, `${name}-again`, `${name}-at-last`].map(one => join(folder, one))) {
    const evaluation = await begun(out, cores)
    const { pid } = evaluation.child
    const workers = isAlive(pid!) ? workersOf(pid!) : []
    if (await disturb(evaluation, workers, out)) {
      await until('no child', () => !workers.some(isAlive), 20)
      return out
    }
  }
  return expect.fail('three evaluations were over before they were disturbed')
}

describe.skipIf(!hasProc)('an evaluation', () => {
  it.each(
    (
      [
        ['SIGINT', 130],
        ['SIGTERM', 143],
        ['SIGHUP', 129],
      ] as const
    ).filter(([signal]) => long || signal === 'SIGINT'),
  )(
    'ends after the running batch on %s, keeps what is done, and goes on',
    async (signal, expected) => {
      const out = await disturbed(signal, async ({ child, end, text }, workers, out) => {
        child.kill(signal)
        const code = await end
        // The last batch may have been the running one.
        if (code === 0 || (await storedRows(out)).length === count) return false
        expect(code).toBe(expected)
        expect(text()).toMatch(/stopping after the running batch; what is done is kept/)
        await until('no child', () => !workers.some(isAlive), 5)
        return true
      })
      const kept = await storedRows(out)
      expect(kept.length).toBeGreaterThan(0)
      expect(kept.length).toBeLessThan(count)
      expect((await geogap(['status', out])).stdout).toMatch(/incomplete(.|\n)*: interrupted/)
      await finishes(out)
    },
  )

  it('ends at once on the second signal, and leaves no child', async () => {
    const out = await disturbed(
      'twice',
      async ({ child, end }, workers, out) => {
        for (const pid of workers) process.kill(pid, 'SIGSTOP')
        child.kill('SIGINT')
        await wait(300)
        // With all answers by then it ends on the first signal.
        if (!isAlive(child.pid!) && (await storedRows(out)).length === count) return false
        expect(workers.length).toBeGreaterThan(0)
        expect(isAlive(child.pid!)).toBe(true)
        child.kill('SIGINT')
        expect(await end).toBe(130)
        await until('no child', () => !workers.some(isAlive), 5)
        return true
      },
      2,
    )
    await finishes(out)
  })

  it.skipIf(!long)('goes on when nobody reads its progress any more', async () => {
    const out = join(folder, 'closed')
    const child = start(args(out), { stdio: ['ignore', 'pipe', 'pipe'] })
    child.stderr!.once('data', () => child.stderr!.destroy())
    child.stdout!.destroy()
    expect(await ended(child)).toBe(0)
    expect(await storedRows(out)).toEqual(whole)
  })

  it.skipIf(!long)('loses nothing while its pipe is full, and ends when it is read', async () => {
    const out = join(folder, 'full')
    const pipe = join(folder, 'pipe')
    execFileSync('mkfifo', [pipe])
    const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK)
    const writer = openSync(pipe, constants.O_WRONLY)
    const drain = (): void => {
      while (attempt(() => readSync(reader, Buffer.alloc(1 << 16))) > 0);
    }
    while (attempt(() => writeSync(reader, Buffer.alloc(4096))) > 0);
    const child = start(args(out), { stdio: ['ignore', 'ignore', writer] })
    closeSync(writer)
    const end = ended(child)
    await until('its record', async () => (await geogap(['status', out])).code === 0)
    await wait(1500)
    const timer = setInterval(drain, 50)
    expect(await end).toBe(0)
    clearInterval(timer)
    closeSync(reader)
    expect(await storedRows(out)).toEqual(whole)
  })
})

/** Bytes moved; 0 where the pipe would block. */
function attempt(move: () => number): number {
  try {
    return move()
  } catch {
    return 0
  }
}
