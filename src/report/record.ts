/** What was run, and what went wrong: from the manifests beside the predictions. */
import { count } from '../figures/figure.ts'
import { type Results } from '../figures/results.ts'
import { type DatasetNote } from '../predictions/notes.ts'
import { type Entry } from '../predictions/store.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'

/** Images of one model on one data set that have no prediction, by reason. */
export interface StatusRow {
  model: string
  dataset: string
  status: string
  images: number
}

export function problemsSection({ run, title, by }: Results, statuses: readonly StatusRow[]): Markup {
  const problems = [...run.datasets.values()].flatMap(({ name, problems }) =>
    problems.map(problem => ({ dataset: title(name), ...problem })),
  )
  const warnings = [...mixedContents(run.entries), ...incomplete(run.entries)]
  const errors = by().reduce((sum, row) => sum + row.errors, 0)
  const nothing = run.failures.length + problems.length + statuses.length + warnings.length + errors === 0
  if (nothing)
    return markup`<p>No model failed, no row of a data set was refused, and every image gave a prediction.</p>`
  return markup`<p>${count(run.failures.length, 'failed evaluation')}, ${count(problems.length, 'refused row')} of data sets, ${count(errors, 'missing prediction')}.</p>
  ${warnings.map(warning => markup`<p class="banner">${warning}</p>`)}
  ${run.failures.length > 0 && failureTable(run.failures)} ${statuses.length > 0 && statusTable(statuses)}
  ${problems.length > 0 && problemTable(problems)}`
}

const failureTable = (rows: Results['run']['failures']): Markup =>
  htmlTable({
    name: 'failures',
    caption: 'Models that could not be evaluated.',
    columns: [
      { name: 'model', heading: 'model', value: row => row.model },
      { name: 'dataset', heading: 'data set', value: row => row.dataset },
      { name: 'code', heading: 'code', value: row => row.code },
      { name: 'message', heading: 'reason', value: row => row.message },
    ],
    rows,
  })

const statusTable = (rows: readonly StatusRow[]): Markup =>
  htmlTable({
    name: 'images-without-prediction',
    caption:
      'Images without a prediction, by reason; they count in no accuracy. no-accepted-class: the model has no class for the image’s label.',
    columns: [
      { name: 'model', heading: 'model', value: row => row.model },
      { name: 'dataset', heading: 'data set', value: row => row.dataset },
      { name: 'status', heading: 'reason', value: row => row.status },
      { name: 'images', heading: 'images', value: row => row.images },
    ],
    rows,
  })

const shownProblems = 200

const problemTable = (rows: readonly ({ dataset: string } & DatasetNote['problems'][number])[]): Markup =>
  htmlTable({
    name: 'data-set-problems',
    caption: 'Rows of the data sets that are in no result.',
    columns: [
      { name: 'id', heading: 'row', value: row => row.id },
      { name: 'dataset', heading: 'data set', value: row => row.dataset },
      { name: 'code', heading: 'code', value: row => row.code },
      { name: 'message', heading: 'reason', value: row => row.message },
    ],
    rows,
    shown: rows.slice(0, shownProblems),
  })

/** Results of one data set's name on several contents do not compare. */
function mixedContents(entries: readonly Entry[]): string[] {
  const contents = new Map<string, Set<string>>()
  for (const { identity } of entries) {
    contents.set(identity.dataset, (contents.get(identity.dataset) ?? new Set()).add(identity.content))
  }
  return [...contents]
    .filter(([, hashes]) => hashes.size > 1)
    .map(
      ([name, { size }]) =>
        `${name} was evaluated in ${size} versions (other images, labels or limits); its models do not compare.`,
    )
}

const incomplete = (entries: readonly Entry[]): string[] =>
  entries
    .filter(({ rows, identity }) => rows < identity.images)
    .map(
      ({ rows, identity }) =>
        `${identity.model} on ${identity.dataset} is incomplete: ${rows} of ${identity.images} images.`,
    )

export function recordSection({ run, title }: Results): Markup {
  const shards = run.entries.flatMap(({ shards }) => shards)
  const days = shards.map(({ created }) => created).sort()
  const versions = [
    ...new Set(run.entries.map(({ identity }) => `geogap ${identity.version} with ${identity.runtime}`)),
  ]
  const machines = [...new Set(shards.map(({ machine }) => machine))]
  const [first = '', last = ''] = [days[0], days.at(-1)].map(day => day?.slice(0, 16).replace('T', ' '))
  return markup`<p>
      ${versions.join(', ')}; ${machines.join('; ')}; evaluated ${first === last ? first : `${first} to ${last}`} UTC.
    </p>
    ${datasetTable([...run.datasets.values()], title)} ${evaluationTable(run.entries)}`
}

const datasetTable = (rows: readonly DatasetNote[], title: (name: string) => string): Markup =>
  htmlTable({
    name: 'data-sets',
    caption: 'Data sets as they were evaluated.',
    columns: [
      { name: 'dataset', heading: 'data set', value: row => title(row.name) },
      { name: 'name', heading: 'name', value: row => row.name },
      { name: 'images', heading: 'images', value: row => row.images },
      { name: 'columns', heading: 'columns', value: row => row.columns.join(', ') },
      { name: 'label_map', heading: 'label map', value: row => row.labelMap },
      { name: 'places', heading: 'regions by', value: row => row.places?.scheme ?? null },
      { name: 'problems', heading: 'rows refused', value: row => row.problems.length },
      { name: 'content', heading: 'content (SHA-256)', value: row => row.hash, show: row => row.hash.slice(0, 16) },
    ],
    rows,
  })

/** More evaluations are shown by their first data set only. */
const longest = 200

function evaluationTable(rows: readonly Entry[]): Markup {
  const firsts = [...new Map(rows.toReversed().map(row => [row.identity.model, row])).values()].toReversed()
  return htmlTable({
    name: 'evaluations',
    caption: 'Evaluations: weights, preprocessing steps and time of every model on every data set.',
    ...(rows.length > longest ? { shown: firsts } : {}),
    columns: [
      { name: 'model', heading: 'model', value: row => row.identity.model },
      { name: 'dataset', heading: 'data set', value: row => row.identity.dataset },
      { name: 'images', heading: 'images', value: row => row.rows },
      { name: 'seconds', heading: 'seconds', value: seconds, show: row => seconds(row).toFixed(0) },
      { name: 'preprocessing', heading: 'preprocessing', value: row => row.identity.preprocessing },
      { name: 'steps', heading: 'steps', value: row => row.identity.steps },
      {
        name: 'weights',
        heading: 'weights (SHA-256)',
        value: row => row.identity.weights.join(' '),
        show: shortHashes,
      },
      { name: 'label_map', heading: '', value: row => row.identity.labelMap },
      { name: 'runtime', heading: '', value: row => row.identity.runtime },
      { name: 'created', heading: '', value: row => row.created },
    ],
    rows,
  })
}

const seconds = ({ shards }: Entry): number => shards.reduce((sum, { seconds }) => sum + seconds, 0)

const shortHashes = ({ identity }: Entry): string => identity.weights.map(hash => hash.slice(0, 12)).join(' ')
