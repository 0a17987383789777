/*
 * Features that evaluations kept beside their predictions (`evaluate --keep features`), as training and search read them:
 * ids, labels and groups of the rows are those of the predictions.
 */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { imagenetNames } from '../datasets/labels/imagenet.ts'
import { inputError } from '../lib/errors.ts'
import { folderStorage } from '../lib/storage/folder.ts'
import { readKeptOutputs } from '../results/keptOutputs.ts'
import { type DatasetRecord, readDatasetRecords } from '../results/records.ts'
import { type ResultKey, noAcceptedClass, type ShardManifest } from '../results/schema.ts'
import {
  currentEvaluations,
  type StoredEvaluation,
  readStoredEvaluations,
  readStoredEvaluation,
  rangesOfFileNames,
} from '../results/store.ts'
import { parseSteps } from '../lib/pixels/steps.ts'
import { quoteIdentifier, literalPath, parquetRows, query } from '../lib/sql.ts'
import {
  featureSetFileName,
  type FeatureSetDescription,
  type FeaturePart,
  requireAllParts,
  type StoredFeatures,
  openStoredFeatures,
  type StoredFeatureRow,
  joinFeatureParts,
} from './features.ts'

/**
 * All features in `folder`: those that `keepFeatures` kept there, or those of evaluations, be it a folder of results or of
 * one evaluation in it. None where it holds neither.
 */
export async function openFeaturesIn(folder: string): Promise<StoredFeatures[]> {
  const names = await readdir(folder).catch((): string[] => [])
  if (names.includes(featureSetFileName)) return [await openStoredFeatures(folder)]
  const entries = await readEvaluationsIn(resolve(folder), names)
  const kept = entries.filter(({ shards }) =>
    shards.some(({ kept }) => kept?.output === 'features'),
  )
  return Promise.all(currentEvaluations(kept).map(storedFeaturesOf))
}

async function readEvaluationsIn(
  folder: string,
  names: readonly string[],
): Promise<StoredEvaluation[]> {
  if (names.includes('predictions')) return readStoredEvaluations(folder)
  const entry =
    rangesOfFileNames(names).length > 0 &&
    (await readStoredEvaluation(folderStorage(dirname(folder)), basename(folder)))
  return entry ? [entry] : []
}

async function storedFeaturesOf({
  identity,
  folder,
  shards,
}: StoredEvaluation): Promise<StoredFeatures> {
  const note = (await readDatasetRecords(join(folder, '../..'))).get(identity.content)
  if (!note)
    throw inputError(
      'bad-features',
      `nothing says which classes ${identity.dataset} in ${folder} has`,
    )
  const about = featureSetDescriptionOf(identity, note)
  return {
    description: about,
    read: async () => {
      requireAllParts(folder, shards, identity.images)
      return joinFeatureParts(
        about,
        folder,
        await Promise.all(shards.map(shard => readShardFeatures(folder, shard))),
      )
    },
  }
}

function featureSetDescriptionOf(
  identity: ResultKey,
  { classes }: DatasetRecord,
): FeatureSetDescription {
  const { model, weights, dataset, content, images, choices } = identity
  const steps = parseSteps(identity.steps)
  return {
    schema: 1,
    ...{ model, weights, dataset, content, images, steps },
    recipe: steps.filter(({ step }) => step !== 'trim' && step !== 'draft'),
    classes: String(classes) === String(imagenetNames) ? 'imagenet-1k' : classes,
    choices: choices === 'all' ? choices : choices.split(' ').map(Number),
    notes: [],
  }
}

async function readShardFeatures(
  folder: string,
  { file, kept, columns }: ShardManifest,
): Promise<FeaturePart> {
  const status = `CASE status WHEN '${noAcceptedClass}' THEN 'ok' ELSE status END AS status`
  const wanted = [
    'id',
    'label',
    `array_to_string(labels, ',') AS labels`,
    status,
    ...columns.map(quoteIdentifier),
  ]
  const rows = await query<StoredFeatureRow>(`SELECT ${wanted.join(', ')} FROM ${parquetRows()}`, [
    literalPath(join(folder, file)),
  ])
  if (!kept) return { rows, width: 0, data: new Float32Array(0) }
  const { values, width } = await readKeptOutputs(join(folder, kept.file), kept.output)
  return { rows, width, data: values }
}
