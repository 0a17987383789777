/** Evaluations of one data set that are of different images, as after a limit or a change of its file, are said to be. */
import { rm } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { describeMethods } from '../../src/analysis/citing/methods.ts'
import { firstScreen } from '../../src/analysis/firstScreen.ts'
import { progressEvidence } from '../../src/analysis/progress/evidence.ts'
import { runView } from '../../src/analysis/runView.ts'
import { groupAccuracyTable } from '../../src/report/tables/accuracyTables.ts'
import { openRun } from '../../src/results/run.ts'
import { storeRun } from '../helpers/storedRun.ts'

const one = (model: string, dataset: string, images: number) => ({
  model,
  dataset,
  correct: Array.from({ length: images }, (_, i) => i % 2 === 0),
  groups: () => ({ region: 'Africa' }),
})

it('the table, the first screen and the methods name a data set whose models saw different images', async () => {
  const out = await storeRun([
    one('a', 'd', 40),
    one('b', 'd', 30),
    one('a', 'e', 9),
    one('b', 'e', 9),
  ])
  try {
    const run = await openRun(out)
    const view = runView(run)
    const note =
      'evaluations of d are of different images: 40 images by a; 30 images by b; geogap compare takes those in common'
    const notesOf = (notes: readonly string[]) =>
      notes.filter(text => text.includes('different images'))
    expect(notesOf(groupAccuracyTable(run, ['region']).notes)).toEqual([note])
    const evidence = progressEvidence(view)
    expect((await firstScreen(view, { dataset: 'd', evidence })).notes).toEqual([note])
    expect((await firstScreen(view, { dataset: 'e', evidence })).notes).toEqual([])
    expect(JSON.stringify(describeMethods(run))).toContain(`${note}.`)
  } finally {
    await rm(out, { recursive: true })
  }
})
