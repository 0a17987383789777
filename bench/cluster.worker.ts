import { setTimeout as delay } from 'node:timers/promises'
import { work } from '../src/evaluate/queue/work.ts'
import { entryName, manifestName } from '../src/results/store.ts'

/** Waits, then creates the manifest of the unit alone. */
const { queue, wait, slots } = JSON.parse(process.argv[2]!) as Record<'queue', string> &
  Record<'wait' | 'slots', number>
await work({
  ...{ queue, slots, idle: 100 },
  doUnit: async ({ plan, unit, place }) => {
    if (wait > 0) await delay(wait)
    await place.create(`${entryName(plan.groups[unit.group]!.identities[0]!)}/${manifestName(unit)}`, '{}')
  },
})
