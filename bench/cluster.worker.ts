import { setTimeout as delay } from 'node:timers/promises'
import { runQueueWorker } from '../src/evaluate/queue/queueWorker.ts'
import { evaluationPath, manifestName } from '../src/results/storedEvaluations.ts'

/** Waits, then creates the manifest of the unit alone. */
const { queue, wait, slots } = JSON.parse(process.argv[2]!) as Record<'queue', string> &
  Record<'wait' | 'slots', number>
await runQueueWorker({
  queue,
  slots,
  idleMs: 100,
  allow: '/',
  evaluateUnit: async ({ plan, unit, place }) => {
    if (wait > 0) await delay(wait)
    await place.create(
      `${evaluationPath(plan.groups[unit.group]!.identities[0]!)}/${manifestName(unit)}`,
      '{}',
    )
  },
})
