/** Holds the counts of the results below a folder in memory, with the progress of running evaluations. */
import { countryNumericCode } from '../datasets/labels/countries.ts'
import { countryName, labelName } from '../datasets/labels/readableNames.ts'
import { type GeogapError, inputError, unknownNameError } from '../lib/errors.ts'
import { modelYear } from '../analysis/citing/bibliography.ts'
import { byDimension } from '../analysis/datasetCounts.ts'
import { datasetRoles, datasetTitle } from '../analysis/datasetRoles.ts'
import { findPretraining } from '../models/pretraining.ts'
import { findModelRow } from '../models/listing.ts'
import { groupByKey } from '../lib/tally.ts'
import { memoize } from '../lib/memoize.ts'
import { sha256 } from '../lib/hash.ts'
import { sum } from '../metrics/numbers.ts'
import { pullResults } from '../results/sync.ts'
import { ownImageFolders } from '../results/imageSources.ts'
import { type DatasetRecord, readDatasetRecords } from '../results/records.ts'
import { type CurrentResults, currentResultsOf } from '../results/currentResults.ts'
import {
  distinctFieldValues,
  readEvaluationFolders,
  type StoredEvaluation,
} from '../results/storedEvaluations.ts'
import { createRun } from '../results/run.ts'
import { isZeroShot } from '../results/schema.ts'
import { type RunStatus, statusOfEvaluations } from '../results/status.ts'
import { version } from '../lib/version.ts'
import { findingOf, progressFacts } from './findings.ts'
import { countDataset, emptyGrowingCounts, type GrowingCounts } from './growingCounts.ts'
import {
  compareNames,
  type DatasetFact,
  type ModelFact,
  type Overview,
  type DashboardProgress,
} from './views.ts'

export interface DashboardStore {
  dir: string
  overview: () => Overview
  progress: () => DashboardProgress
  /** Changes with every refresh. */
  revision: () => number
  /** Returns a data set's counts. Errors: unknown-data-set. */
  counts: (dataset: string) => GrowingCounts
  /** Returns a data set's evaluations by model. Errors: unknown-data-set. */
  evaluations: (dataset: string) => ReadonlyMap<string, StoredEvaluation>
  /** Returns a model's predictions on a data set. Errors: unknown-data-set, unknown-model. */
  evaluation: (dataset: string, model: string) => StoredEvaluation
  notes: () => ReadonlyMap<string, DatasetRecord>
  /** Returns the folders from which the images of a data set may be read. */
  imageFolders: (content: string) => Promise<readonly string[]>
  /** Reads the predictions that were stored since the last call. */
  refresh: () => Promise<void>
}

interface StoreState {
  counts: ReadonlyMap<string, GrowingCounts>
  evaluations: ReadonlyMap<string, ReadonlyMap<string, StoredEvaluation>>
  notes: ReadonlyMap<string, DatasetRecord>
  /** Computed on the first call. */
  overview: () => Overview
  progress: DashboardProgress
}

export interface DashboardStoreOptions {
  /** Folders to read images from, by default those of images that this machine evaluated itself. */
  images?: readonly string[]
  /** Called after evaluations are counted, with their number so far. */
  onCount?: ((done: number, of: number) => void) | undefined
  /** Whether a folder without results is accepted. */
  mayBeEmpty?: boolean
}

/** Counts the predictions below `place`, a folder or an object store. Errors: no-results. */
export async function openDashboardStore(
  place: string,
  { images = [], onCount, mayBeEmpty = false }: DashboardStoreOptions = {},
): Promise<DashboardStore> {
  const dir = await pullResults(place)
  const read = (counts: StoreState['counts'], onEvaluation = onCount): Promise<StoreState> =>
    readState(dir, counts, { onCount: onEvaluation, mayBeEmpty })
  let state = await read(new Map())
  let revision = 0
  let refreshing: Promise<void> | undefined
  const findDataset = <T>(datasets: ReadonlyMap<string, T>, name: string): T => {
    const dataset = datasets.get(name)
    if (!dataset) throw unknownNameError('data set', name, datasets.keys())
    return dataset
  }
  return {
    dir,
    overview: () => state.overview(),
    progress: () => state.progress,
    notes: () => state.notes,
    imageFolders: async content => (images.length > 0 ? images : ownImageFolders(content)),
    revision: () => revision,
    counts: dataset => findDataset(state.counts, dataset),
    evaluations: dataset => findDataset(state.evaluations, dataset),
    evaluation: (dataset, model) => {
      const models = findDataset(state.evaluations, dataset)
      const entry = models.get(model)
      if (!entry) throw unknownNameError('model', model, models.keys())
      return entry
    },
    refresh: () =>
      (refreshing ??= pullResults(place)
        .then(() => read(state.counts, () => undefined))
        .then(next => {
          state = next
          revision++
        })
        .finally(() => (refreshing = undefined))),
  }
}

