import { createPromiseCache, type PromiseCache } from '../../lib/memoize.ts'
import { inputError } from '../../lib/errors.ts'
import { createWorkerPool } from '../workers/pool.ts'
import { type ResultKey } from '../../results/schema.ts'
import { differingFields, differingFieldsText } from '../../results/storedEvaluations.ts'
import {
  runDatasetEvaluation,
  type DatasetEvaluation,
  planDatasetEvaluation,
} from '../evaluateDataset.ts'
import { type PreparedModel, prepareModel } from '../../models/runtime/prepareModel.ts'
import { completeSettings } from '../settings.ts'
import { openTarget } from '../targets.ts'
import { type RunPlan } from './runPlan.ts'
import { type EvaluateUnit } from './queueWorker.ts'

/** Numbers of opened groups and of prepared models that are kept for later units. */
const openedLimits = { groups: 16, models: 256 }

/**
 * Evaluates a unit's models on its images, with what is opened and hashed once for all units, and models that stay loaded while units of
 * their group follow each other. What this machine would compute must be what was planned. Errors: `other-identity`, and those of models and data sets.
 */
export function createUnitEvaluator(): EvaluateUnit {
  const groups = createPromiseCache<DatasetEvaluation>(openedLimits.groups)
  const models = createPromiseCache<PreparedModel>(openedLimits.models)
  const pool = createWorkerPool()
  let last: string | undefined
  return async ({ plan, unit, place, signal }) => {
    const key = `${plan.id} ${unit.group}`
    const opened = groups.load(key, () => openGroup(plan, unit.group, models))
    // Frees memory before it is measured for the next group.
    if (key !== last) pool.end()
    last = key
    const { start, end, group } = unit
    const work = {
      ...(await opened),
      part: { spans: [{ start, end }], size: plan.groups[group]!.shard },
    }
    const { batch, keep, replace } = plan.request
    const options = { batch, keep, replace, signal, pool }
    const [failure] = await runDatasetEvaluation(work, place, options)
    signal.throwIfAborted()
    if (failure)
      throw inputError(failure.code, `${failure.model} on ${failure.dataset}: ${failure.message}`)
  }
}

async function openGroup(
  plan: RunPlan,
  at: number,
  models: PromiseCache<PreparedModel>,
): Promise<DatasetEvaluation> {
  const { target, models: names, identities } = plan.groups[at]!
  const specs = plan.request.models.filter(({ name }) => names.includes(name))
  const dataset = await openTarget(plan.request.targets[target]!, specs)
  const ready: PreparedModel[] = []
  for (const spec of specs) {
    ready.push(await models.load(JSON.stringify(spec), () => prepareModel(spec)))
  }
  const { preprocessing, prompts, device, precision } = plan.request
  const settings = completeSettings({ preprocessing, prompts, device, precision })
  const work = await planDatasetEvaluation(dataset, ready, { settings })
  for (const [i, { identity }] of work.models.entries()) checkResultKey(identities[i]!, identity)
  return work
}

function checkResultKey(planned: ResultKey, found: ResultKey): void {
  const differs = differingFields(planned, found)
  if (differs.length === 0) return
  const shown = differingFieldsText(differs, found, planned)
  throw inputError(
    'other-identity',
    `${planned.model} would be other results on this machine: ${shown}`,
  )
}
