import { type Dataset, type Sample } from '../../../src/datasets/dataset.ts'
import { completeSettings } from '../../../src/evaluate/settings.ts'
import {
  type PlannedModelGroup,
  planPath,
  type RunPlan,
} from '../../../src/evaluate/queue/runPlan.ts'
import { type EvaluateUnit } from '../../../src/evaluate/queue/queueWorker.ts'
import { emptyPredictions } from '../../../src/results/predictions.ts'
import { openStorage } from '../../../src/lib/storage/open.ts'
import { type ResultKey, schemaVersion } from '../../../src/results/schema.ts'
import { commitShard } from '../../../src/results/writeShard.ts'
import { type WorkUnit } from '../../../src/evaluate/units.ts'

const columns: Dataset['columns'] = ['region']

const identity = (images: number, model: string): ResultKey => ({
  schema: schemaVersion,
  version: 'test',
  runtime: 'test',
  model,
  weights: ['w'],
  preprocessing: 'native',
  steps: 'none',
  dataset: 'made-up',
  content: `c${images}`,
  images,
  labelMap: 'm',
  choices: 'all',
  prompts: '',
})

/** A plan of `units` units of `size` made-up images, stored at the place. */
export async function storePlan(
  place: string,
  units: number,
  size = 4,
  id = 'test-run',
): Promise<RunPlan> {
  const images = units * size
  const group: PlannedModelGroup = {
    target: 0,
    dataset: 'made-up',
    models: [id],
    images,
    shard: size,
    unit: size,
    seconds: 1,
    identities: [identity(images, id)],
  }
  const plan: RunPlan = {
    schema: 1,
    id,
    place,
    request: { models: [], targets: [], ...completeSettings({}) },
    groups: [group],
  }
  await (await openStorage(place)).create(planPath(id), JSON.stringify(plan))
  return plan
}

const itemsOf = ({ start, end }: Pick<WorkUnit, 'start' | 'end'>): Sample[] =>
  Array.from({ length: end - start }, (_, i) => ({
    id: `image ${start + i}`,
    image: { kind: 'file', file: 'none' },
    labels: [(start + i) % 7],
    label: `class ${(start + i) % 7}`,
    groups: { region: (start + i) % 2 ? 'Africa' : 'Europe' },
  }))

/** The outcome that every worker gives for an image: its position tells the classes. */
function outcomesOf(model: string, { start, end }: Pick<WorkUnit, 'start' | 'end'>) {
  const outcomes = emptyPredictions(model, end - start)
  for (let i = 0; i < end - start; i++) {
    outcomes.top5.set(
      [0, 1, 2, 3, 4].map(k => (start + i + k) % 7),
      i * 5,
    )
    outcomes.probabilities.set([0.5, 0.2, 0.1, 0.1, 0.1], i * 5)
    outcomes.rank[i] = 1
  }
  return outcomes
}

/** Waits instead of computing, then commits rows that depend on the images alone; a poison unit fails. */
export const waitingUnit =
  (milliseconds: number, poison = -1): EvaluateUnit =>
  async ({ plan, unit, place, signal }) => {
    await new Promise(resolve => setTimeout(resolve, milliseconds))
    signal.throwIfAborted()
    if (unit.start === poison) throw new Error('this unit is poison')
    const [identity] = plan.groups[unit.group]!.identities
    await commitShard(place, {
      identity: identity!,
      start: unit.start,
      end: unit.end,
      dataset: { samples: itemsOf({ start: 0, end: identity!.images }), columns },
      predictions: outcomesOf(identity!.model, unit),
      seconds: 0,
    })
  }
