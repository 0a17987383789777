/*
 * Kept outputs scored anew: other labels, choices, classes or prompts give the rows that a fresh evaluation would give, and
 * go to the place that it would give them, without reading an image or running a model on one.
 */
import { type Dataset, type Item } from '../datasets/dataset.ts'
import { absoluteSpec, type DatasetSpec, openDataset } from '../datasets/open.ts'
import { inVisitingOrder, strata } from '../datasets/visit.ts'
import { inputError, unknownName } from '../lib/errors.ts'
import { type Outcomes } from '../results/predictions.ts'
import { emptyOutcomes, scoreRow } from '../results/score.ts'
import { within } from '../lib/ranges.ts'
import { folderPlace } from '../lib/storage/folder.ts'
import { keptReader, type KeptRows } from '../results/keptReader.ts'
import { type DatasetNote, readDatasets, recordDataset } from '../results/notes.ts'
import { recorded, type Tags } from '../results/runs.ts'
import { datasetIdentity, type Identity } from '../results/schema.ts'
import { currentEntries, distinct, type Entry, entryName, gaps, readEntries, readEntry } from '../results/store.ts'
import { commitShard } from '../results/write.ts'
import { openRun, type Run } from '../results/run.ts'
import { keptTexts, type Texts } from './rescoreHeads.ts'

export interface RescoreOptions {
  /** Models and data sets by their names in the results; all that have kept outputs by default. */
  models?: readonly string[]
  dataset?: string
  /** What is to be different from how the data set was opened: `labels`, `classes`, `choices`, `regions`, `name`, `data`. */
  change?: Partial<DatasetSpec>
  /** Prompts of zero-shot models whose features were kept; those of the evaluation by default. */
  prompts?: string
  /** Weights of the text tower, where the model's own are not to be found by its name. */
  weights?: string
  /** What this run is called in `history`; part of no key. */
  tags?: Tags
  /** Where the rows go; the same folder by default. */
  out?: string
}

/**
 * Scores all kept outputs below `dir` with a change.
 * Errors: nothing-kept, not-opened, changed-data, other-classes, no-logits.
 */
export async function rescore(dir: string, options: RescoreOptions): Promise<Run> {
  const { change = {}, out = dir, tags } = options
  const notes = await readDatasets(dir)
  const work: { entry: Entry; dataset: Dataset; texts: Texts | null; identity: Identity }[] = []
  for (const entry of await keptEntries(dir, options)) {
    const note = notes.get(entry.identity.content)
    const opened = await reopened(entry, note, change)
    const dataset = inVisitingOrder(opened.dataset)
    const texts = await keptTexts(entry, note!, dataset, options, out)
    const prompts = texts?.hash ?? entry.identity.prompts
    const identity = { ...entry.identity, ...datasetIdentity(dataset), prompts }
    await recordDataset(out, dataset, opened.spec)
    work.push({ entry, texts, identity, dataset })
  }
  const asked = work.map(({ identity }) => identity)
  await recorded(out, { asked, tags }, async () => {
    for (const { entry, texts, identity, dataset } of work)
      await scoreEntry(await keptReader(entry), texts, identity, dataset, out)
  })
  return openRun(out)
}

async function keptEntries(dir: string, { models, dataset }: RescoreOptions): Promise<Entry[]> {
  const all = currentEntries((await readEntries(dir)).filter(({ shards }) => shards.some(({ kept }) => kept)))
  if (all.length === 0)
    throw inputError('nothing-kept', `no kept outputs in ${dir}: evaluate with --keep logits or --keep features`)
  const known = distinct(all, 'model')
  for (const name of models ?? []) if (!known.includes(name)) throw unknownName('model', name, known)
  const sets = distinct(all, 'dataset')
  if (dataset !== undefined && !sets.includes(dataset)) throw unknownName('dataset', dataset, sets)
  return all.filter(
    ({ identity }) => (models?.includes(identity.model) ?? true) && identity.dataset === (dataset ?? identity.dataset),
  )
}

/** The data set as it was evaluated, then with the change. */
export async function reopened(
  { identity }: Entry,
  note: DatasetNote | undefined,
  { name, data, ...change }: Partial<DatasetSpec>,
): Promise<{ dataset: Dataset; spec: DatasetSpec }> {
  const opened = note?.opened as DatasetSpec | undefined
  if (!opened)
    throw inputError('not-opened', `nothing says how ${identity.dataset} was opened: evaluate it by its name`)
  const source = absoluteSpec({ ...opened, ...(name !== undefined && { name }), ...(data !== undefined && { data }) })
  const before = await openDataset(source)
  if (before.hash !== identity.content)
    throw inputError(
      'changed-data',
      `${identity.dataset} is not what was evaluated: its images, labels or groups differ`,
    )
  const spec = absoluteSpec({ ...source, ...change })
  return { dataset: await openDataset(spec), spec }
}

const shardRows = 4096

async function scoreEntry(
  kept: KeptRows,
  texts: Texts | null,
  identity: Identity,
  dataset: Dataset,
  out: string,
): Promise<void> {
  const place = folderPlace(out)
  const missing = gaps(await readEntry(place, entryName(identity)), dataset.items.length)
  for (const gap of within(missing, strata(dataset))) {
    for (let start = gap.start; start < gap.end; start += shardRows) {
      const end = Math.min(gap.end, start + shardRows)
      const items = dataset.items.slice(start, end)
      const started = performance.now()
      const outcomes = await scoreItems(items, kept, texts, dataset, identity.model)
      const seconds = (performance.now() - started) / 1000
      const shard = { identity, start, end }
      await commitShard(place, shard, items, dataset.columns, outcomes, seconds, {
        rescored: kept.key,
        all: dataset.items,
      })
    }
  }
}

const batch = 64

async function scoreItems(
  items: readonly Item[],
  kept: KeptRows,
  texts: Texts | null,
  { choices, name }: Dataset,
  model: string,
): Promise<Outcomes> {
  const outcomes = emptyOutcomes(model, items.length)
  for (let first = 0; first < items.length; first += batch) {
    const scored: { at: number; row: Float32Array }[] = []
    for (const [i, { id }] of items.slice(first, first + batch).entries()) {
      const found = await kept.row(id)
      if (!found) throw inputError('not-kept', `no kept output of ${model} for ${id} of ${name}`)
      if (typeof found === 'string') outcomes.status[first + i] = found
      else scored.push({ at: first + i, row: found })
    }
    const rows = scored.map(({ row }) => row)
    const logits = texts && rows.length > 0 ? await texts.logits(rows) : rows
    for (const [i, { at }] of scored.entries()) scoreRow(outcomes, at, logits[i]!, items[at]!.labels, choices)
  }
  return outcomes
}
