/** A run as plain data: what is asked for, the groups of models, and the identity of everything that will be stored. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { loadCosts } from '../cost.ts'
import { absoluteSpec, type DatasetSpec } from '../../datasets/open.ts'
import { GeogapError, inputError } from '../../lib/errors.ts'
import { type EvaluateOptions } from '../evaluate.ts'
import { promptNames } from '../../models/runtime/prompts.ts'
import { type ModelSpec } from '../../models/spec.ts'
import { absolutePath, type Storage } from '../../lib/storage/storage.ts'
import { type Failure, failureOf } from '../../results/records.ts'
import { type ResultKey } from '../../results/schema.ts'
import { hashResultKey, readMissingRanges } from '../../results/store.ts'
import { type EvaluationSettings, planDatasetEvaluation } from '../evaluateDataset.ts'
import { sha256 } from '../../lib/hash.ts'
import {
  appliesTo,
  resolveModels,
  type OpenedTarget,
  openTargets,
  tryPrepareModel,
  type EvaluationTarget,
  planTargets,
} from '../targets.ts'
import { type ModelGroup, planModelGroups, type WorkUnit } from '../units.ts'

/** What a worker has to know to compute as the planner would; all paths are absolute. */
export interface RunPlanRequest extends Pick<
  EvaluationSettings,
  'preprocessing' | 'prompts' | 'batch' | 'device' | 'precision' | 'keep'
> {
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

/** Errors: `no-plan`. */
export async function readPlan(place: Storage, id: string): Promise<RunPlan> {
  const text = await place.read(planPath(id))
  if (!text)
    throw inputError(
      'no-plan',
      `no plan at ${place.url}: is the place shared with this machine (${hostname()})?`,
    )
  return JSON.parse(Buffer.from(text).toString()) as RunPlan
}

/**
 * Plans and says which models could not be had. Errors: `opened-dataset` for a data set that has no description, and those of
 * `openTargets`.
 */
export async function planRun(
  options: EvaluateOptions & { out: string },
  heads: string,
): Promise<{ plan: RunPlan; opened: OpenedTarget[]; failures: Failure[] }> {
  const asked = await requestOf(options)
  const opened = await openTargets(asked.targets, asked.models)
  const { kept, failed } = await prepareModels(asked.models, options)
  const request = { ...asked, models: kept.map(({ spec }) => spec) }
  const groups: PlannedModelGroup[] = []
  const costOf = await loadCosts(request)
  for (const group of planModelGroups(
    opened,
    request.models,
    request.preprocessing ?? 'native',
    costOf,
  )) {
    const { dataset } = opened[group.target]!
    const models = kept.filter(({ spec }) => group.models.includes(spec.name))
    const work = await planDatasetEvaluation(dataset, models, request, heads)
    groups.push({
      ...group,
      dataset: dataset.name,
      identities: work.models.map(({ identity }) => identity),
    })
  }
  const place = absolutePath(options.out)
  const id = sha256(JSON.stringify([place, request, groups.map(groupKey)]), 16)
  const failures = opened.flatMap(target =>
    failed
      .filter(({ spec }) => appliesTo(target, spec))
      .map(({ spec, error }) => failureOf(spec, target.dataset, error)),
  )
  return { plan: { schema: 1, id, place, request, groups }, opened, failures }
}

async function requestOf(options: EvaluateOptions): Promise<RunPlanRequest> {
  const specs = await resolveModels(options)
  const targets = planTargets(options, specs).map(({ dataset, suits }) => {
    if ('samples' in dataset)
      throw inputError(
        'opened-dataset',
        `${dataset.name} is known to this process alone: give its name or file`,
      )
    return { dataset: absoluteSpec(dataset), suits }
  })
  const { preprocessing, batch, device, precision, keep } = options
  const prompts = promptNames.includes(options.prompts ?? 'paper')
    ? options.prompts
    : resolve(options.prompts!)
  const given = Object.entries({ preprocessing, prompts, batch, device, precision, keep }).filter(
    ([, value]) => value !== undefined,
  )
  return { models: specs.map(absoluteModel), targets, ...Object.fromEntries(given) }
}

function absoluteModel(spec: ModelSpec): ModelSpec {
  if (spec.weights.from !== 'files') return spec
  return { ...spec, weights: { from: 'files', files: spec.weights.files.map(absolutePath) } }
}

async function prepareModels(specs: readonly ModelSpec[], { onDownload }: EvaluateOptions) {
  const kept = []
  const failed: { spec: ModelSpec; error: GeogapError }[] = []
  for (const spec of specs) {
    const prepared = await tryPrepareModel(spec, onDownload)
    if (prepared instanceof GeogapError) failed.push({ spec, error: prepared })
    else kept.push(prepared)
  }
  const [first] = failed
  if (first && kept.length === 0) throw first.error
  return { kept, failed }
}

/** Units of which some model lacks some image, by what the place holds. */
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
