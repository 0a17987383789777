import { type ModelRow } from '../models/listing.ts'
import { type Column, type Format, formatTable } from './tables.ts'

const millions = (value: number): string => (value / 1e6).toFixed(1)

/** `1.28 M`, `2.32 G`. */
function rounded(images: number | null): string {
  if (images === null) return '–'
  return images < 1e9 ? `${Number((images / 1e6).toPrecision(3))} M` : `${Number((images / 1e9).toPrecision(3))} G`
}

const text = (name: keyof ModelRow, heading: string = name): Column<ModelRow> => ({
  ...{ name, heading, value: row => row[name] },
})

const columns: readonly Column<ModelRow>[] = [
  text('model'),
  text('alias', 'in the paper'),
  text('group'),
  text('evaluation'),
  text('pretraining'),
  { ...text('images', 'training images'), show: ({ images }) => rounded(images) },
  { ...text('parameters', 'parameters (M)'), show: ({ parameters }) => millions(parameters) },
  { ...text('multiplyAdds', 'GMAC'), show: ({ multiplyAdds }) => (multiplyAdds / 1e9).toFixed(2) },
  text('input'),
  text('licence'),
]

/** Every field of a row of the catalogue. */
export const modelDetails: readonly Column<ModelRow>[] = [...columns, text('source'), text('weights'), text('note')]

/** Models as a table; CSV and JSON have every field, the formats for people those that fit a line. */
export function modelTable(rows: readonly ModelRow[], format: Format): string {
  return formatTable(format === 'csv' || format === 'json' ? modelDetails : columns, rows, format)
}

/** One model in full, a line per field that is known. */
export function modelSheet(row: ModelRow): string {
  const lines = modelDetails.flatMap(({ heading, value, show }) => {
    const plain = value(row)
    return plain === null || plain === '' ? [] : [`${heading.padEnd(16)}${show ? show(row) : plain}`]
  })
  return `${lines.join('\n')}\n`
}
