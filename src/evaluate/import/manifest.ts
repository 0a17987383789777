import { ownValue } from '../../lib/ownValue.ts'
import { type Dataset, type Sample } from '../../datasets/dataset.ts'
import { inputError } from '../../lib/errors.ts'
import { absolutePath } from '../../lib/storage/storage.ts'
import { type TableColumn } from '../../lib/table/columns.ts'
import { createTable, type Table } from '../../lib/table/table.ts'

/**
 * Returns the table that another program needs to predict for a data set: id, label, accepted class indices (separated by
 * `;`), the image's file, its byte range in an archive (else null), and the grouping columns.
 * @throws GeogapError `packed-images` if an image is no plain range of bytes
 */
export function manifestTable(dataset: Dataset): Table {
  const packed = dataset.samples.find(({ image }) => image.kind === 'parquet' || isDeflated(image))
  if (packed)
    throw inputError(
      'packed-images',
      `${packed.id} is packed in ${packed.image.file}, where other programs cannot read it: unpack it`,
    )
  const about = { name: 'manifest', title: `Images of ${dataset.name}` }
  return createTable(about, manifestColumns(dataset), dataset.samples)
}

const isDeflated = (image: Sample['image']): boolean =>
  image.kind === 'range' && image.deflated !== undefined

function manifestColumns({ columns }: Dataset): TableColumn<Sample>[] {
  const column = (name: string, value: (sample: Sample) => string | null) => ({
    name,
    heading: name,
    value,
  })
  const range = ({ image }: Sample) => (image.kind === 'range' ? image : undefined)
  const number = (name: 'offset' | 'length'): TableColumn<Sample> => ({
    name,
    heading: name,
    type: 'number',
    value: sample => range(sample)?.[name] ?? null,
  })
  return [
    column('id', ({ id }) => id),
    column('label', ({ label }) => label),
    column('labels', ({ labels }) => labels.join(';')),
    column('file', ({ image }) => absolutePath(image.file)),
    number('offset'),
    number('length'),
    ...columns.map(name =>
      column(name, ({ groups }) => ownValue(groups, name)?.toString() ?? null),
    ),
  ]
}
