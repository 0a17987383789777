import { readDatasets } from '../predictions/notes.ts'
import { flips } from './pairs.ts'
import { flipsCsv } from './flipsTable.ts'
import { type Sides } from './sides.ts'
import { writeBytes } from './writeBytes.ts'

/** Writes the flipped images of all data sets; gives their number. `dir` holds the notes on the data sets. */
export async function writeFlips(file: string, dir: string, sides: readonly Sides[]): Promise<number> {
  const notes = await readDatasets(dir)
  const lists = []
  for (const { dataset, preprocessing, first, second } of sides) {
    const note = notes.get(first.identity.content)
    lists.push({ dataset, preprocessing, note, flips: await flips(first, second) })
  }
  await writeBytes(file, flipsCsv(lists))
  return lists.reduce((sum, list) => sum + list.flips.length, 0)
}
