/*
 * Features that evaluations kept beside their predictions (`evaluate --keep features`), as training and search read them:
 * ids, labels and groups of the rows are those of the predictions.
 */
import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { imagenetNames } from '../datasets/labels/imagenet.ts'
import { inputError } from '../lib/errors.ts'
import { folderPlace } from '../lib/storage/folder.ts'
import { readKept } from '../results/kept.ts'
import { type DatasetNote, readDatasets } from '../results/notes.ts'
import { type Identity, noAcceptedClass, type ShardManifest } from '../results/schema.ts'
import { currentEntries, type Entry, readEntries, readEntry, spansOf } from '../results/store.ts'
import { parseSteps } from '../lib/pixels/steps.ts'
import { identifier, literalPath, parquetRows, query } from '../lib/sql.ts'
import {
  descriptionName,
  type KeptDescription,
  type KeptPart,
  requireWhole,
  type Stored,
  storedFeatures,
  type StoredRow,
  together,
} from './features.ts'

/**
 * All features in `folder`: those that `keepFeatures` kept there, or those of evaluations, be it a folder of results or of
 * one evaluation in it. None where it holds neither.
 */
export async function featuresIn(folder: string): Promise<Stored[]> {
  const names = await readdir(folder).catch((): string[] => [])
  if (names.includes(descriptionName)) return [await storedFeatures(folder)]
  const entries = await entriesIn(resolve(folder), names)
  const kept = entries.filter(({ shards }) => shards.some(({ kept }) => kept?.output === 'features'))
  return Promise.all(currentEntries(kept).map(storedOf))
}

async function entriesIn(folder: string, names: readonly string[]): Promise<Entry[]> {
  if (names.includes('predictions')) return readEntries(folder)
  const entry = spansOf(names).length > 0 && (await readEntry(folderPlace(dirname(folder)), basename(folder)))
  return entry ? [entry] : []
}

async function storedOf({ identity, folder, shards }: Entry): Promise<Stored> {
  const note = (await readDatasets(join(folder, '../..'))).get(identity.content)
  if (!note) throw inputError('bad-features', `nothing says which classes ${identity.dataset} in ${folder} has`)
  const about = aboutOf(identity, note)
  return {
    about,
    read: async () => {
      requireWhole(folder, shards, identity.images)
      return together(about, folder, await Promise.all(shards.map(shard => readShard(folder, shard))))
    },
  }
}

function aboutOf(identity: Identity, { classes }: DatasetNote): KeptDescription {
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

async function readShard(folder: string, { file, kept, columns }: ShardManifest): Promise<KeptPart> {
  const status = `CASE status WHEN '${noAcceptedClass}' THEN 'ok' ELSE status END AS status`
  const wanted = ['id', 'label', `array_to_string(labels, ',') AS labels`, status, ...columns.map(identifier)]
  const rows = await query<StoredRow>(`SELECT ${wanted.join(', ')} FROM ${parquetRows()}`, [
    literalPath(join(folder, file)),
  ])
  if (!kept) return { rows, width: 0, data: new Float32Array(0) }
  const { values, width } = await readKept(join(folder, kept.file), kept.output)
  return { rows, width, data: values }
}
