import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { freeDiskBytes } from '../../src/lib/files.ts'
import { dryRun, evaluate, type EvaluateOptions } from '../../src/evaluate/evaluate.ts'
import { forecastTable } from '../../src/cli/print/forecast.ts'
import { writeModel, writeWorld } from '../helpers/world.ts'

let folder: string
let options: EvaluateOptions & { out: string }
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-dry-'))
  const dataset = { name: await writeWorld(folder, 12), classes: join(folder, 'classes.txt') }
  options = {
    models: [await writeModel(folder)],
    datasets: [dataset],
    out: join(folder, 'results'),
  }
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const planned = async (change: Partial<EvaluateOptions> = {}) =>
  (await dryRun({ ...options, ...change }))[0]!

it('counts what is to do and what is stored, and stores nothing itself', async () => {
  expect(await planned()).toMatchObject({ images: 12, stored: 0, download: 0, disk: 12 * 60 })
  expect(await planned({ keep: 'logits' })).toMatchObject({ images: 12, disk: 12 * 66 })
  await evaluate(options)
  expect(await planned()).toMatchObject({ images: 0, stored: 12, seconds: 0, disk: 0 })
  expect(await planned({ keep: 'logits' })).toMatchObject({ images: 12, stored: 0 })
  expect(await planned({ preprocessing: 'paper' })).toMatchObject({ images: 12, stored: 0 })
  expect(await planned({ limit: 5 })).toMatchObject({ images: 5, stored: 0 })
})

it('says in one line what it takes, and what a person has to do', async () => {
  const text = forecastTable([{ ...(await planned()), download: null }], {
    ...options,
    free: 5e9,
    device: 'cuda',
  })
  expect(text).toContain(
    '1 model, 0 predictions to make: 0 B to download, about 0 s on this machine',
  )
  expect(text).toContain(`(5.0 GB free for ${options.out})`)
  expect(text).toContain('by hand: no program can download the weights of lcnet_050.seed_1;')
  expect(text).toContain("estimated times are the CPU's: nothing is known here about cuda")
  expect(await freeDiskBytes(join(folder, 'not', 'there'))).toBeGreaterThan(0)
})
