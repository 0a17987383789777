/** The first and the last look of an evaluation at its folder of results. */
import { inputError } from '../lib/errors.ts'
import { type IndexRange, intersectRanges, totalLength } from '../lib/ranges.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { damageText } from './damage.ts'
import { type Failure } from './records.ts'
import { type KeptOutput, type ResultKey } from './schema.ts'
import {
  evaluationPath,
  manifestName,
  readStoredEvaluation,
  shardFileNames,
  type StoredEvaluation,
  unfinishedRanges,
} from './store.ts'
import { pullResults } from './sync.ts'
import { withoutUnreadableShards } from './unreadable.ts'

/** What an evaluation is to store. */
export interface RequestedResults {
  asked: readonly RequestedEvaluation[]
  keep?: KeptOutput | undefined
  /** Whether kept outputs of another kind may be replaced. */
  replace?: boolean | undefined
}

interface RequestedEvaluation {
  identity: ResultKey
  /** The part to evaluate; all images by default. */
  spans?: readonly IndexRange[] | undefined
}

/**
 * Removes the manifests of damaged shards at `place`, so that their images are computed again.
 * Errors: other-kept, if kept outputs of another kind would be replaced.
 */
export async function removeDamagedShards(
  place: Storage,
  { asked, keep, replace }: RequestedResults,
): Promise<void> {
  const dir = await pullResults(place.url)
  const stored: StoredEvaluation[] = []
  for (const { identity } of asked) stored.push(...(await readBack(dir, identity)))
  for (const { identity, shards } of stored) {
    const other = shards.find(({ kept }) => keep && kept && kept.output !== keep)?.kept
    if (other && !replace)
      throw inputError(
        'other-kept',
        `${other.output} of ${identity.model} on ${identity.dataset} are kept: --replace replaces them by ${keep}, another --out keeps both`,
      )
  }
  for (const { identity, damaged } of stored)
    for (const { start, end, manifest } of damaged)
      for (const name of [
        manifestName({ start, end }),
        ...(manifest ? shardFileNames(manifest) : []),
      ])
        await place.remove(`${evaluationPath(identity)}/${name}`)
}

/** Compares what is stored at `place` with what was asked for. Returns a failure for each evaluation that is not complete. */
export async function findIncomplete(
  place: Storage,
  { asked, keep }: RequestedResults,
): Promise<Failure[]> {
  const dir = await pullResults(place.url)
  const failures: Failure[] = []
  for (const { identity, spans } of asked) {
    const { model, dataset, images } = identity
    const wanted = spans ?? [{ start: 0, end: images }]
    const [entry] = await readBack(dir, identity)
    const missing = totalLength(intersectRanges(unfinishedRanges(entry, images, keep), wanted))
    if (missing === 0) continue
    const all = totalLength(wanted)
    const reason = (entry && damageText(entry)) ?? 'the same command again computes the rest'
    const message = `not complete: ${all - missing} of ${all} images are stored; ${reason}`
    failures.push({ model, dataset, code: 'incomplete', message })
  }
  return failures
}

/** Reads every value that is stored of an evaluation. */
async function readBack(dir: string, identity: ResultKey): Promise<StoredEvaluation[]> {
  const entry = await readStoredEvaluation(folderStorage(dir), evaluationPath(identity))
  return entry ? [await withoutUnreadableShards(entry)] : []
}
