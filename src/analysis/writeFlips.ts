import { writeOutput } from '../lib/files.ts'
import { type DatasetNote, readDatasets } from '../results/notes.ts'
import { type Column, fields, formatTable, type Value } from '../lib/table/columns.ts'
import { type Flip, flips } from './pairs.ts'
import { type Sides } from './sides.ts'

/** Writes the flipped images of all data sets; gives their number. `dir` holds the notes on the data sets. */
export async function writeFlips(file: string, dir: string, sides: readonly Sides[]): Promise<number> {
  const notes = await readDatasets(dir)
  const lists = []
  for (const { dataset, preprocessing, first, second } of sides) {
    const note = notes.get(first.identity.content)
    lists.push({ dataset, preprocessing, note, flips: await flips(first, second) })
  }
  await writeOutput(file, flipsCsv(lists))
  return lists.reduce((sum, list) => sum + list.flips.length, 0)
}

/** The flipped images of one or several data sets as CSV; classes by name where the data set's note has them. */
function flipsCsv(
  lists: readonly { dataset: string; preprocessing: string; note: DatasetNote | undefined; flips: readonly Flip[] }[],
): string {
  const groups = [...new Set(lists.flatMap(({ flips }) => flips.flatMap(flip => Object.keys(flip.groups))))]
  const rows = lists.flatMap(({ dataset, preprocessing, note, flips }) =>
    flips.map(flip => ({ dataset, preprocessing, note, ...flip })),
  )
  type Row = (typeof rows)[number]
  const named = ({ note }: Row, index: number | null): Value =>
    index === null ? null : (note?.classes[index] ?? index)
  const columns: Column<Row>[] = [
    ...fields({ dataset: '', preprocessing: '', id: '', label: '', change: '' }),
    { name: 'first', heading: '', value: row => named(row, row.first) },
    { name: 'first_probability', heading: '', value: row => row.firstProbability },
    { name: 'second', heading: '', value: row => named(row, row.second) },
    { name: 'second_probability', heading: '', value: row => row.secondProbability },
    ...groups.map((name): Column<Row> => ({ name, heading: '', value: row => row.groups[name] ?? null })),
  ]
  return formatTable(columns, rows, 'csv')
}
