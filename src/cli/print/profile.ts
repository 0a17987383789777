import { type Profile } from '../../evaluate/measurement.ts'
import { type Way } from '../../evaluate/evaluateDataset.ts'
import { type Column, fields, formatTable } from '../../lib/table/columns.ts'

/** A model of a profile; what models share is on the first one's row. */
interface Row extends Omit<Profile, 'infer'> {
  model: string
  first: boolean
  infer: number
}

/** Milliseconds per image, of all processes together. */
const part = (name: 'decode' | 'prepare' | 'write' | 'idle'): Column<Row> => ({
  name,
  heading: `${name} ms`,
  value: row => (row.first ? perImage(row[name], row) : null),
})

const perImage = (seconds: number, { images }: Pick<Row, 'images'>): number =>
  Math.round((1e5 * seconds) / Math.max(1, images)) / 100

/** `2 processes × 1 thread, batch 16` */
export const runAs = ({ processes, threads, batch }: Pick<Way, 'processes' | 'threads' | 'batch'>): string =>
  `${processes} process${processes === 1 ? '' : 'es'} × ${threads} thread${threads === 1 ? '' : 's'}, batch ${batch}`

const columns: Column<Row>[] = [
  ...fields({ model: 'model', dataset: 'data set', images: 'images' }),
  { name: 'run_as', heading: 'run as', value: row => (row.first ? runAs(row) : 'with the one above') },
  part('decode'),
  part('prepare'),
  { name: 'infer', heading: 'infer ms', value: row => perImage(row.infer, row) },
  part('write'),
  part('idle'),
]

/** Where the time went, in milliseconds an image. */
export function profileTable(profiles: readonly Profile[]): string {
  const rows = profiles.flatMap(({ infer, ...profile }) =>
    profile.models.map((model, m): Row => ({ ...profile, model, first: m === 0, infer: infer[m]! })),
  )
  return formatTable(columns, rows, 'text')
}
