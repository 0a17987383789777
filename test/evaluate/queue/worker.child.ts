import { runQueueWorker } from '../../../src/evaluate/queue/queueWorker.ts'
import { waitingUnit } from './run.ts'

const { queue, wait, poison, lock } = JSON.parse(process.argv[2]!) as Record<'queue', string> &
  Record<'wait' | 'poison' | 'lock', number>
await runQueueWorker({
  queue,
  allow: '/',
  evaluateUnit: waitingUnit(wait, poison),
  lockMs: lock,
  idleMs: 100,
})
