/** Many shards of no work (one missing file each) through real children to real files; GEOGAP_TORTURE=1: 100,000 of them, as many as a day has. */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Item } from '../src/datasets/dataset.ts'
import { runShards } from '../src/inference/pool.ts'
import { folderPlace } from '../src/places/folder.ts'
import { type Identity, schemaVersion } from '../src/predictions/schema.ts'
import { entryName, readEntry } from '../src/predictions/store.ts'
import { commitShard } from '../src/predictions/write.ts'
import { nativeSteps } from '../src/preprocessing/steps.ts'
import { hasProc, workersOf } from './evaluation.ts'
import { measured, scaled } from './torture.ts'
import { classes, writeModel } from './world.ts'

const shards = scaled(300, 100_000)
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-long-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const identity: Identity = {
  ...{
    schema: schemaVersion,
    version: '0',
    runtime: '0',
    model: 'm',
    weights: ['0'],
    preprocessing: 'native',
    steps: '',
  },
  ...{ dataset: 'd', content: 'c', images: shards, labelMap: 'l', choices: 'all', prompts: '' },
}
const item: Item = {
  ...{ id: 'nothing', image: { kind: 'file', file: '/nothing/here' }, labels: [0], label: 'red', groups: {} },
}

interface Use {
  megabytes: number
  files: number
}

const useOf = (pid: number): Use => ({
  megabytes: Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024,
  files: readdirSync(`/proc/${pid}/fd`).length,
})

describe.skipIf(!hasProc)('a long run', () => {
  it(`of ${shards} shards of no work keeps memory and handles flat`, { timeout: 8 * 3_600_000 }, async () => {
    const { name, architecture, recipe, weights } = await writeModel(join(folder, 'models'))
    const model = { name, architecture, classes: classes.length, files: weights.from === 'files' ? weights.files : [] }
    const group = { models: [model], steps: nativeSteps(recipe), choices: 'all' as const, batch: 8, threads: 1 }
    const place = folderPlace(folder)
    const uses: Use[][] = []
    let done = 0
    await runShards(
      group,
      Array.from({ length: shards }, (_, start) => ({ start, items: [item] })),
      async ({ start }, { outcomes }) => {
        await commitShard(place, { identity, start, end: start + 1 }, [item], [], outcomes[0]!, 0)
        if (++done % Math.ceil(shards / 10) === 0) uses.push([process.pid, ...workersOf(process.pid)].map(useOf))
      },
      { processes: 1 },
    )
    const text = (use: Use[]) =>
      use.map(({ megabytes, files }) => `${megabytes.toFixed(0)} MB, ${files} files`).join('; ')
    const [early, late] = [uses[1]!, uses.at(-1)!]
    measured(`${shards} shards of no work: parent; child by tenths: ${uses.map(text).join(' | ')}`)
    for (const [i, use] of late.entries()) {
      expect(use.files).toBeLessThanOrEqual(early[i]!.files + 4)
      expect(use.megabytes).toBeLessThan(early[i]!.megabytes + 100)
    }
    const entry = await readEntry(place, entryName(identity))
    expect([entry!.rows, entry!.shards.length]).toEqual([shards, shards])
  })
})
