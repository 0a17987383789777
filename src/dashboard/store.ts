/** The results below a folder as the dashboard keeps them in memory, and how far running evaluations are. */
import { countryNumber } from '../datasets/labels/countries.ts'
import { type GeogapError, inputError, unknownName } from '../lib/errors.ts'
import { rolesOf, datasetTitle } from '../analysis/roles.ts'
import { testbed } from '../models/testbed.ts'
import { pullResults } from '../results/sync.ts'
import { type DatasetNote, readDatasets, readFailures } from '../results/notes.ts'
import { readCurrent } from '../results/runs.ts'
import { distinct, type Entry } from '../results/store.ts'
import { isDraft } from '../lib/pixels/steps.ts'
import { runOf } from '../results/run.ts'
import { runStatus } from '../results/status.ts'
import { version } from '../lib/version.ts'
import { finding } from './findings.ts'
import { addEntry, emptyCube, type GrowingCube } from './load.ts'
import { byName, type DatasetFact, type ModelFact, type Overview, type Progress } from './views.ts'

export interface Store {
  dir: string
  overview: () => Overview
  progress: () => Progress
  /** A data set's cube; errors: unknown-data-set. */
  cube: (dataset: string) => GrowingCube
  /** A model's predictions on a data set; errors: unknown-data-set, unknown-model. */
  entry: (dataset: string, model: string) => Entry
  notes: () => ReadonlyMap<string, DatasetNote>
  /** Reads what evaluations have stored since. */
  refresh: () => Promise<void>
}

interface State {
  cubes: ReadonlyMap<string, GrowingCube>
  entries: ReadonlyMap<string, ReadonlyMap<string, Entry>>
  notes: ReadonlyMap<string, DatasetNote>
  /** Made when it is first asked for: it adds up every model. */
  overview: () => Overview
  progress: Progress
}

/**
 * Counts the predictions of a place; `onCount` hears how many of the evaluations are counted. Errors: no-results, unless there may
 * be none yet.
 */
export async function openStore(
  place: string,
  onCount?: (done: number, of: number) => void,
  mayBeEmpty = false,
): Promise<Store> {
  const dir = await pullResults(place)
  let state = await readState(dir, new Map(), mayBeEmpty, onCount)
  let refreshing: Promise<void> | undefined
  const known = (dataset: string): void => {
    if (!state.cubes.has(dataset)) throw unknownName('data set', dataset, state.cubes.keys())
  }
  return {
    dir,
    overview: () => state.overview(),
    progress: () => state.progress,
    notes: () => state.notes,
    cube: dataset => {
      known(dataset)
      return state.cubes.get(dataset)!
    },
    entry: (dataset, model) => {
      known(dataset)
      const models = state.entries.get(dataset)!
      const entry = models.get(model)
      if (!entry) throw unknownName('model', model, models.keys())
      return entry
    },
    refresh: () =>
      (refreshing ??= pullResults(place)
        .then(() => readState(dir, state.cubes, mayBeEmpty))
        .then(next => void (state = next))
        .finally(() => (refreshing = undefined))),
  }
}

async function readState(
  dir: string,
  before: ReadonlyMap<string, GrowingCube>,
  mayBeEmpty: boolean,
  onCount?: (done: number, of: number) => void,
): Promise<State> {
  const entries = await (mayBeEmpty ? orNone(readCurrent(dir), []) : readCurrent(dir))
  const notes = await readDatasets(dir)
  if (entries.length === 0 && !mayBeEmpty) throw inputError('no-results', `no predictions in ${dir}`)
  const nameOf = shownNames(entries)
  const cubes = new Map<string, GrowingCube>()
  const byDataset = new Map<string, Map<string, Entry>>()
  for (const [i, entry] of entries.entries()) {
    const name = nameOf(entry)
    const cube = before.get(name) ?? cubes.get(name) ?? emptyCube()
    cubes.set(name, cube)
    byDataset.set(name, (byDataset.get(name) ?? new Map<string, Entry>()).set(entry.identity.model, entry))
    await addEntry(cube, entry)
    onCount?.(i + 1, entries.length)
  }
  for (const [name, { models }] of cubes)
    for (const model of models.keys()) if (!byDataset.get(name)!.has(model)) models.delete(model)
  let overview: Overview | undefined
  return {
    ...{ cubes, notes, entries: byDataset, progress: await readProgress(dir, entries) },
    overview: () => (overview ??= overviewOf(entries, nameOf, cubes, notes)),
  }
}

async function orNone<T>(work: Promise<T>, none: T): Promise<T> {
  return work.catch((error: unknown) => {
    if ((error as GeogapError).code === 'no-results') return none
    throw error
  })
}

