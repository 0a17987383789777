/** Describes what was run, from the manifests beside the predictions. */
import { type MethodsSection } from '../../analysis/citing/methods.ts'
import { type RunView } from '../../analysis/runView.ts'
import { type ModelRow, findModelRow } from '../../models/listing.ts'
import { leftOutText } from '../../results/leftOutImages.ts'
import { type DatasetRecord } from '../../results/records.ts'
import { type StoredEvaluation } from '../../results/storedEvaluations.ts'
import { htmlTable } from './htmlTable.ts'
import { markup, type Markup } from './markup.ts'
import { modelDetails } from '../tables/modelTable.ts'
import { cellText, type TableColumn, fieldColumns } from '../../lib/table/columns.ts'

export function recordSection(
  { run, titleOf: title }: RunView,
  { paragraph, limitations }: MethodsSection,
): Markup {
  const shards = run.entries.flatMap(({ shards }) => shards)
  const days = shards.map(({ created }) => created).sort()
  const versions = [
    ...new Set(
      run.entries.map(({ identity }) => `geogap ${identity.version} with ${identity.runtime}`),
    ),
  ]
  const machines = [...new Set(shards.map(({ machine }) => machine))]
  const [first = '', last = ''] = [days[0], days.at(-1)].map(day =>
    day?.slice(0, 16).replace('T', ' '),
  )
  return markup`<p>
      ${versions.join(', ')}; ${machines.join('; ')}; evaluated ${first === last ? first : `${first} to ${last}`} UTC.
    </p>
    <h3>In words</h3>
    <p>${paragraph.replace(/ ?\\cite\{([^}]*)\}/g, ' [$1]')}</p>
    <ul>
      ${limitations.map(text => markup`<li>${text}</li>`)}
    </ul>
    <h3>Data sets</h3>
    ${datasetNotesTable([...run.datasets.values()], title)}
    <h3>Models</h3>
    ${modelsTable(run.entries)}
    <h3>Evaluations</h3>
    ${evaluationTable(run.entries)}`
}

const datasetNotesTable = (
  rows: readonly DatasetRecord[],
  title: (name: string) => string,
): Markup =>
  htmlTable({
    name: 'data-sets',
    caption: 'Data sets as they were evaluated.',
    columns: [
      { name: 'dataset', heading: 'data set', value: row => title(row.name) },
      ...fieldColumns({ name: 'name', images: 'images' }),
      { name: 'columns', heading: 'columns', value: row => row.columns.join(', ') },
      { name: 'label_map', heading: 'label map', value: row => row.labelMap },
      { name: 'places', heading: 'regions by', value: row => row.places?.scheme ?? null },
      { name: 'notes', heading: 'notes', value: row => row.notes?.join('; ') ?? null },
      { name: 'left_out', heading: 'images left out', value: row => leftOutText(row) ?? null },
      {
        name: 'content',
        heading: 'content (SHA-256)',
        value: row => row.hash,
        show: row => row.hash.slice(0, 16),
      },
    ],
    rows,
  })

interface UsedModel {
  identity: StoredEvaluation['identity']
  catalogueRow: ModelRow | undefined
}

/** Models as they were used: preprocessing and weights, and what the catalogue knows of them. */
function modelsTable(entries: readonly StoredEvaluation[]): Markup {
  const used = new Map(
    entries.map(({ identity }) => {
      const { model, preprocessing, steps, weights } = identity
      return [
        JSON.stringify([model, preprocessing, steps, weights]),
        { identity, catalogueRow: findModelRow(model) },
      ]
    }),
  )
  const rows = [...used.values()]
  return htmlTable({
    name: 'models',
    caption: 'Models as they were used, with what the catalogue knows of those that are in it.',
    columns: [
      { name: 'model', heading: 'model', value: row => row.identity.model },
      ...(rows.some(({ catalogueRow: known }) => known)
        ? modelDetails.slice(1).map(catalogueColumn)
        : []),
      { name: 'preprocessing', heading: 'preprocessing', value: row => row.identity.preprocessing },
      { name: 'steps', heading: 'steps', value: row => row.identity.steps },
      {
        name: 'weights_sha256',
        heading: 'weights (SHA-256)',
        value: row => row.identity.weights.join(' '),
        show: row => row.identity.weights.map(hash => hash.slice(0, 12)).join(' '),
      },
    ],
    rows,
  })
}

/** Long values are in the download only. */
const downloadOnlyColumns = ['source', 'weights', 'note']

const catalogueColumn = (column: TableColumn<ModelRow>): TableColumn<UsedModel> => ({
  name: column.name,
  heading: downloadOnlyColumns.includes(column.name) ? '' : column.heading,
  value: ({ catalogueRow: known }) => (known ? column.value(known) : null),
  show: ({ catalogueRow: known }) => (known ? cellText(column, known) : '–'),
})

/** More evaluations are shown by their first data set only. */
const maxShownEvaluations = 200

function evaluationTable(rows: readonly StoredEvaluation[]): Markup {
  const firsts = [
    ...new Map(rows.toReversed().map(row => [row.identity.model, row])).values(),
  ].toReversed()
  return htmlTable({
    name: 'evaluations',
    caption: 'Evaluations: every model on every data set.',
    shownRows: rows.length > maxShownEvaluations ? firsts : rows,
    columns: [
      { name: 'model', heading: 'model', value: row => row.identity.model },
      { name: 'dataset', heading: 'data set', value: row => row.identity.dataset },
      { name: 'images', heading: 'images', value: row => row.rows },
      {
        name: 'seconds',
        heading: 'seconds',
        value: evaluationSeconds,
        show: row => evaluationSeconds(row).toFixed(0),
      },
      { name: 'preprocessing', heading: 'preprocessing', value: row => row.identity.preprocessing },
      {
        name: 'label_map',
        heading: 'label map',
        value: row => row.identity.labelMap,
        show: row => shortHash(row.identity.labelMap),
      },
      { name: 'runtime', heading: 'runtime', value: row => row.identity.runtime },
      {
        name: 'created',
        heading: 'done (UTC)',
        value: row => row.created.slice(0, 19).replace('T', ' '),
      },
    ],
    rows,
  })
}

/** `own 14d319831a43` of a map that is known by its hash. */
const shortHash = (text: string): string =>
  text.replace(/\b[0-9a-f]{64}\b/, hash => hash.slice(0, 12))

const evaluationSeconds = ({ shards }: StoredEvaluation): number =>
  shards.reduce((sum, { seconds }) => sum + seconds, 0)
