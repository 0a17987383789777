import { ownValue } from '../../lib/ownValue.ts'
import { type Dataset, type Sample } from '../../datasets/dataset.ts'
import { inputError } from '../../lib/errors.ts'
import { writeError, writeDurably } from '../../lib/files.ts'
import { absolutePath } from '../../lib/storage/storage.ts'
import { type ParquetColumn, numberColumn, textColumn, writeParquet } from '../../lib/sql.ts'

/**
 * Writes the Parquet table that another program needs to predict for a data set: id, label, accepted class indices (separated
 * by `;`), the image's file, its byte range in an archive (else null), and the grouping columns.
 * @throws GeogapError `packed-images` if an image is no plain range of bytes, `bad-option` for an ending but `.parquet`
 */
export async function writeManifest(dataset: Dataset, file: string): Promise<void> {
  if (!/\.parquet$/i.test(file))
    throw inputError('bad-option', `a manifest is written as .parquet, not ${file}`)
  const packed = dataset.samples.find(({ image }) => image.kind === 'parquet' || isDeflated(image))
  if (packed)
    throw inputError(
      'packed-images',
      `${packed.id} is packed in ${packed.image.file}, where other programs cannot read it: unpack it`,
    )
  await writeDurably(file, temporary => writeParquet(temporary, manifestColumns(dataset))).catch(
    (error: unknown) => {
      throw writeError(file, error)
    },
  )
}

const isDeflated = (image: Sample['image']): boolean =>
  image.kind === 'range' && image.deflated !== undefined

function manifestColumns({ samples: items, columns }: Dataset): ParquetColumn[] {
  const range = ({ image }: Sample) => (image.kind === 'range' ? image : undefined)
  return [
    textColumn('id', items, ({ id }) => id),
    textColumn('label', items, ({ label }) => label),
    textColumn('labels', items, ({ labels }) => labels.join(';')),
    textColumn('file', items, ({ image }) => absolutePath(image.file)),
    numberColumn('offset', items, item => range(item)?.offset ?? null),
    numberColumn('length', items, item => range(item)?.length ?? null),
    ...columns.map(name =>
      textColumn(name, items, ({ groups }) => {
        const value = ownValue(groups, name) ?? null
        return value === null ? null : String(value)
      }),
    ),
  ]
}
