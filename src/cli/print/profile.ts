import { type InferenceProfile } from '../../evaluate/profile.ts'
import { type ExecutionPlan } from '../../evaluate/progress.ts'
import { type TableColumn, fieldColumns } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'

/** A model of a profile; values shared by models are on the row of the first one. */
interface ProfileRow extends Omit<InferenceProfile, 'infer'> {
  model: string
  first: boolean
  infer: number
}

/** Milliseconds per image, summed over all processes. */
const stageColumn = (name: 'decode' | 'prepare' | 'write' | 'idle'): TableColumn<ProfileRow> => ({
  name,
  heading: `${name} ms`,
  value: row => (row.first ? msPerImage(row[name], row) : null),
})

const msPerImage = (seconds: number, { images }: Pick<ProfileRow, 'images'>): number =>
  Math.round((1e5 * seconds) / Math.max(1, images)) / 100

/** `2 processes × 1 thread, batch 16` */
export const executionText = ({
  processes,
  threads,
  batch,
}: Pick<ExecutionPlan, 'processes' | 'threads' | 'batch'>): string =>
  `${processes} process${processes === 1 ? '' : 'es'} × ${threads} thread${threads === 1 ? '' : 's'}, batch ${batch}`

const columns: TableColumn<ProfileRow>[] = [
  ...fieldColumns({ model: 'model', dataset: 'data set', images: 'images' }),
  {
    name: 'run_as',
    heading: 'run as',
    value: row => (row.first ? executionText(row) : 'with the one above'),
  },
  stageColumn('decode'),
  stageColumn('prepare'),
  { name: 'infer', heading: 'infer ms', value: row => msPerImage(row.infer, row) },
  stageColumn('write'),
  stageColumn('idle'),
]

/** Returns a table of the time that each step took, in milliseconds per image. */
export function profileTable(profiles: readonly InferenceProfile[]): string {
  const rows = profiles.flatMap(({ infer, ...profile }) =>
    profile.models.map((model, m): ProfileRow => ({
      ...profile,
      model,
      first: m === 0,
      infer: infer[m]!,
    })),
  )
  return formatTable(columns, rows, 'text')
}
