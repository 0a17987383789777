/**
 * Many shards through real children to real files: of no work (one missing file each), and of 64 pictures. GEOGAP_TORTURE=1: 100,000 of the
 * ones, as many as a day has, and 50,000 pictures.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Sample } from '../../src/datasets/dataset.ts'
import { runShards } from '../../src/evaluate/workers/pool.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { type ResultKey, schemaVersion } from '../../src/results/schema.ts'
import { evaluationPath, readStoredEvaluation } from '../../src/results/storedEvaluations.ts'
import { commitShard } from '../../src/results/writeShard.ts'
import { nativeSteps } from '../../src/lib/pixels/steps.ts'
import { hasProc, workersOf } from '../helpers/evaluation.ts'
import { measured, scaled } from '../helpers/torture.ts'
import { classes, writeModel } from '../helpers/world.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-long-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const identityOf = (images: number): ResultKey => ({
  schema: schemaVersion,
  version: '0',
  runtime: '0',
  model: 'm',
  weights: ['0'],
  preprocessing: 'native',
  steps: '',
  dataset: 'd',
  content: 'c',
  images,
  labelMap: 'l',
  choices: 'all',
  prompts: '',
})
const itemOf = (file: string): Sample => ({
  id: file,
  image: { kind: 'file', file },
  labels: [0],
  label: 'red',
  groups: {},
})

async function pictures(folder: string): Promise<Sample[]> {
  const background = { r: 200, g: 90, b: 30 }
  const bytes = await sharp({ create: { width: 400, height: 300, channels: 3, background } })
    .jpeg()
    .toBuffer()
  return Promise.all(
    Array.from({ length: 64 }, async (_, i) => {
      const file = join(folder, `${i}.jpg`)
      await writeFile(file, bytes)
      return itemOf(file)
    }),
  )
}

const kinds = [
  {
    what: 'no work',
    shards: scaled(160, 100_000),
    itemsIn: () => Promise.resolve([itemOf('/nothing/here')]),
  },
  { what: '64 pictures', shards: scaled(5, 800), itemsIn: pictures },
]

interface Use {
  megabytes: number
  files: number
}

const useOf = (pid: number): Use => ({
  megabytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024,
  files: readdirSync(`/proc/${pid}/fd`).length,
})

describe.skipIf(!hasProc)('a long run', () => {
  it.each(kinds)(
    'of $shards shards of $what keeps memory and handles flat',
    async ({ what, shards, itemsIn }) => {
      const items = await itemsIn(folder)
      const identity = identityOf(shards * items.length)
      const dataset = { samples: Array.from({ length: shards }, () => items).flat(), columns: [] }
      const { name, architecture, recipe, weights } = await writeModel(join(folder, 'models'))
      const model = {
        name,
        architecture,
        classes: classes.length,
        files: weights.from === 'files' ? weights.files : [],
      }
      const group = {
        models: [model],
        steps: nativeSteps(recipe),
        choices: 'all' as const,
        batch: 8,
        threads: 1,
      }
      const place = folderStorage(join(folder, what))
      const uses: Use[][] = []
      let done = 0
      await runShards(
        group,
        Array.from({ length: shards }, (_, i) => ({ start: i * items.length, items })),
        {
          processes: 1,
          onResult: async ({ start }, { outcomes }) => {
            const range = { start, end: start + items.length }
            await commitShard(place, {
              ...range,
              identity,
              dataset,
              predictions: outcomes[0]!,
              seconds: 0,
            })
            if (++done % Math.ceil(shards / 10) === 0)
              uses.push([process.pid, ...workersOf(process.pid)].map(useOf))
          },
        },
      )
      const text = (use: Use[]) =>
        use.map(({ megabytes, files }) => `${megabytes.toFixed(0)} MB, ${files} files`).join('; ')
      const [early, late] = [uses[1]!, uses.at(-1)!]
      measured(
        `${shards} shards of ${what}: parent; child by tenths: ${uses.map(text).join(' | ')}`,
      )
      for (const [i, use] of late.entries()) {
        expect(use.files).toBeLessThanOrEqual(early[i]!.files + 4)
        expect(use.megabytes).toBeLessThan(early[i]!.megabytes + 100)
      }
      const entry = await readStoredEvaluation(place, evaluationPath(identity))
      expect([entry!.rows, entry!.shards.length]).toEqual([shards * items.length, shards])
    },
    8 * 3_600_000,
  )
})
