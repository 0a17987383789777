/** Results of different weights, settings, data or versions never meet, and status says which are stale and why. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { builtPath } from '../../scripts/built.ts'
import { evaluate, type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { createWorkerPool } from '../../src/evaluate/workers/pool.ts'
import { type ModelSpec } from '../../src/models/spec.ts'
import {
  resultKey as identitySchema,
  type ResultKey,
  schemaVersion,
} from '../../src/results/schema.ts'
import { hashResultKey, readStoredEvaluations } from '../../src/results/storedEvaluations.ts'
import { openRun } from '../../src/results/run.ts'
import { hashPrompts } from '../../src/models/zeroShot/zeroShotHead.ts'
import { runStatus } from '../../src/results/status.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

const installed = vi.hoisted(() => ({ version: '1.0.0', runtime: 'onnxruntime 1.0.0' }))
vi.mock('../../src/lib/version.ts', () => ({
  get version() {
    return installed.version
  },
}))
vi.mock('../../src/lib/onnx/engine.ts', async original => ({
  ...(await original<object>()),
  runtimeVersion: () => installed.runtime,
}))

const count = 6
let folder: string
let manifest: string
let text: string
let model: ModelSpec
let other: ModelSpec
beforeAll(async () => {
  // A replaced module needs the sources themselves; their workers need not.
  vi.stubEnv('NODE_OPTIONS', `--import ${builtPath('test/helpers/builtSources.child.ts')}`)
  folder = await mkdtemp(join(tmpdir(), 'geogap-mixed-'))
  manifest = await writeWorld(folder, count)
  text = await readFile(manifest, 'utf8')
  model = await writeModel(join(folder, 'models'))
  other = { ...(await writeModel(join(folder, 'models'), 2)), name: model.name }
})
/** Keeps the processes of an evaluation for the next one: their start would take most of the time. */
const pool = createWorkerPool()
afterAll(async () => {
  pool.end()
  await rm(folder, { recursive: true, force: true })
})

const evaluated = (out: string, change: Partial<EvaluateOptions> = {}) => {
  const options = {
    models: [model],
    datasets: [{ name: manifest, classes: join(folder, 'classes.txt') }],
    out,
    pool,
    ...change,
  }
  return evaluate(options)
}

const changes: readonly [string, string[], (out: string) => Promise<unknown>][] = [
  ['the weights', ['weights'], out => evaluated(out, { models: [other] })],
  [
    'an image’s label',
    ['content'],
    out => withText(text.replace('red', 'blue'), () => evaluated(out)),
  ],
  [
    'an image’s region',
    ['content'],
    out => withText(text.replace('Africa', 'Asia'), () => evaluated(out)),
  ],
  ['the product', ['version'], out => withInstalled({ version: '2.0.0' }, () => evaluated(out))],
  [
    'the runtime',
    ['runtime'],
    out => withInstalled({ runtime: 'onnxruntime 2.0.0' }, () => evaluated(out)),
  ],
]

async function withText(changed: string, work: () => Promise<unknown>): Promise<void> {
  await writeFile(manifest, changed)
  try {
    await work()
  } finally {
    await writeFile(manifest, text)
  }
}

async function withInstalled(
  changed: Partial<typeof installed>,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = { ...installed }
  Object.assign(installed, changed)
  await work().finally(() => Object.assign(installed, before))
}

describe('results', () => {
  it.each(changes)(
    'are not mixed when %s changes, and are shown as stale',
    async (what, differs, change) => {
      const out = join(folder, what)
      await evaluated(out)
      await change(out)
      expect((await readStoredEvaluations(out)).map(({ rows }) => rows)).toEqual([count, count])
      const { results } = await runStatus(out)
      expect(results.map(one => one.state)).toContain('stale')
      expect(results.flatMap(one => one.differs)).toEqual(expect.arrayContaining(differs))
      const [row] = (await openRun(out)).accuracy()
      expect(row!.n).toBe(count)
    },
  )

  it('of another preprocessing or limit stand beside, under names of their own', async () => {
    const out = join(folder, 'beside')
    await evaluated(out)
    await evaluated(out, { preprocessing: 'paper' })
    await evaluated(out, { limit: 3 })
    const rows = (await openRun(out))
      .accuracy()
      .map(({ dataset, preprocessing, n }) => [preprocessing, n, dataset])
    expect(rows.map(([mode, n]) => [mode, n])).toEqual([
      ['native', count],
      ['paper', count],
      ['native', 3],
    ])
    expect(new Set(rows.map(row => row.join())).size).toBe(3)
  })

  it('have a key that depends on every field of their identity', () => {
    const base: ResultKey = {
      schema: schemaVersion,
      version: '1',
      runtime: 'r',
      model: 'm',
      weights: ['w'],
      preprocessing: 'native',
      steps: 's',
      dataset: 'd',
      content: 'c',
      images: 1,
      labelMap: 'l',
      choices: 'all',
      prompts: 'p',
    }
    const changed: Partial<Record<keyof ResultKey, unknown>> = {
      weights: ['v'],
      preprocessing: 'paper',
      images: 2,
      schema: schemaVersion + 1,
      source: 'imported',
    }
    const keys = Object.keys(identitySchema.shape).map(field =>
      hashResultKey({ ...base, [field]: changed[field as keyof ResultKey] ?? 'other' }),
    )
    expect(new Set([hashResultKey(base), ...keys]).size).toBe(keys.length + 1)
  })

  it('of zero-shot models are known by templates, class names and their order', () => {
    const hashes = [
      [['{}'], ['stove', 'cup']],
      [['a photo of {}'], ['stove', 'cup']],
      [['{}'], ['cup', 'stove']],
      [['{}'], ['stove', 'cups']],
    ].map(([templates, classNames]) =>
      hashPrompts({ tokenizer: '', templates: templates!, classNames: classNames! }),
    )
    expect(new Set(hashes).size).toBe(hashes.length)
  })
})
