import { type ModelRow } from '../../models/listing.ts'
import { type Column, field, fields, type Format, formatTable } from '../../lib/table/columns.ts'

const millions = (value: number): string => (value / 1e6).toFixed(1)

/** `1.28 M`, `2.32 G`. */
function rounded(images: number | null): string {
  if (images === null) return '–'
  return images < 1e9 ? `${Number((images / 1e6).toPrecision(3))} M` : `${Number((images / 1e9).toPrecision(3))} G`
}

const columns: readonly Column<ModelRow>[] = [
  ...fields({ model: 'model', alias: 'in the paper', group: 'group', evaluation: 'evaluation' }),
  field('pretraining'),
  { ...field('images', 'training images'), show: ({ images }: ModelRow) => rounded(images) },
  { ...field('parameters', 'parameters (M)'), show: ({ parameters }: ModelRow) => millions(parameters) },
  { ...field('multiplyAdds', 'GMAC'), show: ({ multiplyAdds }: ModelRow) => (multiplyAdds / 1e9).toFixed(2) },
  ...fields({ input: 'input', licence: 'licence' }),
]

/** Every field of a row of the catalogue. */
export const modelDetails: readonly Column<ModelRow>[] = [
  ...columns,
  ...fields({ source: 'source', weights: 'weights', note: 'note' }),
]

/** Models as a table; CSV and JSON have every field, the formats for people those that fit a line. */
export const modelTable = (rows: readonly ModelRow[], format: Format): string =>
  formatTable(format === 'csv' || format === 'json' ? modelDetails : columns, rows, format)

/** One model in full, a line per field that is known. */
export function modelSheet(row: ModelRow): string {
  const lines = modelDetails.flatMap(({ heading, value, show }) => {
    const plain = value(row)
    return plain === null || plain === '' ? [] : [`${heading.padEnd(16)}${show ? show(row) : plain}`]
  })
  return `${lines.join('\n')}\n`
}
