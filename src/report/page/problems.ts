/** Returns the section of problems: failed models, images without a prediction, refused rows, incomparable results. */
import { countText } from '../../lib/table/text.ts'
import { modelWarnings } from '../../results/modelNotes.ts'
import { type RunView } from '../../analysis/runView.ts'
import { type DatasetRecord } from '../../results/records.ts'
import { type StoredEvaluation } from '../../results/storedEvaluations.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { fieldColumns } from '../../lib/table/columns.ts'

/** Images of one model on one data set that have no prediction, by reason. */
export interface ImageStatusRow {
  model: string
  dataset: string
  status: string
  images: number
}

export function problemsSection(
  { run, titleOf: title }: RunView,
  statuses: readonly ImageStatusRow[],
): Markup {
  const problems = [...run.datasets.values()].flatMap(({ name, problems }) =>
    problems.map(problem => ({ dataset: title(name), ...problem })),
  )
  const warnings = [
    ...modelWarnings(run),
    ...mixedContentWarnings(run.entries),
    ...incompleteWarnings(run.entries),
  ]
  const errors = run.accuracy().reduce((sum, row) => sum + row.errors, 0)
  const nothing =
    run.failures.length + problems.length + statuses.length + warnings.length + errors === 0
  if (nothing)
    return markup`<p>No model failed, no row of a data set was refused, and every image gave a prediction.</p>`
  return markup`<p>${countText(run.failures.length, 'failed evaluation')}, ${countText(problems.length, 'refused row')} of data sets, ${countText(errors, 'missing prediction')}.</p>
  ${warnings.map(warning => markup`<p class="banner">${warning}</p>`)}
  ${run.failures.length > 0 && failureTable(run.failures)} ${statuses.length > 0 && statusTable(statuses)}
  ${problems.length > 0 && problemTable(problems)}`
}

const failureTable = (rows: RunView['run']['failures']): Markup =>
  htmlTable({
    name: 'failures',
    caption: 'Models that could not be evaluated.',
    columns: fieldColumns({ model: 'model', dataset: 'data set', code: 'code', message: 'reason' }),
    rows,
  })

const statusTable = (rows: readonly ImageStatusRow[]): Markup =>
  htmlTable({
    name: 'images-without-prediction',
    caption: 'Images without a prediction, by reason; they count in no accuracy.',
    columns: fieldColumns({
      model: 'model',
      dataset: 'data set',
      status: 'reason',
      images: 'images',
    }),
    rows,
  })

const maxShownProblems = 200

const problemTable = (
  rows: readonly ({ dataset: string } & DatasetRecord['problems'][number])[],
): Markup =>
  htmlTable({
    name: 'data-set-problems',
    caption: 'Rows of the data sets that are in no result.',
    columns: fieldColumns({ id: 'row', dataset: 'data set', code: 'code', message: 'reason' }),
    rows,
    shownRows: rows.slice(0, maxShownProblems),
  })

/** Returns a note on data sets whose name stands for several contents, which cannot be compared. */
function mixedContentWarnings(entries: readonly StoredEvaluation[]): string[] {
  const contents = new Map<string, Set<string>>()
  for (const { identity } of entries) {
    contents.set(
      identity.dataset,
      (contents.get(identity.dataset) ?? new Set()).add(identity.content),
    )
  }
  return [...contents]
    .filter(([, hashes]) => hashes.size > 1)
    .map(
      ([name, { size }]) =>
        `${name} was evaluated in ${size} versions (other images, labels or limits); its models do not compare.`,
    )
}

const incompleteWarnings = (entries: readonly StoredEvaluation[]): string[] =>
  entries
    .filter(({ rows, identity }) => rows < identity.images)
    .map(
      ({ rows, identity }) =>
        `${identity.model} on ${identity.dataset} is incomplete: ${rows} of ${identity.images} images.`,
    )
