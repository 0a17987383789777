import { cp, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { readHistory } from '../../src/analysis/history.ts'
import { openRun } from '../../src/results/run.ts'
import { runStatus } from '../../src/results/status.ts'
import { temporaryFolder } from '../datasets/fixtures.ts'
import { geogap } from '../helpers/cli.ts'

/** Results that the version before the redesign (6c97f26) stored: 12 photographs of four countries, ten of them right. */
const previous = fileURLToPath(new URL('previous', import.meta.url))
const root = temporaryFolder()

it('results of the previous version open, with its accuracies and tags', async () => {
  const dir = join(root, 'whole')
  await cp(previous, dir, { recursive: true })
  const run = await openRun(dir)
  expect(run.accuracy()).toMatchObject([{ dataset: 'world', n: 12, top1: 10 / 12, top5: 10 / 12 }])
  const countries = run.accuracy({ by: 'country' }).map(({ group, n, top1 }) => [group, n, top1])
  expect(countries).toEqual([
    ['Ghana', 3, 1],
    ['Kenya', 3, 1],
    ['Norway', 3, 1 / 3],
    ['Spain', 3, 1],
  ])
  expect(run.failures).toEqual([])
  expect((await runStatus(dir)).results.map(({ state }) => state)).toEqual(['complete'])
  const { rows, notes } = await readHistory([dir])
  expect(rows).toMatchObject([{ tags: { commit: 'old' }, n: 12 }])
  expect(notes).toEqual([])
})

const damages = {
  cut: (file: string) => truncate(file, 100),
  noise: (file: string) => writeFile(file, Buffer.alloc(2529, 7)),
}

it.each(['cut', 'noise'] as const)('damage (%s) is named by history and place', async kind => {
  const dir = join(root, kind)
  await cp(previous, dir, { recursive: true })
  const names = await readdir(join(dir, 'predictions'), { recursive: true })
  const shard = names.find(name => name.endsWith('.parquet'))!
  await damages[kind](join(dir, 'predictions', shard))
  const left = 'left out: tf_efficientnet_lite0.in1k on world: results of 12 images are damaged'
  const { rows, notes } = await readHistory([dir])
  expect(rows).toEqual([])
  expect(notes[0]).toContain(left)
  expect((await geogap(['history', dir])).stdout).toContain(left)
  expect((await geogap(['place', dir])).stderr).toContain(left)
})
