/** Damaged results, clocks that move back, and folders that vanish: answers go on, name what they lack, and the same command completes. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import { openRun } from '../../src/results/run.ts'
import { readRunRecords } from '../../src/results/runRecords.ts'
import { runStatus } from '../../src/results/status.ts'
import { readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { geogap } from '../helpers/cli.ts'
import { storedRows } from '../helpers/evaluation.ts'
import { useCores } from '../helpers/cores.ts'
import { pooledEvaluate } from '../helpers/pooled.ts'
import { long } from '../helpers/torture.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

useCores(1)
const evaluate = pooledEvaluate()

const images = 32
let folder: string
let models: ModelSpec[]
let manifest: string
let whole: string
let rows: string[]
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-damage-'))
  manifest = await writeWorld(folder, images)
  models = [
    await writeModel(join(folder, 'models'), 1),
    await writeModel(join(folder, 'models'), 2),
  ]
  whole = join(folder, 'whole')
  await evaluated(whole)
  rows = await storedRows(whole)
  expect(rows).toHaveLength(2 * images)
})
afterAll(() => rm(folder, { recursive: true, force: true }))
afterEach(() => vi.useRealTimers())

const evaluated = (out: string, change: Partial<EvaluateOptions> = {}) =>
  evaluate({
    models,
    datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
    out,
    ...change,
  })

/** Files of the first model's first shard. */
async function firstShard(out: string): Promise<{ manifest: string; file: string }> {
  const { folder: at, shards } = (await readStoredEvaluations(out)).find(
    ({ identity }) => identity.model === models[0]!.name,
  )!
  const { file } = shards[0]!
  return {
    manifest: join(at, file.replace(/-\w+-[0-9a-f]{8}\.parquet$/, '.json')),
    file: join(at, file),
  }
}

/** Overwrites the middle of a file, which keeps its size. */
async function spoil(file: string): Promise<void> {
  const bytes = readFileSync(file)
  await writeFile(file, bytes.fill(0x5a, 4, bytes.length - 8))
}

const damages: [what: string, (shard: { manifest: string; file: string }) => Promise<void>][] = [
  ['a missing file', ({ file }) => rm(file)],
  ['a truncated file', ({ file }) => truncate(file, 100)],
  ['an empty file', ({ file }) => truncate(file, 0)],
  ['a file whose content is noise', ({ file }) => spoil(file)],
  ['an empty manifest', ({ manifest }) => truncate(manifest, 0)],
  ['half a manifest', ({ manifest }) => truncate(manifest, 300)],
  ['the manifest of other images', async ({ manifest }) => {
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace(/"end": \d+/, '"end": 7'))
  }],
  ['a folder instead of a manifest', async ({ manifest }) => {
    await rm(manifest)
    await mkdir(join(manifest, 'more'), { recursive: true })
  }],
  ['a folder instead of a file', async ({ file }) => {
    await rm(file)
    await mkdir(join(file, 'more'), { recursive: true })
  }],
  ['a manifest that links to nothing', async ({ manifest }) => {
    await rm(manifest)
    await symlink(join(manifest, 'nowhere'), manifest)
  }],
  ['a manifest of another model', async ({ manifest }) => {
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace('lcnet_050.seed_1', 'lcnet_050.seed_2'))
  }],
  ['more rows than images', async ({ manifest }) => {
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace(/"rows": \d+/, '"rows": 9999'))
  }],
  ['a column that the file lacks', async ({ manifest }) => {
    const text = await readFile(manifest, 'utf8')
    await writeFile(manifest, text.replace('"region"', '"continent"'))
  }],
] // prettier-ignore

/** Damages that every command meets: of a file by its size and by its content, and of a manifest. */
const asked = ['a truncated file', 'a file whose content is noise', 'an empty manifest']

