/** Imports of predictions that a test writes as a table. */
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Dataset } from '../../src/datasets/dataset.ts'
import { readTable } from '../../src/datasets/readTable.ts'
import {
  type CoverageReport,
  importPredictions,
  type PredictionImportOptions,
} from '../../src/evaluate/import/predictions.ts'

/** Imports a table of predictions of the model `theirs` into `results` beside it; `lines` are written to it before. */
export async function importTable(
  dataset: Dataset,
  file: string,
  { lines, ...more }: Partial<PredictionImportOptions> & { lines?: readonly string[] } = {},
): Promise<CoverageReport> {
  if (lines) await writeFile(file, `${lines.join('\n')}\n`)
  return importPredictions(dataset, await readTable(file), {
    file,
    model: 'theirs',
    preprocessing: 'native',
    partial: false,
    protocol: 'first-mention',
    out: join(dirname(file), 'results'),
    ...more,
  })
}
