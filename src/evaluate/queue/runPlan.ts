/** A run as plain data: what is asked for, the groups of models, and the key of everything that will be stored. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { type DatasetSpec } from '../../datasets/open.ts'
import { inputError } from '../../lib/errors.ts'
import { sha256 } from '../../lib/hash.ts'
import { absolutePath, type Storage } from '../../lib/storage/storage.ts'
import { classPlaceholder } from '../../datasets/labels/languages.ts'
import {
  languagePromptsName,
  parseLanguagePrompts,
  promptNames,
} from '../../models/zeroShot/prompts.ts'
import { type ModelSpec } from '../../models/spec.ts'
import { type Failure } from '../../results/records.ts'
import { type ResultKey } from '../../results/schema.ts'
import { hashResultKey, readMissingRanges } from '../../results/storedEvaluations.ts'
import { loadCosts } from '../imageCost.ts'
import { type EvaluateOptions } from '../evaluate.ts'
import { planDatasetEvaluation } from '../evaluateDataset.ts'
import { planEvaluation, planParts } from '../evaluationPlan.ts'
import { preparationFailures, prepareModels, unusableFailures } from '../prepareModels.ts'
import { type EvaluationSettings, type ExecutionOptions } from '../settings.ts'
import { type EvaluationTarget, type OpenedTarget } from '../targets.ts'
import { type ModelGroup, planModelGroups, type WorkUnit } from '../units.ts'
import { parseChecked } from './redis.ts'

/** What a worker needs to compute what the planner would. All paths are absolute. */
export interface RunPlanRequest
  extends EvaluationSettings, Pick<ExecutionOptions, 'batch' | 'keep' | 'replace'> {
  models: ModelSpec[]
  targets: { dataset: DatasetSpec; suits: EvaluationTarget['suits'] }[]
}

export interface PlannedModelGroup extends ModelGroup {
  dataset: string
  /** One for each model. */
  identities: ResultKey[]
}

export interface RunPlan {
  schema: 1
  id: string
  /** Absolute path or address of the place that holds this plan and the results. */
  place: string
  request: RunPlanRequest
  groups: PlannedModelGroup[]
}

/** Gives units their content keys: the identities that they store and the images. */
export function unitKeysOf({ groups }: Pick<RunPlan, 'groups'>): (unit: WorkUnit) => string {
  const keys = groups.map(groupKey)
  return ({ group, start, end }) => `${keys[group]!}-${start}-${end}`
}

const groupKey = ({ identities }: PlannedModelGroup): string =>
  sha256(identities.map(hashResultKey).join(' '), 16)

export const planPath = (id: string): string => `plans/${id}.json`

/** What is used of a plan before its models and data sets are opened, which check theirs. */
const planSchema = z.looseObject({
  schema: z.literal(1),
  id: z.string(),
  place: z.string(),
  request: z.looseObject({ models: z.array(z.looseObject({ name: z.string() })) }),
  groups: z.array(
    z.looseObject({
      target: z.int().min(0),
      models: z.array(z.string()),
      images: z.int().min(0),
      shard: z.int().min(1),
      unit: z.int().min(1),
      seconds: z.number().min(0),
      identities: z.array(z.looseObject({ model: z.string(), dataset: z.string() })),
    }),
  ),
})

/** Errors: `no-plan`, `bad-plan`. */
export async function readPlan(place: Storage, id: string): Promise<RunPlan> {
  const text = await place.read(planPath(id))
  if (!text)
    throw inputError(
      'no-plan',
      `no plan at ${place.url}: is the place shared with this machine (${hostname()})?`,
    )
  const plan = parseChecked(planSchema, Buffer.from(text).toString())
  if (typeof plan === 'object' && plan.id === id) return plan as unknown as RunPlan
  const reason = typeof plan === 'string' ? plan : `it is of run ${plan.id}`
  throw inputError('bad-plan', `unreadable plan ${planPath(id)} at ${place.url}: ${reason}`)
}

/**
 * Plans a run for workers, and returns the models that could not be prepared as failures. Errors: `opened-dataset` for a
 * data set without a description, and those of `planEvaluation`.
 */
export async function planRun(
  options: EvaluateOptions & { out: string },
): Promise<{ plan: RunPlan; opened: OpenedTarget[]; failures: Failure[] }> {
  checkDescribed(options)
  const evaluation = await planEvaluation(options)
  const specs = evaluation.specs.map(absoluteModel)
  const settings = absoluteSettings(evaluation.settings)
  const { targets } = evaluation
  const { prepared, failed } = await prepareModels(specs, options)
  if (failed[0] && prepared.length === 0) throw failed[0].error
  const groups: PlannedModelGroup[] = []
  const costOf = await loadCosts(settings)
  const models = prepared.map(({ spec }) => spec)
  const { preprocessing } = settings
  for (const group of planModelGroups(targets, models, { preprocessing, costOf })) {
    const { dataset } = targets[group.target]!
    const members = prepared.filter(({ spec }) => group.models.includes(spec.name))
    const work = await planDatasetEvaluation(dataset, members, { settings })
    groups.push({
      ...group,
      dataset: dataset.name,
      identities: work.models.map(({ identity }) => identity),
    })
  }
  const request: RunPlanRequest = {
    models,
    targets: targets.map(({ opened, suits }) => ({ dataset: opened!, suits })),
    ...settings,
    batch: options.batch,
    keep: options.keep,
    replace: options.replace,
  }
  const place = absolutePath(options.out)
  const id = sha256(JSON.stringify([place, request, groups.map(groupKey)]), 16)
  const failures = [
    ...unusableFailures(evaluation),
    ...preparationFailures(failed, planParts({ ...evaluation, settings, specs }, undefined)),
  ]
  return { plan: { schema: 1, id, place, request, groups }, opened: targets, failures }
}

function checkDescribed({ datasets }: EvaluateOptions): void {
  for (const dataset of datasets)
    if (typeof dataset !== 'string' && 'samples' in dataset)
      throw inputError(
        'opened-dataset',
        `${dataset.name} is known to this process alone: give its name or file`,
      )
}

const absoluteSettings = (settings: EvaluationSettings): EvaluationSettings =>
  promptNames.includes(settings.prompts) || classPlaceholder.test(settings.prompts)
    ? settings
    : { ...settings, prompts: absolutePrompts(settings.prompts) }

/** Returns prompts with the path of their file made absolute. */
function absolutePrompts(prompts: string): string {
  const named = parseLanguagePrompts(prompts)
  if (!named) return resolve(prompts)
  const { language, file } = named
  return file === undefined ? prompts : languagePromptsName({ language, file: resolve(file) })
}

function absoluteModel(spec: ModelSpec): ModelSpec {
  if (spec.weights.from !== 'files') return spec
  return { ...spec, weights: { from: 'files', files: spec.weights.files.map(absolutePath) } }
}

/** Returns the units for which the place lacks predictions of some model for some image. */
export async function readMissingUnits(
  { groups }: Pick<RunPlan, 'groups'>,
  place: Storage,
): Promise<WorkUnit[]> {
  const missing: WorkUnit[] = []
  for (const [group, { identities, images, unit }] of groups.entries()) {
    const open = new Set<number>()
    for (const identity of identities)
      for (const { start, end } of await readMissingRanges(place, identity))
        for (let at = Math.floor(start / unit); at * unit < end; at++) open.add(at)
    for (const at of [...open].sort((a, b) => a - b))
      missing.push({ group, start: at * unit, end: Math.min(images, (at + 1) * unit) })
  }
  return missing
}
