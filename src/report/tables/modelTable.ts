import { arrangeRows, type TableArrangement } from '../../lib/table/table.ts'
import { type ModelRow } from '../../models/listing.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { type TableFormat, formatTable } from '../../lib/table/formats.ts'

/** `1.28 M`, `2.32 G`. */
function imagesText(images: number | null): string {
  if (images === null) return '–'
  return images < 1e9
    ? `${Number((images / 1e6).toPrecision(3))} M`
    : `${Number((images / 1e9).toPrecision(3))} G`
}

const modelColumns: readonly TableColumn<ModelRow>[] = [
  ...fieldColumns({
    model: 'model',
    alias: 'in the paper',
    group: 'group',
    evaluation: 'evaluation',
  }),
  fieldColumn('pretraining'),
  fieldColumn('images', 'training images', imagesText),
  fieldColumn('parameters', 'parameters (M)', (count: number) => (count / 1e6).toFixed(1)),
  fieldColumn('multiplyAdds', 'GMAC', (count: number) => (count / 1e9).toFixed(2)),
  ...fieldColumns({ input: 'input', testInput: 'test input' }),
  fieldColumn('imagenetTop1', 'ImageNet top-1', (top1: number | null) => top1?.toFixed(1) ?? '–'),
  fieldColumn('licence'),
]

/** Every field of a row of the catalogue. */
export const modelDetails: readonly TableColumn<ModelRow>[] = [
  ...modelColumns,
  ...fieldColumns({
    logitScale: 'logit scale',
    licenceSource: 'licence from',
    source: 'source',
    weights: 'weights',
    note: 'note',
  }),
]

/** Returns models as a table. CSV and JSON have every field, formats for people those that fit a line. */
export function modelTable(
  rows: readonly ModelRow[],
  format: TableFormat,
  asked: TableArrangement = {},
): string {
  const isComplete = format === 'csv' || format === 'json' || asked.columns !== undefined
  const arranged = arrangeRows(modelDetails, rows, asked)
  return formatTable(isComplete ? arranged.columns : modelColumns, arranged.rows, format)
}

/** Returns all known fields of one model, one per line. */
export function modelSheet(row: ModelRow): string {
  const lines = modelDetails.flatMap(({ heading, value, show }) => {
    const plain = value(row)
    return plain === null || plain === ''
      ? []
      : [`${heading.padEnd(16)}${show ? show(row) : plain}`]
  })
  return `${lines.join('\n')}\n`
}