/** A data set's name, with the preprocessing where the run has several or drafts. */
function shownNames(entries: readonly Entry[]): (entry: Entry) => string {
  const modes = distinct(entries, 'preprocessing')
  const named = modes.length > 1 || modes.some(isDraft)
  return ({ identity }) => (named ? `${identity.dataset} (${identity.preprocessing})` : identity.dataset)
}

function overviewOf(
  entries: readonly Entry[],
  nameOf: (entry: Entry) => string,
  cubes: ReadonlyMap<string, GrowingCube>,
  notes: State['notes'],
): Overview {
  const run = runOf({ dir: '', entries, datasets: notes, failures: [], cells: [] })
  const { reference, geographic } = rolesOf(run)
  const identities = new Map(entries.map(entry => [nameOf(entry), entry.identity]))
  const datasets = [...cubes].map(([name, cube]): DatasetFact => {
    const { values, models } = cube
    const identity = identities.get(name)!
    const standard = [...identities].find(
      ([, { dataset, preprocessing }]) => dataset === reference && preprocessing === identity.preprocessing,
    )?.[0]
    return {
      ...{ name, dataset: identity.dataset, models: [...models.keys()], images: identity.images },
      title: name.replace(identity.dataset, () => datasetTitle(identity.dataset)),
      geographic: geographic.includes(identity.dataset),
      reference: identity.dataset === reference,
      finding: finding(cube, standard === undefined ? undefined : cubes.get(standard)),
      values: {
        ...{ region: sorted(values.region), country: sorted(values.country) },
        ...{ income: sorted(values.income), label: sorted(values.label) },
      },
    }
  })
  const countries = new Set([...cubes.values()].flatMap(({ values }) => values.country))
  return {
    ...{ version, datasets, models: modelFacts(entries) },
    madeUp: [...notes.values()].find(({ madeUp }) => madeUp !== undefined)?.madeUp ?? null,
    countries: Object.fromEntries(
      [...countries].flatMap(country => {
        const number = countryNumber(country)
        return number === undefined ? [] : [[country, number]]
      }),
    ),
  }
}

const sorted = (values: readonly string[]): string[] => [...values].sort(byName)

function modelFacts(entries: readonly Entry[]): ModelFact[] {
  const groups = new Map(testbed().map(({ model, group }) => [model, group]))
  const models = new Map<string, ModelFact>()
  for (const { identity } of entries) {
    const { model: name, prompts } = identity
    models.set(name, { name, family: groups.get(name) ?? firstWord(name), zeroShot: prompts !== '' })
  }
  return [...models.values()].sort((a, b) => byName(a.name, b.name))
}

/** `resnet` of resnet50.own, `mobilenetv3` of mobilenetv3_small. */
const firstWord = (name: string): string => /^[^\d_.:/-]+(?:(?<=v)\d+)?/.exec(name)?.[0].toLowerCase() ?? 'other'

const recently = 5 * 60_000
const shownUnfinished = 200

async function readProgress(dir: string, entries: readonly Entry[]): Promise<Progress> {
  const { results, runs } = await orNone(runStatus(dir), { dir, results: [], runs: [] })
  const current = results.filter(({ state }) => state !== 'stale')
  const unfinished = current
    .filter(({ state }) => state !== 'complete')
    .sort((a, b) => Number(b.state === 'running') - Number(a.state === 'running') || b.rows - a.rows)
  const sum = (list: readonly (number | null)[]): number => list.reduce<number>((all, value) => all + (value ?? 0), 0)
  const left = sum(unfinished.map(({ state, rows, images }) => (state === 'running' ? (images ?? 0) - rows : 0)))
  const started = runs.filter(({ state }) => state === 'running').map(({ started }) => Date.parse(started))
  const rate = rateOf(entries, Math.max(Date.now() - recently, Math.min(...started)))
  return {
    done: sum(current.map(({ rows }) => rows)),
    asked: sum(current.map(({ images }) => images)),
    evaluations: current.length,
    complete: current.length - unfinished.length,
    errors: sum(current.map(({ errors }) => errors)),
    running: started.length === 0 ? null : { rate, left: rate > 0 ? left / rate : null },
    unfinished: unfinished
      .slice(0, shownUnfinished)
      .map(({ model, dataset, state, rows, images, message }) => ({ model, dataset, state, rows, images, message })),
    failures: await readFailures(dir),
  }
}

/** Predictions stored a second since a time. */
function rateOf(entries: readonly Entry[], since: number): number {
  let rows = 0
  for (const { shards } of entries) {
    for (const shard of shards) if (Date.parse(shard.created) > since) rows += shard.rows
  }
  return (1000 * rows) / Math.max(1000, Date.now() - since)
}
