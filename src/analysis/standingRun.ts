import { defaultMinN } from '../metrics/disparity.ts'
import { inputError, unknownNameError } from '../lib/errors.ts'
import { measureStandings, type Standing } from './standing.ts'
import { measureModels, readReference } from './standingReference.ts'
import { openResults } from './pack.ts'
import { exclusionNotes } from '../results/slices.ts'

export interface StandingOptions {
  against: string
  models?: readonly string[]
  /** Places with fewer images are not measured. */
  minN?: number
  /** A slice whose images are left out of the run, not of what it is placed beside. */
  exclude?: string
}

/** Places models of a run. Errors: unknown-model, no-reference. */
export async function runStandings(
  dir: string,
  { against, models, minN = defaultMinN, exclude }: StandingOptions,
): Promise<Standing[]> {
  const run = await openResults(dir, exclude)
  const own = measureModels(run, minN)
  const known = own.map(({ model }) => model)
  for (const name of models ?? [])
    if (!known.includes(name)) throw unknownNameError('model', name, known)
  const reference = await readReference(against, minN)
  const chosen = own.filter(({ model }) => models === undefined || models.includes(model))
  const measurable = chosen.filter(({ values }) => values.has(reference.benchmark))
  const unmeasured = chosen.flatMap(({ model, values }) =>
    values.has(reference.benchmark) ? [] : [model],
  )
  if (measurable.length === 0)
    throw inputError(
      'no-reference',
      `no model of ${dir} was evaluated on ${reference.benchmark}, the x axis of ${against}; --against takes other results`,
    )
  const notes = [
    ...new Set([...run.datasets.values()].flatMap(note => note.madeUp ?? [])),
    ...exclusionNotes(run.entries),
    ...(unmeasured.length === 0
      ? []
      : [`Not placed, for want of ${reference.benchmark}: ${unmeasured.join(', ')}.`]),
  ]
  return measurable.map(model => ({
    model,
    against: reference,
    notes,
    measureStandings: measureStandings(model, reference.models, reference.benchmark),
  }))
}
