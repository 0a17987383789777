/*
 * Plans an evaluation before anything is downloaded or computed: local ones, shares of one, and those at a queue. `units.ts` divides the
 * work among machines, `jobs.ts` among the processes of one machine.
 */
import { inputError } from '../lib/errors.ts'
import { type ModelSpec } from '../models/spec.ts'
import { promptedName } from '../models/zeroShot/prompts.ts'
import { type DatasetShare } from './evaluateDataset.ts'
import { completeSettings, type EvaluationSettings } from './settings.ts'
import {
  appliesTo,
  type EvaluationRequest,
  type OpenedTarget,
  openTargets,
  planTargets,
  resolveModels,
  type UnusableModel,
} from './targets.ts'
import { joinUnits, planModelGroups, splitIntoUnits, takeShare, type WorkShare } from './units.ts'

/** A request with complete settings, resolved models and opened data sets. */
export interface EvaluationPlan {
  settings: EvaluationSettings
  specs: ModelSpec[]
  targets: OpenedTarget[]
  /** Models that cannot be used. */
  unusable: UnusableModel[]
}

/** Resolves the models and opens the data sets of a request. Errors are those of `resolveModels`, `planTargets` and `openTargets`. */
export async function planEvaluation(
  request: EvaluationRequest & Partial<EvaluationSettings>,
): Promise<EvaluationPlan> {
  const { specs: named, unusable } = await resolveModels(request)
  const settings = completeSettings(request)
  const specs = named.map(spec =>
    spec.classes === 'zero-shot'
      ? { ...spec, name: promptedName(spec.name, settings.prompts) }
      : spec,
  )
  const sized = specs.find(({ sizeOf }) => sizeOf !== undefined)
  if (sized && request.preprocessing === 'paper')
    throw inputError(
      'bad-option',
      `${sized.name}: the preprocessing paper has one size for all models: name ${sized.sizeOf!}`,
    )
  const targets = await openTargets(planTargets(request, specs), specs)
  return { settings, specs, targets, unusable }
}

/** Models to evaluate on a data set, or on a part of it. */
export interface EvaluationPart extends Pick<OpenedTarget, 'dataset' | 'opened'> {
  specs: readonly ModelSpec[]
  part?: DatasetShare | undefined
}

/** Returns one part for each data set, or only the parts of one share of the work. */
export function planParts(
  { settings, specs, targets }: EvaluationPlan,
  share: WorkShare | undefined,
): EvaluationPart[] {
  if (!share)
    return targets.map(target => ({
      ...target,
      specs: specs.filter(spec => appliesTo(target, spec)),
    }))
  const groups = planModelGroups(targets, specs, settings)
  return joinUnits(takeShare(splitIntoUnits(groups), groups, share)).map(
    ({ group, start, end }) => {
      const { target, models, shard } = groups[group]!
      return {
        ...targets[target]!,
        specs: specs.filter(({ name }) => models.includes(name)),
        part: { spans: [{ start, end }], size: shard },
      }
    },
  )
}
