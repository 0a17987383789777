/** Stores what other programs predicted or counted. */
import { basename } from 'node:path'
import { type Dataset } from '../../datasets/dataset.ts'
import { hashFile } from '../../lib/hub/hashFile.ts'
import { folderStorage } from '../../lib/storage/folder.ts'
import { type Predictions } from '../../results/predictions.ts'
import { findIncomplete } from '../../results/completeness.ts'
import { removeDamagedShards } from '../../results/removeDamaged.ts'
import { type RunTags, withRunRecord } from '../../results/runRecords.ts'
import { type ResultKey } from '../../results/schema.ts'
import { commitShard } from '../../results/writeShard.ts'

/** A whole evaluation by another program. */
interface ImportedEvaluation {
  identity: ResultKey
  dataset: Dataset
  predictions: Predictions
}

/** Stores whole evaluations as one run. Their data sets are recorded before. */
export async function storeImported(
  out: string,
  evaluations: readonly ImportedEvaluation[],
  tags: RunTags | undefined,
): Promise<void> {
  const place = folderStorage(out)
  const asked = evaluations.map(({ identity }) => identity)
  await removeDamagedShards(place, { asked: evaluations })
  await withRunRecord(out, { asked, tags }, async generation => {
    for (const evaluation of evaluations) {
      const end = evaluation.dataset.samples.length
      await commitShard(place, { ...evaluation, start: 0, end, seconds: 0, generation })
    }
    return findIncomplete(place, { asked: evaluations })
  })
}

/** Returns a file's name and hash, as the key of an imported result has them. */
export const describeFile = async (file: string): Promise<string> =>
  `${basename(file)}, SHA-256 ${await hashFile(file, 'sha256')}`
