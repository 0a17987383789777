import { work } from '../../../src/evaluate/queue/work.ts'
import { waitingUnit } from './run.ts'

const { queue, wait, poison, lock } = JSON.parse(process.argv[2]!) as Record<'queue', string> &
  Record<'wait' | 'poison' | 'lock', number>
await work({ queue, doUnit: waitingUnit(wait, poison), lock, idle: 100 })