describe.each(damages)('results with %s', (what, damage) => {
  const out = () => join(folder, what.replaceAll(' ', '-'))
  beforeAll(async () => {
    await cp(whole, out(), { recursive: true })
    await damage(await firstShard(out()))
  })

  it('answer without it and name it', async () => {
    const run = await openRun(out())
    const [first, second] = run.accuracy()
    expect(first!.n).toBeLessThan(images)
    expect(second!.n).toBe(images)
    expect(run.failures).toMatchObject([
      { model: models[0]!.name, code: 'damaged', message: expect.stringMatching(/damaged, \//) as string },
    ]) // prettier-ignore
    const commands = [
      ['table', out(), '--by', 'region'],
      ['compare', out(), '--models', models.map(({ name }) => name).join()],
      ['gate', out(), '--min-worst', '0.01', '--min-n', '5'],
    ].slice(0, long || asked.includes(what) ? 3 : 1)
    for (const command of commands) {
      const { code, stdout, stderr } = await geogap(command)
      expect([0, 4], stderr).toContain(code)
      expect(stdout).toMatch(
        /left out: lcnet_050\.seed_1 on world: results of \d+ images are damaged/,
      )
    }
  })

  it('are one row of the status, and the same evaluation completes them', async () => {
    if (!['a file whose content is noise', 'a column that the file lacks'].includes(what)) {
      const { results } = await runStatus(out())
      expect(results.map(({ state }) => state).sort()).toEqual(['complete', 'damaged'])
      expect(results.find(({ state }) => state === 'damaged')!.rows).toBeLessThan(images)
    }
    const run = await evaluated(out())
    expect(run.failures).toEqual([])
    expect(await storedRows(out())).toEqual(rows)
    expect((await runStatus(out())).results.map(({ state }) => state)).toEqual(['complete', 'complete']) // prettier-ignore
    const { folder: at } = (await readStoredEvaluations(out()))[0]!
    const { shards } = (await readStoredEvaluations(out())).find(entry => entry.folder === at)!
    expect((await readdir(at)).filter(name => name.endsWith('.parquet'))).toHaveLength(
      shards.length,
    )
  })
})

it('an evaluation whose every manifest is empty is one row that the record names, and never older numbers', async () => {
  const out = join(folder, 'all-empty')
  await evaluated(out, { models: [models[0]!] })
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replace('Africa', 'Asia'))
  await evaluated(out, { models: [models[0]!] })
  const current = (await openRun(out)).entries[0]!
  await writeFile(manifest, text)
  for (const name of (await readdir(current.folder)).filter(name => name.endsWith('.json')))
    await truncate(join(current.folder, name), 0)
  const run = await openRun(out)
  expect(run.accuracy()).toEqual([])
  expect(run.failures).toMatchObject([
    { model: models[0]!.name, dataset: 'world', code: 'damaged' },
  ])
  const { results } = await runStatus(out)
  expect(results.map(({ state }) => state)).toEqual(['damaged', 'stale'])
  await rm(join(out, 'runs'), { recursive: true })
  expect((await openRun(out)).failures).toMatchObject([{ code: 'damaged', dataset: 'world' }])
})

it('a record of an evaluation that is no JSON is a row and a note until the same evaluation runs again', async () => {
  const out = join(folder, 'record')
  await cp(whole, out, { recursive: true })
  const [name] = await readdir(join(out, 'runs'))
  await writeFile(join(out, 'runs', name!), '{"half')
  expect((await openRun(out)).accuracy()).toEqual((await openRun(whole)).accuracy())
  const { stdout, code } = await geogap(['status', out])
  expect([code, stdout]).toEqual([0, expect.stringContaining(`runs/${name!}`)])
  expect((await evaluated(out)).failures).toEqual([])
  expect((await readRunRecords(out)).map(({ state }) => state)).toEqual(['done'])
})

it('the evaluation that was asked for last is shown, whatever the clock says', async () => {
  const out = join(folder, 'clock')
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2031-01-01') })
  await evaluated(out)
  vi.setSystemTime(new Date('2030-01-01'))
  const text = await readFile(manifest, 'utf8')
  await writeFile(manifest, text.replaceAll('Africa', 'Asia'))
  await evaluated(out)
  await writeFile(manifest, text)
  const regions = async () => [
    ...new Set((await openRun(out)).accuracy({ by: 'region' }).map(({ group }) => group)),
  ]
  expect(await regions()).toEqual(['Asia', 'Europe'])
  const records = await readRunRecords(out)
  expect(records.map(({ generation }) => generation)).toEqual([2])
  await rm(join(out, 'runs'), { recursive: true })
  expect(await regions()).toEqual(['Asia', 'Europe'])
  vi.setSystemTime(new Date('2029-01-01'))
  await evaluated(out)
  expect(await regions()).toEqual(['Africa', 'Europe'])
})

it('an evaluation whose results vanish midway says that it is incomplete', async () => {
  const out = join(folder, 'vanished')
  let missing = 0
  const run = await evaluated(out, {
    onProfile: () => {
      const predictions = join(out, 'predictions')
      for (const name of readdirSync(predictions, { recursive: true }) as string[])
        if (/00000000-\d{8}(-\w+)?\.(json|parquet)$/.test(name)) {
          missing = Number(/00000000-(\d{8})/.exec(name)![1])
          rmSync(join(predictions, name))
        }
    },
  })
  expect(missing).toBeGreaterThan(0)
  expect(run.failures.map(({ code, message }) => [code, message.split(';')[0]])).toEqual(
    models.map(() => [
      'incomplete',
      `not complete: ${images - missing} of ${images} images are stored`,
    ]),
  )
  expect((await readRunRecords(out)).map(({ state }) => state)).toEqual(['failed'])
  expect((await evaluated(out)).failures).toEqual([])
  expect(await storedRows(out)).toEqual(rows)
})

it('kept outputs are never replaced by others without being asked', async () => {
  const out = join(folder, 'kept')
  const keeping = async () =>
    (await readStoredEvaluations(out)).flatMap(({ shards }) => shards.map(({ kept }) => kept?.output)) // prettier-ignore
  await evaluated(out, { keep: 'logits' })
  const before = await keeping()
  expect(new Set(before)).toEqual(new Set(['logits']))
  await expect(evaluated(out, { keep: 'features' })).rejects.toMatchObject({
    code: 'other-kept',
    message: expect.stringContaining('--replace') as string,
  })
  expect(await keeping()).toEqual(before)
  await evaluated(out, { keep: 'features', replace: true })
  expect(new Set(await keeping())).toEqual(new Set(['features']))
  expect((await readdir(out, { recursive: true })).filter(name => name.includes('.logits.'))).toEqual([]) // prettier-ignore
})

it('other images never take the name of those that are evaluated; the same images with other labels do', async () => {
  const out = join(folder, 'names')
  const first = join(folder, 'first.csv')
  const lines = (await readFile(manifest, 'utf8')).trim().split('\n')
  const evaluatedLines = async (chosen: readonly string[]) => {
    await writeFile(first, [lines[0]!, ...chosen].join('\n'))
    return evaluated(out, {
      models: [models[0]!],
      datasets: [{ name: first, classes: join(folder, 'classes.txt') }],
    })
  }
  const before = (await evaluatedLines(lines.slice(1, 9))).accuracy()
  await expect(evaluatedLines(lines.slice(9, 17))).rejects.toMatchObject({
    code: 'same-name',
    message: expect.stringMatching(/names has results of 8 other images called first: /) as string,
  })
  expect((await openRun(out)).accuracy()).toEqual(before)
  const relabelled = lines.slice(1, 13).map(line => line.replace('Africa', 'Asia'))
  expect((await evaluatedLines(relabelled)).accuracy()[0]!.n).toBe(12)
})

it('files that an ended evaluation left without a manifest go, those of one at work stay', async () => {
  const out = join(folder, 'abandoned')
  await cp(whole, out, { recursive: true })
  const { folder: at } = (await readStoredEvaluations(out))[0]!
  const [name] = await readdir(join(out, 'runs'))
  const record = JSON.parse(await readFile(join(out, 'runs', name!), 'utf8')) as object
  const running = { ...record, id: '00000007-x', generation: 7, pid: process.pid }
  await writeFile(
    join(out, 'runs/00000007-x.json'),
    JSON.stringify({ ...running, outcome: undefined, ended: undefined }),
  )
  const files = [1, 5, 7].map(number => `00000000-00000032-${number}-0123abcd.parquet`)
  for (const file of files) await writeFile(join(at, file), 'half')
  await evaluated(out)
  const left = await readdir(at)
  expect(files.map(file => left.includes(file))).toEqual([false, false, true])
  expect(await storedRows(out)).toEqual(rows)
})
