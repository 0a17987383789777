import { type Dataset, type ImageSource } from '../datasets/dataset.ts'
import { storageError, writeDurably } from '../files.ts'
import { type Column, writeParquet } from '../sql.ts'

/**
 * Writes what another program needs to predict for a data set: id, label, accepted class indices (with `;` between), the image's
 * file, where it lies in it (both null for a file of its own), and the grouping columns.
 */
export async function writeManifest(dataset: Dataset, file: string): Promise<void> {
  await writeDurably(file, temporary => writeParquet(temporary, manifestColumns(dataset))).catch((error: unknown) => {
    throw storageError(file, error)
  })
}

function manifestColumns({ items, columns }: Dataset): Column[] {
  const texts = (name: string, values: (string | null)[]): Column => ({ name, type: 'VARCHAR', values })
  const numbers = (name: string, values: (number | null)[]): Column => ({ name, type: 'DOUBLE', values })
  return [
    texts(
      'id',
      items.map(({ id }) => id),
    ),
    texts(
      'label',
      items.map(({ label }) => label),
    ),
    texts(
      'labels',
      items.map(({ labels }) => labels.join(';')),
    ),
    texts(
      'file',
      items.map(({ image }) => image.file),
    ),
    numbers(
      'offset',
      items.map(({ image }) => plainRange(image)?.offset ?? null),
    ),
    numbers(
      'length',
      items.map(({ image }) => plainRange(image)?.length ?? null),
    ),
    ...columns.map(name =>
      texts(
        name,
        items.map(({ groups }) => (groups[name] == null ? null : String(groups[name]))),
      ),
    ),
  ]
}

const plainRange = (image: ImageSource): { offset: number; length: number } | undefined =>
  image.kind === 'range' && image.deflated === undefined ? image : undefined
