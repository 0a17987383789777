import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readHistory } from '../../src/analysis/history.ts'
import { readPack, writePack } from '../../src/analysis/pack.ts'
import { openFeaturesIn } from '../../src/experiments/features.ts'
import { groupAccuracyTable } from '../../src/report/tables/accuracyTables.ts'
import { createRun, openRun } from '../../src/results/run.ts'
import { readEvaluationFolders } from '../../src/results/storedEvaluations.ts'
import { runStatus } from '../../src/results/status.ts'
import { evenly, storeRun } from '../helpers/storedRun.ts'

const one = { model: 'm', dataset: 'd', correct: evenly(20, 0.5) }
const message =
  'stored with preprocessing native-draft, which this version does not have: evaluate again'
const failure = { model: 'm', dataset: 'd', code: 'retired-preprocessing', message }

let both: string
let alone: string
beforeAll(async () => {
  both = await storeRun([{ ...one, preprocessing: 'native' }, { ...one, preprocessing: 'native-draft' }]) // prettier-ignore
  alone = await storeRun([{ ...one, preprocessing: 'native-draft' }])
})
afterAll(() => Promise.all([both, alone].map(dir => rm(dir, { recursive: true, force: true }))))

describe('results of a preprocessing mode of earlier versions', () => {
  it('are left out of a run beside others, with the reason', async () => {
    const run = await openRun(both)
    expect(run.accuracy().map(({ preprocessing, n }) => [preprocessing, n])).toEqual([
      ['native', 20],
    ])
    expect(run.failures).toEqual([failure])
    expect(groupAccuracyTable(run, []).notes).toContain(`left out: m on d: ${message}`)
    expect((await readHistory([both])).rows).toHaveLength(1)
  })

  it('leave a folder of nothing else readable', async () => {
    const run = await openRun(alone)
    expect(run.accuracy()).toEqual([])
    expect(run.failures).toEqual([failure])
    expect(await openFeaturesIn(alone)).toEqual([])
  })

  it('are stale in the status', async () => {
    const { results } = await runStatus(both)
    const retired = results.find(({ preprocessing }) => preprocessing === 'native-draft')
    expect(results).toHaveLength(2)
    expect(retired).toMatchObject({ state: 'stale', differs: ['preprocessing'], message, rows: 20 })
  })

  it('are left out of a pack that has some', async () => {
    const entries = await readEvaluationFolders(alone)
    const { datasets } = await openRun(alone)
    const file = join(alone, 'old.pack')
    const old = createRun({ dir: alone, entries, datasets, failures: [], cells: [] })
    await writeFile(file, await writePack(old))
    const run = await readPack(file)
    expect(run.entries).toEqual([])
    expect(run.failures).toEqual([failure])
  })
})