async function readState(
  dir: string,
  before: StoreState['counts'],
  { onCount, mayBeEmpty = false }: DashboardStoreOptions,
): Promise<StoreState> {
  const stored = await readEvaluationFolders(dir).catch((error: unknown) => {
    if (mayBeEmpty && (error as GeogapError).code === 'no-results') return []
    throw error
  })
  const results = await currentResultsOf(dir, stored)
  const { entries } = results
  const notes = await readDatasetRecords(dir)
  if (entries.length === 0 && !mayBeEmpty)
    throw inputError('no-results', `no predictions in ${dir}`)
  const nameOf = createDatasetNamer(entries)
  const countsByDataset = new Map<string, GrowingCounts>()
  const evaluations = new Map<string, Map<string, StoredEvaluation>>()
  let done = 0
  for (const [name, own] of groupByKey(entries, nameOf)) {
    const counts = before.get(name) ?? emptyGrowingCounts()
    countsByDataset.set(name, counts)
    evaluations.set(name, new Map(own.map(entry => [entry.identity.model, entry])))
    await countDataset(counts, own, counted => {
      done += counted
      if (counted > 0) onCount?.(done, entries.length)
    })
  }
  for (const [name, { models }] of countsByDataset)
    for (const model of models.keys()) if (!evaluations.get(name)!.has(model)) models.delete(model)
  const content = { counts: countsByDataset, notes, evaluations }
  let overview: Overview | undefined
  return {
    ...content,
    progress: progressOf(await statusOfEvaluations(dir, stored), results),
    overview: () => (overview ??= overviewOf(entries, nameOf, content)),
  }
}

/** Returns a function that names data sets, with the preprocessing if the run has several modes. */
function createDatasetNamer(
  entries: readonly StoredEvaluation[],
): (entry: StoredEvaluation) => string {
  const modes = distinctFieldValues(entries, 'preprocessing')
  const named = modes.length > 1
  return ({ identity }) =>
    named ? `${identity.dataset} (${identity.preprocessing})` : identity.dataset
}

function overviewOf(
  entries: readonly StoredEvaluation[],
  nameOf: (entry: StoredEvaluation) => string,
  { counts, notes }: Pick<StoreState, 'counts' | 'notes'>,
): Overview {
  const run = createRun({ dir: '', entries, datasets: notes, failures: [], cells: [] })
  const roles = datasetRoles(run)
  const { reference, geographic } = roles
  const identities = new Map(entries.map(entry => [nameOf(entry), entry.identity]))
  const facts = [...counts].map(([name, own]): Omit<DatasetFact, 'progress'> => {
    const { values, models } = own
    const identity = identities.get(name)!
    const standard = [...identities].find(
      ([, { dataset, preprocessing }]) =>
        dataset === reference && preprocessing === identity.preprocessing,
    )?.[0]
    return {
      name,
      folder: fileNameOf(name),
      dataset: identity.dataset,
      preprocessing: identity.preprocessing,
      models: [...models.keys()],
      totals: {
        n: [...models.values()].map(({ n }) => sum(n)),
        top1: [...models.values()].map(({ top1 }) => sum(top1)),
      },
      images: identity.images,
      title: datasetTitle(identity.dataset),
      geographic: geographic.includes(identity.dataset),
      reference: identity.dataset === reference,
      finding: findingOf(own, standard === undefined ? undefined : counts.get(standard)),
      values: byDimension(dimension => [...values[dimension]].sort(compareNames)),
    }
  })
  const progress = memoize((preprocessing: string) =>
    progressFacts(
      run,
      facts.filter(fact => fact.preprocessing === preprocessing),
    ),
  )
  const datasets = facts.map(fact => ({
    ...fact,
    progress: progress(fact.preprocessing).get(fact.dataset) ?? null,
  }))
  return {
    version,
    datasets,
    models: modelFacts(entries),
    madeUp: [...notes.values()].find(({ madeUp }) => madeUp !== undefined)?.madeUp ?? null,
    ...namesOf([...counts.values()]),
  }
}

