import { type EvaluateOptions } from '../evaluate.ts'
import { openResultsFolder, pushRecords } from '../../results/sync.ts'
import { type Storage } from '../../lib/storage/storage.ts'
import { openStorage } from '../../lib/storage/open.ts'
import { intersectRanges } from '../../lib/ranges.ts'
import { recordOwnImageFolders } from '../../results/imageSources.ts'
import { type Failure, recordDataset, recordFailures } from '../../results/records.ts'
import { findIncomplete } from '../../results/completeness.ts'
import { removeDamagedShards } from '../../results/removeDamaged.ts'
import { withRunRecord } from '../../results/runRecords.ts'
import { readMissingRanges } from '../../results/storedEvaluations.ts'
import { evaluationNote } from '../../models/headClasses.ts'
import { recordModelNotes } from '../../results/modelNotes.ts'
import { openRun, type Run } from '../../results/run.ts'
import { followRun, type FollowedRun, type FollowOptions } from './followRun.ts'
import { planPath, planRun, readPlan, type RunPlan } from './runPlan.ts'

/**
 * Evaluates by the workers at a queue: plans, queues the units, follows them and reports failures. Rejects with the signal's
 * reason when it is aborted; workers then continue, and another call with these options follows them again.
 */
export async function evaluateByQueue(
  options: EvaluateOptions & { out: string },
  how: Omit<FollowOptions, 'signal'>,
): Promise<{ run: Run; driven: FollowedRun }> {
  const { out, signal, tags } = options
  const dir = await openResultsFolder(out)
  const { plan: made, opened, failures } = await planRun(options)
  for (const target of opened) {
    await recordDataset(dir, target.dataset, target.opened)
    await recordOwnImageFolders(target.dataset)
  }
  await recordModelNotes(
    dir,
    made.request.models.map(spec => ({ name: spec.name, note: evaluationNote(spec) })),
  )
  const place = await openStorage(made.place)
  // A resumed run keeps its units, although models may have been measured since.
  const plan = (await place.create(planPath(made.id), JSON.stringify(made)))
    ? made
    : await readPlan(place, made.id)
  const asked = plan.groups.flatMap(({ identities }) => identities)
  const { keep, replace } = plan.request
  const requested = { asked: asked.map(identity => ({ identity })), keep }
  await removeDamagedShards(place, { ...requested, replace })
  let followed: FollowedRun | undefined
  const following = withRunRecord(dir, { asked, tags, signal }, async () => {
    const driven = await followRun(plan, place, { ...how, signal })
    followed = driven
    const isDone = driven.outcome === 'done' && driven.failedUnits.length === 0
    const incomplete = isDone ? await findIncomplete(place, requested) : []
    if (driven.outcome !== 'left')
      await recordFailures(dir, {
        failures: [...failures, ...incomplete, ...(await failuresOf(plan, driven, place))],
        attempted: attemptedPairs(plan),
      })
    return incomplete
  })
  try {
    await following
  } finally {
    await pushRecords(out, dir)
  }
  return { run: await openRun(out), driven: followed! }
}

const attemptedPairs = ({ groups }: RunPlan) =>
  groups.flatMap(({ models, dataset }) => models.map(model => ({ model, dataset })))

/** Returns a failure row for every model of a failed unit, except models that were stored without the failing one. */
async function failuresOf(
  { groups }: RunPlan,
  { failedUnits: apart }: FollowedRun,
  place: Storage,
): Promise<Failure[]> {
  const failures: Failure[] = []
  for (const { group, start, end, tries, error } of apart) {
    const { models, dataset, identities } = groups[group]!
    const message = `images ${start} to ${end} were set apart after ${tries} tries: ${error}`
    for (const [i, model] of models.entries())
      if (
        intersectRanges(await readMissingRanges(place, identities[i]!), [{ start, end }]).length > 0
      )
        failures.push({ model, dataset, code: 'set-apart', message })
  }
  return failures
}
