import { inputError, unknownName } from '../lib/errors.ts'
import { place } from './place.ts'
import { type Placed } from './placeText.ts'
import { measuredModels, referenceOf } from './citing/references.ts'
import { openResults } from './pack.ts'
import { excludedNotes } from '../results/slices.ts'

export interface PlaceOptions {
  against: string
  models?: readonly string[]
  /** Places with fewer images are not measured. */
  minN?: number
  /** A slice whose images are left out of the run, not of what it is placed beside. */
  exclude?: string
}

/** Places models of a run. Errors: unknown-model, no-reference. */
export async function placeRun(dir: string, { against, models, minN = 30, exclude }: PlaceOptions): Promise<Placed[]> {
  const run = await openResults(dir, exclude)
  const own = measuredModels(run, minN)
  const known = own.map(({ model }) => model)
  for (const name of models ?? []) if (!known.includes(name)) throw unknownName('model', name, known)
  const reference = await referenceOf(against, minN)
  const chosen = own.filter(({ model }) => models === undefined || models.includes(model))
  const ready = chosen.filter(({ values }) => values.has(reference.benchmark))
  const lacking = chosen.flatMap(({ model, values }) => (values.has(reference.benchmark) ? [] : [model]))
  if (ready.length === 0)
    throw inputError(
      'no-reference',
      `no model of ${dir} was evaluated on ${reference.benchmark}, the x axis of ${against}; --against takes other results`,
    )
  const notes = [
    ...new Set([...run.datasets.values()].flatMap(note => note.madeUp ?? [])),
    ...excludedNotes(run.entries),
    ...(lacking.length === 0 ? [] : [`Not placed, for want of ${reference.benchmark}: ${lacking.join(', ')}.`]),
  ]
  return ready.map(model => ({
    model,
    against: reference,
    notes,
    placements: place(model, reference.models, reference.benchmark),
  }))
}
