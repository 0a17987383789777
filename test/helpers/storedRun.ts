import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Dataset, type Sample } from '../../src/datasets/dataset.ts'
import { type ImageSource } from '../../src/lib/archive/member.ts'
import { emptyPredictions } from '../../src/results/predictions.ts'
import { recordDataset } from '../../src/results/records.ts'
import { type ResultKey, schemaVersion } from '../../src/results/schema.ts'
import { folderStorage } from '../../src/lib/storage/folder.ts'
import { commitShard } from '../../src/results/writeShard.ts'

export type Groups = Sample['groups']

/** One model on one data set: an image per outcome, `null` where the image failed. */
export interface StoredResult {
  model: string
  dataset: string
  correct: readonly (boolean | null)[]
  /** Grouping values by image. */
  groups?: (i: number) => Groups
  label?: (i: number) => string
  className?: (index: number) => string
  id?: (i: number) => string
  image?: (i: number) => ImageSource
  zeroShot?: boolean
  preprocessing?: ResultKey['preprocessing']
  content?: string
  /** Features to keep beside the outcomes, by image. */
  features?: (i: number) => readonly number[]
}

/** Stores outcomes as evaluation would, below a new temporary folder or `dir`. */
export async function storeRun(results: readonly StoredResult[], dir?: string): Promise<string> {
  const out = dir ?? (await mkdtemp(join(tmpdir(), 'geogap-stored-')))
  for (const result of results) await store(out, result)
  return out
}

async function store(out: string, result: StoredResult): Promise<void> {
  const {
    model,
    dataset,
    correct,
    groups = () => ({}),
    label = () => 'stove',
    zeroShot = false,
  } = result
  const {
    className = index => `class ${index}`,
    id = i => `image-${i}`,
    image = i => ({ kind: 'file', file: `${i}.jpg` }),
  } = result
  const items: Sample[] = correct.map((_, i) => ({
    id: id(i),
    image: image(i),
    labels: [1],
    label: label(i),
    groups: groups(i),
  }))
  const columns = Object.keys(groups(0))
  const identity: ResultKey = {
    schema: schemaVersion,
    version: '0',
    runtime: '0',
    model,
    weights: ['0'],
    preprocessing: result.preprocessing ?? 'paper',
    steps: '',
    dataset,
    content: result.content ?? `${dataset}-${correct.length}`,
    images: correct.length,
    labelMap: 'test',
    choices: 'all',
    prompts: zeroShot ? 'texts' : '',
  }
  const outcomes = emptyPredictions(model, items.length)
  for (const [i, hit] of correct.entries()) {
    if (hit === null) outcomes.status[i] = 'corrupt'
    else {
      outcomes.top5.set([hit ? 1 : 2, hit ? 2 : 1], i * 5)
      outcomes.probabilities.set([0, 0], i * 5)
    }
    outcomes.rank[i] = hit === null ? 0 : hit ? 1 : 2
  }
  const note: Dataset = {
    name: dataset,
    samples: items,
    columns,
    choices: 'all',
    problems: [],
    hash: identity.content,
    classes: Array.from({ length: 1000 }, (_, i) => className(i)),
    labelSpace: 'imagenet-1k',
    labelMap: { name: 'test', hash: 'test' },
  }
  const { features } = result
  if (features) outcomes.kept = Float32Array.from(items.flatMap((_, i) => features(i)))
  await recordDataset(out, note)
  const range = { start: 0, end: items.length }
  await commitShard(folderStorage(out), {
    ...range,
    identity,
    dataset: note,
    predictions: outcomes,
    seconds: 1,
    keep: features && 'features',
  })
}

/** `n` outcomes of which the share `accuracy` is right, evenly spread. */
export const evenly = (n: number, accuracy: number): boolean[] =>
  Array.from({ length: n }, (_, i) => Math.floor((i + 1) * accuracy) > Math.floor(i * accuracy))
