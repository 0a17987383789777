/** Names that every object inherits are ordinary names as a class, a group, a column, a model and a data set. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inferDisparities } from '../../../src/analysis/inferDisparities.ts'
import { checkDataset } from '../../../src/datasets/checkDataset.ts'
import { openDataset } from '../../../src/datasets/open.ts'
import { readTable } from '../../../src/datasets/readTable.ts'
import { importPredictions } from '../../../src/evaluate/import/predictions.ts'
import { tablesJson } from '../../../src/lib/table/writeTables.ts'
import { writeReport } from '../../../src/report/page/reportPage.ts'
import { groupAccuracyTable, inferenceTable } from '../../../src/report/tables/accuracyTables.ts'
import { openRun } from '../../../src/results/run.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'geogap-hostile-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const hostile = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
]
let cases = 0

interface HostileWorld {
  classes: string[]
  columns: string[]
  values: string[]
  model: string
  dataset: string
}

/** Imports predictions of a world whose every name is hostile, half of them right, and returns its results folder. */
async function importWorld({ classes, columns, values, model, dataset }: HostileWorld) {
  const place = await mkdtemp(join(folder, `case-${++cases}-`))
  const rows = Array.from({ length: 12 }, (_, i) => i)
  const cell = (i: number, k: number): string => values[(i + k) % values.length]!
  const lines = rows.map(i =>
    [i, `${i}.jpg`, classes[i % classes.length]!, ...columns.map((_, k) => cell(i, k))].join(','),
  )
  const file = join(place, `${dataset}.csv`)
  await writeFile(
    file,
    `${[['id', 'image', 'label', ...columns].join(','), ...lines].join('\n')}\n`,
  )
  await writeFile(join(place, 'classes.txt'), classes.join('\n'))
  const predictions = join(place, 'predictions.csv')
  const top5 = (i: number): string =>
    classes.map((_, k) => (i + k + Math.floor(i / 6)) % classes.length).join(';')
  await writeFile(predictions, `${['id,top5', ...rows.map(i => `${i},${top5(i)}`)].join('\n')}\n`)
  const opened = await openDataset({ name: file, classes: join(place, 'classes.txt') })
  const out = join(place, 'results')
  await importPredictions(opened, await readTable(predictions), {
    file: predictions,
    model,
    preprocessing: 'native',
    partial: false,
    protocol: 'first-mention' as const,
    out,
  })
  return { opened, out }
}

const pick = <T>(values: readonly T[], minLength: number) =>
  fc.shuffledSubarray([...values], { minLength })

it('from the import to tables and the report', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        classes: pick(hostile, 3),
        columns: pick(hostile, 1),
        values: pick(hostile, 2),
        model: fc.constantFrom(...hostile),
        dataset: fc.constantFrom(...hostile),
      }),
      async world => {
        const { opened, out } = await importWorld(world)
        expect(opened.columns).toEqual(world.columns)
        for (const { groups } of opened.samples)
          for (const column of world.columns) expect(world.values).toContain(groups[column])
        const check = await checkDataset(opened, { decode: false })
        expect(check.counts['class']!.map(({ value }) => value).sort()).toEqual(
          [...world.classes].sort(),
        )
        const run = await openRun(out)
        for (const by of ['label', ...world.columns]) {
          const names = by === 'label' ? world.classes : world.values
          const found = run.accuracy({ by })
          expect(found.map(({ group }) => group).sort()).toEqual([...names].sort())
          expect(found.every(row => Object.hasOwn(row.groups, by))).toBe(true)
          expect(found.reduce((sum, { n }) => sum + n, 0)).toBe(12)
          const table = groupAccuracyTable(run, [by])
          for (const format of ['text', 'csv'] as const)
            expect(table.text(format)).toContain(names[0])
          const inferred = await inferDisparities(run, { by, minN: 1, seed: 1, draws: 20 })
          const [json] = tablesJson([inferenceTable(inferred, by)]).tables
          expect(json!.rows.map(row => [row['model'], row['dataset']])).toEqual([
            [world.model, world.dataset],
          ])
        }
        await writeReport(run, join(out, 'report.html'))
      },
    ),
    { numRuns: 6, seed: 7 },
  )
})
