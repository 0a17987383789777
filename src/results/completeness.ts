/** Decides whether everything that an evaluation was asked for is stored. */
import { intersectRanges, totalLength, type IndexRange } from '../lib/ranges.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { type Storage } from '../lib/storage/storage.ts'
import { type Failure } from './records.ts'
import { type KeptOutput, type ResultKey } from './schema.ts'
import {
  evaluationPath,
  readStoredEvaluation,
  type StoredEvaluation,
  unfinishedRanges,
} from './storedEvaluations.ts'
import { pullResults } from './sync.ts'
import { withoutUnreadableShards } from './unreadableShards.ts'
import { damageText } from './unusableResults.ts'

/** The results that an evaluation is asked for. */
export interface RequestedResults {
  asked: readonly RequestedEvaluation[]
  keep?: KeptOutput | undefined
  /** Whether kept outputs of another kind may be replaced. */
  replace?: boolean | undefined
}

interface RequestedEvaluation {
  identity: ResultKey
  /** The images to evaluate; all of them by default. */
  spans?: readonly IndexRange[] | undefined
}

/** Whether an evaluation has every image of its data set, and so each of them once. */
export const isComplete = ({ identity, rows }: StoredEvaluation): boolean =>
  identity.images === rows

/** Returns a failure for each requested evaluation that is not completely stored at `place`, with the number of its stored images. */
export async function findIncomplete(
  place: Storage,
  { asked, keep }: RequestedResults,
): Promise<Failure[]> {
  const dir = await pullResults(place.url)
  const failures: Failure[] = []
  for (const { identity, spans } of asked) {
    const { model, dataset, images } = identity
    const wanted = spans ?? [{ start: 0, end: images }]
    const [entry] = await readBack(dir, identity, keep)
    const missing = totalLength(intersectRanges(unfinishedRanges(entry, images, keep), wanted))
    if (missing === 0) continue
    const all = totalLength(wanted)
    const reason =
      (entry && (damageText(entry) ?? otherKeptText(entry, keep))) ??
      'the same command again computes the rest'
    const message = `not complete: ${all - missing} of ${all} images are stored; ${reason}`
    failures.push({ model, dataset, code: 'incomplete', message })
  }
  return failures
}

/** Returns the stored evaluation, if there is one, after reading every value; shards that cannot be read count as damaged. */
export async function readBack(
  dir: string,
  identity: ResultKey,
  keep: KeptOutput | undefined,
): Promise<StoredEvaluation[]> {
  const entry = await readStoredEvaluation(folderStorage(dir), evaluationPath(identity), keep)
  return entry ? [await withoutUnreadableShards(entry)] : []
}

/** Returns a message if some shard keeps another output than `keep`; null otherwise. */
export function otherKeptText(
  { identity, shards }: StoredEvaluation,
  keep: KeptOutput | undefined,
): string | null {
  const other = shards.find(({ kept }) => keep && kept && kept.output !== keep)?.kept
  return other
    ? `${other.output} of ${identity.model} on ${identity.dataset} are kept: --replace replaces them by ${keep}, another --out keeps both`
    : null
}
