import {
  isWithinTolerance,
  type ComputeEnvironment,
  type Verification,
  type VerifiedShard,
} from '../../evaluate/verify.ts'
import { type TableColumn, fieldColumn, fieldColumns } from '../../lib/table/columns.ts'
import { formatTable } from '../../lib/table/formats.ts'
import { wrapToTerminal } from '../../lib/table/fitToTerminal.ts'
import { groupByKey } from '../../lib/tally.ts'
import { countText, shortList, stripControlCharacters } from '../../lib/table/text.ts'

/** Returns `verified 3 of …: all agree`, or the shards that differ. */
export function verifySentence({ shards, left, tolerance }: Verification): string {
  const differing = shards.filter(shard => !isWithinTolerance(shard, tolerance)).length
  const rest =
    left.length === 0 ? '' : `${countText(left.length, 'evaluation')} could not be run again`
  if (shards.length === 0 && rest !== '') return `nothing was compared: ${rest}`
  const images = shards.reduce((sum, shard) => sum + shard.images, 0)
  const verdict = differing === 0 ? 'all agree' : `${differing} differ`
  return `${shards.length} ${shards.length === 1 ? 'shard' : 'shards'} with ${images} predictions run again: ${verdict} within ${tolerance}${rest && `; ${rest}`}`
}

const smallNumberText = (value: number | null): string =>
  value === null
    ? '–'
    : value === 0
      ? '0'
      : value < 1e-4
        ? value.toExponential(0)
        : value.toPrecision(2)

interface VerifyRow extends VerifiedShard {
  verdict: string
  on: string
}

const columns: TableColumn<VerifyRow>[] = [
  ...fieldColumns({ verdict: 'verdict', model: 'model', dataset: 'data set' }),
  { name: 'shard', heading: 'shard', value: ({ start, end }) => `${start} – ${end}` },
  ...fieldColumns({ images: 'images', differing: 'differing', ties: 'ties' }),
  fieldColumn('difference', 'logits by', smallNumberText),
  fieldColumn('kept', 'kept by', smallNumberText),
  fieldColumn('on', 'made on'),
]

interface MachineRow extends ComputeEnvironment {
  name: string
  shards: number | null
}

const machineColumns: TableColumn<MachineRow>[] = [
  fieldColumn('name', 'letter'),
  fieldColumn('shards', 'shards', (shards: number | null) => String(shards ?? '')),
  fieldColumn('machine'),
  { name: 'instructions', heading: 'instruction sets', value: row => row.instructions ?? null },
  ...fieldColumns({ runtime: 'runtime', version: 'geogap' }),
  { name: 'host', heading: 'host', value: row => row.host ?? null },
]

/** Returns a table of the shards, and the machines of both sides; a letter stands for the machine of a stored shard. */
export function verifyText(verified: Verification, format: 'text' | 'markdown'): string {
  const { shards, left, here, tolerance } = verified
  const made = [...new Set(shards.map(({ stored }) => JSON.stringify(stored)))]
  const letter = ({ stored }: VerifiedShard): string =>
    String.fromCharCode(65 + made.indexOf(JSON.stringify(stored)))
  const rows = shards.map((shard): VerifyRow => ({
    ...shard,
    on: letter(shard),
    verdict: isWithinTolerance(shard, tolerance) ? 'agrees' : 'differs',
  }))
  const machines = made.map((text, i): MachineRow => {
    const name = String.fromCharCode(65 + i)
    return {
      ...(JSON.parse(text) as ComputeEnvironment),
      name,
      shards: rows.filter(({ on }) => on === name).length,
    }
  })
  const faults = rows.flatMap(({ model, dataset, differing, faults }) => [
    ...faults.map(({ id, fault }) => `${model} on ${dataset}: ${id}: ${fault}`),
    ...(differing > faults.length
      ? [`${model} on ${dataset}: ${differing - faults.length} more`]
      : []),
  ])
  const notes = [
    ...faults,
    ...[...groupByKey(left, ({ reason }) => reason)].map(([reason, those]) => {
      const names = those.map(({ model, dataset }) => `${model} on ${dataset}`)
      return `not run: ${shortList(names, 3)}: ${reason}`
    }),
  ]
  const tables =
    rows.length === 0
      ? []
      : [
          formatTable(columns, rows, format),
          formatTable(
            machineColumns,
            [...machines, { ...here, name: 'here', shards: null }],
            format,
          ),
        ]
  const listed = notes
    .map(note => `${format === 'markdown' ? '- ' : ''}${stripControlCharacters(note)}\n`)
    .join('')
  const wrap = format === 'markdown' ? String : wrapToTerminal
  const lead = `${wrap(verifySentence(verified))}\n`
  return [lead, ...tables, ...(listed === '' ? [] : [wrap(listed)])].join('\n')
}
