import { remember } from '../../datasets/images.ts'
import { inputError } from '../../lib/errors.ts'
import { createCrew } from '../workers/pool.ts'
import { headsFolder } from '../../results/sync.ts'
import { type Identity } from '../../results/schema.ts'
import { differences, differenceText } from '../../results/store.ts'
import { evaluateOn, type Prepared, type Work, workOn } from '../evaluateDataset.ts'
import { openTarget, prepared } from '../targets.ts'
import { type RunPlan } from './plan.ts'
import { type DoUnit } from './work.ts'

/** Opened groups and models that are kept for later units, the last ones used. */
const kept = { groups: 16, models: 256 }

/**
 * Evaluates a unit's models on its images, with what is opened and hashed once for all units, and models that stay loaded while units of
 * their group follow each other. What this machine would compute must be what was planned. Errors: `other-identity`, and those of models and data sets.
 */
export function evaluator(): DoUnit {
  const groups = new Map<string, Promise<Work>>()
  const models = new Map<string, Promise<Prepared>>()
  const crew = createCrew()
  let last: string | undefined
  return async ({ plan, unit, place, signal }) => {
    const key = `${plan.id} ${unit.group}`
    const opened = remember(groups, key, kept.groups, () => openGroup(plan, unit.group, models))
    // Before memory is measured for the next group.
    if (key !== last) crew.end()
    last = key
    const { start, end, group } = unit
    const work = { ...(await opened), part: { spans: [{ start, end }], size: plan.groups[group]!.shard } }
    const [failure] = await evaluateOn(work, { ...plan.request, signal, crew }, place)
    signal.throwIfAborted()
    if (failure) throw inputError(failure.code, `${failure.model} on ${failure.dataset}: ${failure.message}`)
  }
}

async function openGroup(plan: RunPlan, at: number, models: Map<string, Promise<Prepared>>): Promise<Work> {
  const { target, models: names, identities } = plan.groups[at]!
  const specs = plan.request.models.filter(({ name }) => names.includes(name))
  const dataset = await openTarget(plan.request.targets[target]!, specs)
  const ready: Prepared[] = []
  for (const spec of specs) {
    ready.push(await remember(models, JSON.stringify(spec), kept.models, () => prepared(spec)))
  }
  const work = await workOn(dataset, ready, plan.request, headsFolder(plan.place))
  for (const [i, { identity }] of work.models.entries()) checkIdentity(identities[i]!, identity)
  return work
}

function checkIdentity(planned: Identity, found: Identity): void {
  const differs = differences(planned, found)
  if (differs.length === 0) return
  const shown = differenceText(differs, found, planned, 'planned')
  throw inputError('other-identity', `${planned.model} would be other results on this machine: ${shown}`)
}
