import { mkdtemp, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { openRun } from '../../src/results/run.ts'
import { readRunRecords, withRunRecord } from '../../src/results/runRecords.ts'
import { readStoredEvaluations, shardPaths } from '../../src/results/storedEvaluations.ts'
import { type ResultStatus, type RunStatus, runStatus } from '../../src/results/status.ts'
import { version } from '../../src/lib/version.ts'
import { runtimeVersion } from '../../src/lib/onnx/engine.ts'
import { geogap } from '../helpers/cli.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { reloadingPool } from '../helpers/reloading.ts'
import { evenly, storeRun } from '../helpers/storedRun.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const evaluate = pooledEvaluate(reloadingPool())

let folder: string
let model: ModelSpec
let manifest: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-status-'))
  manifest = await writeWorld(folder, 12)
  model = await writeModel(join(folder, 'models'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const states = ({ results }: { results: ResultStatus[] }) =>
  results.map(({ state, rows, differs }) => [state, rows, differs.join(' ')])

async function evaluated(out: string, change: Partial<EvaluateOptions> = {}): Promise<void> {
  const dataset = { name: manifest, classes: join(folder, 'classes.txt') }
  await evaluate({ models: [model], datasets: [dataset], out, ...change })
}

describe('status', () => {
  it('tells complete from stale, and tables show what was asked for last', async () => {
    const out = join(folder, 'changes')
    await evaluated(out)
    expect(states(await runStatus(out))).toEqual([['complete', 12, '']])
    const other = { ...(await writeModel(join(folder, 'models'), 2)), name: model.name }
    await evaluated(out, { models: [other] })
    expect(states(await runStatus(out))).toEqual([
      ['complete', 12, ''],
      ['stale', 12, 'weights'],
    ])
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace('Africa', 'Asia'))
    await evaluated(out)
    await writeFile(manifest, text)
    const changed = await runStatus(out)
    expect(states(changed)).toEqual([
      ['complete', 12, ''],
      ['stale', 12, 'content'],
      ['stale', 12, 'weights content'],
    ])
    expect(changed.runs.map(({ state }) => state)).toEqual(['done'])
    await evaluated(out)
    expect(states(await runStatus(out))[0]).toEqual(['complete', 12, ''])
    expect((await openRun(out)).accuracy({ by: 'region' }).map(({ group }) => group)).toEqual([
      'Africa',
      'Europe',
    ])
    const { stdout } = await geogap(['status', out])
    expect(stdout).toMatch(/: 1 complete, 2 stale\n.*model.*state(.|\n)*differs in content/)
  })

  it('names a model that failed, and files that are not as they were', async () => {
    const out = join(folder, 'failed')
    const broken = {
      ...(await writeModel(join(folder, 'models'), 3)),
      architecture: 'lcnet_075',
      name: 'wrong',
    }
    await evaluated(out, { models: [model, broken] })
    expect((await runStatus(out)).results).toMatchObject([
      { model: model.name, state: 'complete', message: null },
      {
        model: 'wrong',
        state: 'failed',
        message: expect.stringMatching(/of another shape/) as string,
      },
    ])
    const [file] = (await readStoredEvaluations(out)).flatMap(shardPaths)
    await truncate(file!, 100)
    expect((await runStatus(out)).results[0]).toMatchObject({
      state: 'damaged',
      message: expect.stringMatching(/damaged, .*parquet has 100 bytes instead of \d+: /) as string,
    })
    await rm(file!)
    expect((await runStatus(out)).results[0]!.message).toContain(`${file!} is missing`)
    await rm(file!.replace(/-\w+-[0-9a-f]{8}\.parquet$/, '.json'))
    await evaluated(out)
    expect((await runStatus(out)).results[0]!.state).toBe('complete')
    const keeping = join(folder, 'keeping')
    await evaluated(keeping, { keep: 'logits' })
    const { folder: at, shards } = (await readStoredEvaluations(keeping))[0]!
    await rm(join(at, shards[0]!.kept!.file))
    expect((await runStatus(keeping)).results[0]).toMatchObject({
      state: 'damaged',
      message: expect.stringMatching(/damaged, .*logits.* is missing/) as string,
    })
  })

  it('tells work under way from work that was left', async () => {
    const out = await storeRun(
      [{ model: 'stored', dataset: 'world', correct: evenly(20, 0.5) }],
      join(folder, 'work'),
    )
    const { identity } = (await readStoredEvaluations(out))[0]!
    const now = { version, runtime: runtimeVersion() }
    const asked = ['a', 'b'].map(model => ({ ...identity, ...now, model }))
    let seen: RunStatus | undefined
    await withRunRecord(out, { asked }, async () => {
      seen = await runStatus(out)
      return []
    })
    expect(states(seen!)).toEqual([
      ['running', 0, ''],
      ['running', 0, ''],
      ['stale', 20, 'version runtime'],
    ])
    expect(states(await runStatus(out)).slice(0, 2)).toEqual([
      ['incomplete', 0, ''],
      ['incomplete', 0, ''],
    ])
    const boom = () => Promise.reject(new Error('boom'))
    await expect(withRunRecord(out, { asked }, boom)).rejects.toThrow('boom')
    const stopped = withRunRecord(
      out,
      { asked: asked.slice(0, 1), signal: AbortSignal.abort() },
      () => Promise.resolve([]),
    )
    await expect(stopped).rejects.toThrow('aborted')
    expect((await readRunRecords(out)).map(({ state, message }) => [state, message])).toEqual([
      ['failed', 'boom'],
      ['interrupted', undefined],
    ])
  })

  it('takes a process that is gone for killed, and one elsewhere after a minute of silence', async () => {
    const out = join(folder, 'killed')
    await evaluated(out)
    const { state, ended, ...run } = (await readRunRecords(out))[0]!
    expect([state, typeof ended]).toEqual(['done', 'string'])
    const file = join(out, 'runs', `${run.id}.json`)
    const stateOf = async (change: object, age = 0) => {
      await writeFile(file, JSON.stringify({ ...run, ...change }))
      const at = new Date(Date.now() - age)
      await utimes(file, at, at)
      return (await readRunRecords(out))[0]!.state
    }
    expect(await stateOf({})).toBe('running')
    expect(await stateOf({ pid: 2 ** 22 + 1 })).toBe('killed')
    expect(await stateOf({ host: 'elsewhere' })).toBe('running')
    expect(await stateOf({ host: 'elsewhere' }, 90_000)).toBe('killed')
  })

  it('says that there is nothing', async () => {
    const { code, stderr } = await geogap(['status', join(folder, 'nothing')])
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no results in .*nothing/)])
  })
})
