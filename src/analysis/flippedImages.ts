import { inputError } from '../lib/errors.ts'
import { isOfCounts } from '../results/schema.ts'
import { writeOutput } from '../lib/files.ts'
import { ownValue } from '../lib/ownValue.ts'
import { readDatasetRecords } from '../results/records.ts'
import { type TableColumn, fieldColumns, type CellValue } from '../lib/table/columns.ts'
import { formatTable } from '../lib/table/formats.ts'
import { type FlippedImage, readFlippedImages } from './imagePairs.ts'
import { type EvaluationPair } from './evaluationPairs.ts'

/**
 * Writes the flipped images of all pairs to a CSV file and returns their number. Classes are written by their names if a record
 * in `dir` has them.
 */
export async function writeFlippedImages(
  file: string,
  dir: string,
  pairs: readonly EvaluationPair[],
): Promise<number> {
  const records = await readDatasetRecords(dir)
  const rows = []
  for (const { dataset, preprocessing, first, second } of pairs) {
    const counted = [first, second].find(({ identity }) => isOfCounts(identity))
    if (counted)
      throw inputError(
        'no-images',
        `${counted.identity.model} on ${dataset} is counts by group, without single images: there are no flipped images to write`,
      )
    const classes = records.get(first.identity.content)?.classes
    for (const flip of await readFlippedImages(first, second))
      rows.push({ dataset, preprocessing, classes, ...flip })
  }
  await writeOutput(file, flippedImagesCsv(rows))
  return rows.length
}

type FlippedImageRow = FlippedImage & {
  dataset: string
  preprocessing: string
  classes: readonly string[] | undefined
}

function flippedImagesCsv(rows: readonly FlippedImageRow[]): string {
  const groups = [...new Set(rows.flatMap(row => Object.keys(row.groups)))]
  const column = (
    name: string,
    value: (row: FlippedImageRow) => CellValue,
  ): TableColumn<FlippedImageRow> => ({ name, heading: '', value })
  const className = ({ classes }: FlippedImageRow, index: number | null): CellValue =>
    index === null ? null : (classes?.[index] ?? index)
  const columns: TableColumn<FlippedImageRow>[] = [
    ...fieldColumns({ dataset: '', preprocessing: '', id: '', label: '', change: '' }),
    column('first', row => className(row, row.first)),
    column('first_probability', row => row.firstProbability),
    column('second', row => className(row, row.second)),
    column('second_probability', row => row.secondProbability),
    ...groups.map(name => column(name, row => ownValue(row.groups, name) ?? null)),
  ]
  return formatTable(columns, rows, 'csv')
}
