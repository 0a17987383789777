/** File operations that fail inside the processes that infer; GEOGAP_TORTURE=1 takes every operation and every error. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { evaluate } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { runStatus } from '../../src/results/status.ts'
import { storedRows } from '../helpers/evaluation.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { long, measured, torture } from '../helpers/torture.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
let model: ModelSpec
let manifest: string
let whole: string[]
let outs = 0
const count = 12
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-worker-faults-'))
  manifest = await writeWorld(folder, count)
  model = await writeModel(join(folder, 'models'))
  await evaluation(join(folder, 'whole'))
  whole = await storedRows(join(folder, 'whole'))
  expect(whole).toHaveLength(count)
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const options = (out: string) => ({
  models: [model],
  datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
  out,
})
const pooled = pooledEvaluate()
const evaluation = (out: string) => pooled(options(out))

const ids = (rows: readonly string[]) => rows.map(row => /"id":"([^"]+)"/.exec(row)![1])
const unread = (row: string): boolean => row.includes('"status":"unreadable-file"')

/** What came of an evaluation whose workers' operation `at` failed; undefined where they have not so many. */
async function faulty(
  at: number,
  code: string,
): Promise<'failed' | 'unread' | 'whole' | undefined> {
  const out = join(folder, `out-${outs++}`)
  const mark = join(folder, `mark-${outs}`)
  const preload = builtPath('test/evaluate/faultyWorker.child.ts')
  // tsx loads code in a thread of its own, where it does not count as operations.
  vi.stubEnv('NODE_OPTIONS', `--import tsx --import ${preload}`)
  vi.stubEnv('GEOGAP_TEST_AT', String(at))
  vi.stubEnv('GEOGAP_TEST_CODE', code)
  vi.stubEnv('GEOGAP_TEST_MARK', mark)
  const run = await evaluate(options(out)).finally(() => vi.unstubAllEnvs())
  if (!existsSync(mark)) return undefined
  const stored = await storedRows(out)
  const { results } = await runStatus(out)
  for (const { message } of run.failures)
    expect(message).toMatch(new RegExp(`^[^\\n]*${code}[^\\n]*$`))
  expect(results.map(({ state }) => state)).toEqual([
    run.failures.length > 0 ? 'failed' : 'complete',
  ])
  expect(run.accuracy()[0]?.errors ?? 0).toBe(stored.filter(unread).length)
  await evaluation(out)
  const again = await storedRows(out)
  expect(ids(again)).toEqual(ids(whole))
  expect(again.filter(row => !unread(row) && !whole.includes(row))).toEqual([])
  expect(again.filter(unread)).toEqual(stored.filter(unread))
  await rm(out, { recursive: true })
  return run.failures.length > 0 ? 'failed' : stored.some(unread) ? 'unread' : 'whole'
}

const codes = ['EIO', 'EMFILE', 'EACCES', 'ENOSPC']

it.each(torture > 0 ? codes : codes.slice(0, long ? 2 : 1))(
  'a worker whose n-th file operation fails with %s: said of the model or the image, and the next evaluation completes',
  { timeout: 3_600_000 },
  async code => {
    const tally: Record<string, number> = {}
    const step = torture > 0 ? Math.round(1 / torture) : 12
    for (let at = step; ; at += step) {
      const came = await faulty(at, code)
      if (came === undefined) break
      tally[came] = (tally[came] ?? 0) + 1
    }
    measured(`${code} at file operations of the workers: ${JSON.stringify(tally)}`)
    expect(Object.keys(tally)).not.toEqual([])
  },
)