/** Returns the names and numeric codes of the countries and labels that data sets write as codes. */
function namesOf(counts: readonly GrowingCounts[]): Pick<Overview, 'countries' | 'names'> {
  const countries = [...new Set(counts.flatMap(({ values }) => values.country))]
  return {
    countries: Object.fromEntries(
      countries.flatMap(country => {
        const number = countryNumericCode(country)
        return number === undefined ? [] : [[country, number]]
      }),
    ),
    names: Object.fromEntries([
      ...namesOfCodes(
        counts.map(({ values }) => values.country),
        countryName,
      ),
      ...namesOfCodes(
        counts.map(({ values }) => values.label),
        labelName,
      ),
    ]),
  }
}

/** Returns the names of codes, except those that a data set has beside another value of that name: both must be told apart. */
function namesOfCodes(
  valuesByDataset: readonly (readonly string[])[],
  nameOf: (value: string) => string,
): [string, string][] {
  const alike = new Set(
    valuesByDataset.flatMap(values =>
      [...groupByKey(values, nameOf).values()].filter(({ length }) => length > 1).flat(),
    ),
  )
  return [...new Set(valuesByDataset.flat())].flatMap((value): [string, string][] => {
    const name = nameOf(value)
    return name === value || alike.has(value) ? [] : [[value, name]]
  })
}

/** Returns a name that any file system and web host takes, distinct for every text. */
const fileNameOf = (text: string): string =>
  `${text.replace(/[^\w.-]+/g, '_').slice(0, 60)}-${sha256(text, 8)}`

function modelFacts(entries: readonly StoredEvaluation[]): ModelFact[] {
  const models = new Map<string, ModelFact>()
  for (const { identity } of entries) {
    const name = identity.model
    if (models.has(name)) continue
    models.set(name, {
      name,
      file: fileNameOf(name),
      family: findModelRow(name)?.group ?? firstWord(name),
      pretraining: findPretraining(name)?.data ?? null,
      year: modelYear(name),
      zeroShot: isZeroShot(identity),
    })
  }
  return [...models.values()].sort((a, b) => compareNames(a.name, b.name))
}

/** Returns the family in a name: `resnet` of resnet50.own, `mobilenetv3` of mobilenetv3_small, `my` of my model (v2). */
const firstWord = (name: string): string =>
  /^[^\d\s_.:/()-]+(?:(?<=v)\d+)?/.exec(name)?.[0].toLowerCase() ?? 'other'

const recentMs = 5 * 60_000
const maxUnfinishedRows = 200

function progressOf(
  { results, runs }: RunStatus,
  { entries, failures }: CurrentResults,
): DashboardProgress {
  const current = results.filter(({ state }) => state !== 'stale')
  const unfinished = current
    .filter(({ state }) => state !== 'complete')
    .sort(
      (a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.rows - a.rows,
    )
  const sum = (list: readonly (number | null)[]): number =>
    list.reduce<number>((all, value) => all + (value ?? 0), 0)
  const left = sum(
    unfinished.map(({ state, rows, images }) => (state === 'running' ? (images ?? 0) - rows : 0)),
  )
  const started = runs
    .filter(({ state }) => state === 'running')
    .map(({ started }) => Date.parse(started))
  const rate = rateOf(entries, Math.max(Date.now() - recentMs, Math.min(...started)))
  return {
    done: sum(current.map(({ rows }) => rows)),
    asked: sum(current.map(({ images }) => images)),
    evaluations: current.length,
    complete: current.length - unfinished.length,
    stale: results.length - current.length,
    errors: sum(current.map(({ errors }) => errors)),
    running: started.length === 0 ? null : { rate, left: rate > 0 ? left / rate : null },
    // What failed before its first row is among the failures.
    unfinished: unfinished
      .filter(({ state, rows }) => state !== 'failed' || rows > 0)
      .slice(0, maxUnfinishedRows)
      .map(({ model, dataset, state, rows, images, message }) => ({
        model,
        dataset,
        state,
        rows,
        images,
        message,
      })),
    failures,
  }
}

/** Returns the predictions stored per second since a time in milliseconds. */
function rateOf(entries: readonly StoredEvaluation[], since: number): number {
  let rows = 0
  for (const { shards } of entries) {
    for (const shard of shards) if (Date.parse(shard.created) > since) rows += shard.rows
  }
  return (1000 * rows) / Math.max(1000, Date.now() - since)
}
