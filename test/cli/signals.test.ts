import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { geogap, start } from '../helpers/cli.ts'
import { long } from '../helpers/torture.ts'
import {
  workersOf,
  ended,
  hasProc,
  isAlive,
  shardNames,
  smallEvaluation,
  storedRows,
  until,
} from '../helpers/evaluation.ts'

// Half of the images are left when the first shard is stored: time enough for a signal on a busy machine.
const count = 800
let folder: string
let args: (out: string) => string[]
let whole: string[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-signals-'))
  args = await smallEvaluation(folder, count)
  expect((await geogap(args(join(folder, 'whole')), {})).code).toBe(0)
  whole = await storedRows(join(folder, 'whole'))
  expect(whole).toHaveLength(count)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** An evaluation that has committed its first shard. */
async function begun(out: string) {
  const child = start(args(out), { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const end = ended(child)
  await until('a first shard', async () => (await shardNames(out)).length > 0)
  return { child, end, text: () => stderr }
}

async function finishes(out: string): Promise<void> {
  expect((await geogap(args(out), {})).code).toBe(0)
  expect(await storedRows(out)).toEqual(whole)
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
  )('ends after the running batch on %s, keeps what is done, and goes on', async (signal, code) => {
    const out = join(folder, signal)
    const { child, end, text } = await begun(out)
    const workers = workersOf(child.pid!)
    child.kill(signal)
    expect(await end).toBe(code)
    expect(text()).toMatch(/stopping after the running batch; what is done is kept/)
    await until('no child', () => !workers.some(isAlive), 5)
    const kept = await storedRows(out)
    expect(kept.length).toBeGreaterThan(0)
    expect(kept.length).toBeLessThan(count)
    expect((await geogap(['status', out])).stdout).toMatch(/incomplete(.|\n)*: interrupted/)
    await finishes(out)
  })

  it('ends at once on the second signal, and leaves no child', async () => {
    for (const out of ['once', 'twice', 'thrice'].map(name => join(folder, name))) {
      const { child, end } = await begun(out)
      const workers = workersOf(child.pid!)
      for (const pid of workers) process.kill(pid, 'SIGSTOP')
      child.kill('SIGINT')
      await wait(300)
      // On a busy machine an evaluation may have all answers by then, and ends on the first signal.
      if (!isAlive(child.pid!) && (await storedRows(out)).length === count) continue
      expect(workers.length).toBeGreaterThan(0)
      expect(isAlive(child.pid!)).toBe(true)
      child.kill('SIGINT')
      expect(await end).toBe(130)
      await until('no child', () => !workers.some(isAlive), 5)
      return finishes(out)
    }
    expect.fail('three evaluations were over before the signal')
  })

  it('leaves no child when it is killed', async () => {
    const out = join(folder, 'killed')
    const { child, end } = await begun(out)
    const workers = workersOf(child.pid!)
    child.kill('SIGKILL')
    expect(await end).toBe('SIGKILL')
    await until('no child', () => !workers.some(isAlive), 20)
    expect((await geogap(['status', out])).stdout).toMatch(/: killed/)
    await finishes(out)
  })

  it('does a dead child’s shard again in a fresh one', async () => {
    const out = join(folder, 'dead-child')
    const { child, end } = await begun(out)
    process.kill(workersOf(child.pid!)[0]!, 'SIGKILL')
    expect(await end).toBe(0)
    expect(await storedRows(out)).toEqual(whole)
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
