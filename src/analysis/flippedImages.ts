import { writeOutput } from '../lib/files.ts'
import { type DatasetRecord, readDatasetRecords } from '../results/records.ts'
import {
  type TableColumn,
  fieldColumns,
  formatTable,
  type CellValue,
} from '../lib/table/columns.ts'
import { type FlippedImage, readFlippedImages } from './imagePairs.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

/** Writes the flipped images of all data sets; gives their number. `dir` holds the notes on the data sets. */
export async function writeFlippedImages(
  file: string,
  dir: string,
  pairs: readonly EvaluationPair[],
): Promise<number> {
  const notes = await readDatasetRecords(dir)
  const lists = []
  for (const { dataset, preprocessing, first, second } of pairs) {
    const note = notes.get(first.identity.content)
    lists.push({ dataset, preprocessing, note, flips: await readFlippedImages(first, second) })
  }
  await writeOutput(file, flippedImagesCsv(lists))
  return lists.reduce((sum, list) => sum + list.flips.length, 0)
}

/** The flipped images of one or several data sets as CSV; classes by name where the data set's note has them. */
function flippedImagesCsv(
  lists: readonly {
    dataset: string
    preprocessing: string
    note: DatasetRecord | undefined
    flips: readonly FlippedImage[]
  }[],
): string {
  const groups = [
    ...new Set(lists.flatMap(({ flips }) => flips.flatMap(flip => Object.keys(flip.groups)))),
  ]
  const rows = lists.flatMap(({ dataset, preprocessing, note, flips }) =>
    flips.map(flip => ({ dataset, preprocessing, note, ...flip })),
  )
  type Row = (typeof rows)[number]
  const named = ({ note }: Row, index: number | null): CellValue =>
    index === null ? null : (note?.classes[index] ?? index)
  const columns: TableColumn<Row>[] = [
    ...fieldColumns({ dataset: '', preprocessing: '', id: '', label: '', change: '' }),
    { name: 'first', heading: '', value: row => named(row, row.first) },
    { name: 'first_probability', heading: '', value: row => row.firstProbability },
    { name: 'second', heading: '', value: row => named(row, row.second) },
    { name: 'second_probability', heading: '', value: row => row.secondProbability },
    ...groups.map((name): TableColumn<Row> => ({
      name,
      heading: '',
      value: row => row.groups[name] ?? null,
    })),
  ]
  return formatTable(columns, rows, 'csv')
}
