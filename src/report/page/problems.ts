/** What went wrong: failed models, images without a prediction, refused rows, results that do not compare. */
import { count } from '../../lib/table/text.ts'
import { type Results } from '../../analysis/view.ts'
import { type DatasetNote } from '../../results/notes.ts'
import { type Entry } from '../../results/store.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { fields } from '../../lib/table/columns.ts'

/** Images of one model on one data set that have no prediction, by reason. */
export interface StatusRow {
  model: string
  dataset: string
  status: string
  images: number
}

export function problemsSection({ run, title }: Results, statuses: readonly StatusRow[]): Markup {
  const problems = [...run.datasets.values()].flatMap(({ name, problems }) =>
    problems.map(problem => ({ dataset: title(name), ...problem })),
  )
  const warnings = [...mixedContents(run.entries), ...incomplete(run.entries)]
  const errors = run.accuracy().reduce((sum, row) => sum + row.errors, 0)
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
    columns: fields({ model: 'model', dataset: 'data set', code: 'code', message: 'reason' }),
    rows,
  })

const statusTable = (rows: readonly StatusRow[]): Markup =>
  htmlTable({
    name: 'images-without-prediction',
    caption: 'Images without a prediction, by reason; they count in no accuracy.',
    columns: fields({ model: 'model', dataset: 'data set', status: 'reason', images: 'images' }),
    rows,
  })

const shownProblems = 200

const problemTable = (rows: readonly ({ dataset: string } & DatasetNote['problems'][number])[]): Markup =>
  htmlTable({
    name: 'data-set-problems',
    caption: 'Rows of the data sets that are in no result.',
    columns: fields({ id: 'row', dataset: 'data set', code: 'code', message: 'reason' }),
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
