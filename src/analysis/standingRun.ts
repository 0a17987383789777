/** Compares the models of a run with reference models: published facts, a folder of results, or a pack. */
import { inputError, unknownNameError } from '../lib/errors.ts'
import { shortList } from '../lib/table/text.ts'
import { differentImagesNotes } from '../results/schema.ts'
import { defaultMinN } from '../metrics/disparity.ts'
import { referenceBenchmark } from '../metrics/progress.ts'
import { type ImportedAccuracy, readImportedAccuracies } from '../results/importedAccuracies.ts'
import { type Run } from '../results/run.ts'
import { distinctFieldValues } from '../results/storedEvaluations.ts'
import { type PreprocessingMode } from '../lib/pixels/steps.ts'
import { findModelNames } from '../models/findModelName.ts'
import { unusableNotes } from '../results/unusableResults.ts'
import { exclusionNotes } from '../results/slices.ts'
import {
  copyNotes,
  datasetRoles,
  type DatasetRoles,
  placeColumn,
  publishedName,
  syntheticNotes,
} from './datasetRoles.ts'
import { catalogueKind, shownPreprocessing, zeroShotModels } from './modelRoles.ts'
import { openResults } from './pack.ts'
import { publishedAccuracies, publishedSources } from './paper/publishedAccuracies.ts'
import {
  measureStandings,
  type ModelMeasures,
  type Standing,
  type StandingReference,
} from './standing.ts'

export interface StandingOptions {
  /** `published`, a folder of results, or a pack. Default: `published` if a model has an accuracy on ImageNet, else the run itself. */
  against?: string | undefined
  /** Default: all evaluated models; if there are none, all models with imported accuracies. */
  models?: readonly string[]
  /** Groups with fewer images are not measured. Default 30. */
  minN?: number
  /** A slice whose images are left out of the run, not of the reference. */
  exclude?: string
  /** Of the results of the run and of the reference. Default: native if there are any, else the commonest. */
  preprocessing?: PreprocessingMode
}

/**
 * Returns where the models of a run or pack stand among comparable reference models. Imported accuracies fill the gaps of the
 * folder's own. Errors: no-results, unknown-model, no-reference, no-images.
 */
export async function runStandings(
  dir: string,
  { models, minN = defaultMinN, exclude, preprocessing, ...options }: StandingOptions,
): Promise<Standing[]> {
  const asked = { minN, exclude, preprocessing }
  const { run, roles, measures, imported, modes } = await measureResults(dir, asked)
  const known = measures.map(({ model }) => model)
  const isPublished = measures.some(({ values }) => values.has(referenceBenchmark))
  const against = options.against ?? (isPublished ? 'published' : dir)
  const reference = await readReference(against, minN, preprocessing)
  const evaluated = new Set(run.entries.map(({ identity }) => identity.model))
  const wanted = models
    ? findModelNames(models, known)
    : known.filter(name => evaluated.size === 0 || evaluated.has(name))
  const chosen = measures.filter(({ model }) => wanted.includes(model))
  const measurable = chosen.filter(({ values }) => values.has(reference.benchmark))
  const lacking = chosen.filter(one => !measurable.includes(one)).map(({ model }) => model)
  if (measurable.length === 0)
    throw inputError(
      'no-reference',
      `no model of ${dir} has an accuracy on ${reference.benchmark}, the x axis of ${against}; evaluate or import one, or give other results with --against${failuresText(run)}`,
    )
  const notes = [
    ...(options.against === undefined && against === dir
      ? [
          `No model of ${dir} has an accuracy on ImageNet, so its models are compared with each other.`,
        ]
      : []),
    ...modes,
    ...copyNotes(run, roles).map(note => `${note}.`),
    ...syntheticNotes(run),
    ...exclusionNotes(run.entries),
    ...differentImagesNotes(run.entries),
    ...unusableNotes(run.failures),
    ...importedNotes(imported.filter(({ model }) => wanted.includes(model))),
    ...(lacking.length === 0
      ? []
      : [`Not placed, for want of ${reference.benchmark}: ${lacking.join(', ')}.`]),
  ]
  return measurable.map(model => ({
    model,
    against: reference,
    notes,
    measureStandings: measureStandings(model, reference.models, reference.benchmark),
  }))
}

const failuresText = ({ failures }: Pick<Run, 'failures'>): string =>
  unusableNotes(failures)
    .map(note => `; ${note}`)
    .join('')

function importedNotes(used: readonly ImportedAccuracy[]): string[] {
  if (used.length === 0) return []
  const sources = shortList([...new Set(used.map(({ source }) => source))], 3)
  const benchmarks = shortList([...new Set(used.map(({ benchmark }) => benchmark))], 6)
  return [
    `${used.length} accuracies (${benchmarks}) are imported from ${sources}, not measured here; their preprocessing and images are the publisher's.`,
  ]
}

/**
 * Reads the reference models. Their x axis is a standard benchmark or, where there is none, all images of the first data set with
 * places. Errors: no-results, bad-pack, no-reference.
 */
export async function readReference(
  against: string,
  minN: number,
  preprocessing?: PreprocessingMode,
): Promise<StandingReference> {
  if (against === 'published') return publishedReference()
  const { run, roles, measures, imported } = await measureResults(against, { minN, preprocessing })
  const { reference, geographic } = roles
  const hasReference = measures.some(({ values }) => values.has(referenceBenchmark))
  const axis = reference ?? (hasReference ? null : (geographic[0] ?? null))
  const benchmark = axis === null ? referenceBenchmark : measureName(run, roles, axis)
  if (!measures.some(({ values }) => values.has(benchmark)))
    throw inputError(
      'no-reference',
      `no model of ${against} has an accuracy to compare by; evaluate or import one${failuresText(run)}`,
    )
  return {
    title: against,
    benchmark,
    models: measures,
    isMeasured: true,
    notes: importedNotes(imported),
  }
}

/** The note of every view that places a model beside published facts. */
export const noPackNotice = 'No measured pack exists yet: published facts are shown instead'

function publishedReference(): StandingReference {
  const byModel = new Map<string, ModelMeasures & { values: Map<string, number> }>()
  for (const { row, model, kind, benchmark, accuracy } of publishedAccuracies()) {
    const known = byModel.get(row) ?? { model, kind, values: new Map<string, number>() }
    known.values.set(benchmark, accuracy)
    byModel.set(row, known)
  }
  const sources = Object.values(publishedSources).map(
    ({ publisher, date }) => `${publisher} (${date})`,
  )
  return {
    title: `accuracies published by ${sources.join(' and ')}`,
    benchmark: referenceBenchmark,
    models: [...byModel.values()],
    isMeasured: false,
    notes: [
      `${noPackNotice}. These are the publishers' own numbers, with their preprocessing, and for models with a 1,000-class head none on a geographic data set.`,
      'Published numbers on Dollar Street and GeoDE are of the DataComp subsets, so a run on the whole data sets has no counterpart there.',
    ],
  }
}

/** The measures of all models of a folder or pack. */
interface MeasuredResults {
  run: Run
  roles: DatasetRoles
  measures: ModelMeasures[]
  /** The imported accuracies among the measures. */
  imported: ImportedAccuracy[]
  /** Names the preprocessing where the results have several. */
  modes: string[]
}

/** Returns the name of a data set's accuracy: the benchmark's where it is one, and not for images with classes of their own. */
const measureName = ({ entries }: Run, roles: DatasetRoles, dataset: string): string =>
  entries.some(
    ({ identity }) => identity.dataset === dataset && identity.labelMap.startsWith('own '),
  )
    ? dataset
    : publishedName(dataset, roles)

/**
 * Measures accuracies, accuracies by place and disparities of every model, with one preprocessing (native if the run has it).
 * An imported accuracy is used if the model has no measured one on the benchmark.
 */
async function measureResults(
  path: string,
  {
    minN,
    exclude,
    preprocessing: mode,
  }: {
    minN: number
    exclude?: string | undefined
    preprocessing?: PreprocessingMode | undefined
  },
): Promise<MeasuredResults> {
  const run = await openResults(path, exclude)
  const known = distinctFieldValues(run.entries, 'preprocessing')
  if (mode !== undefined && known.length > 0 && !known.includes(mode))
    throw unknownNameError('preprocessing', mode, known)
  const preprocessing = mode ?? shownPreprocessing(run, ['native'])
  const values = new Map<string, Map<string, number>>()
  const set = (model: string, measure: string, value: number | null): void => {
    if (value === null) return
    if (!values.has(model)) values.set(model, new Map())
    values.get(model)!.set(measure, value)
  }
  const roles = datasetRoles(run)
  for (const { model, dataset, top1 } of run.accuracy({ preprocessing }))
    set(model, measureName(run, roles, dataset), top1)
  for (const dataset of roles.geographic) {
    const by = placeColumn(run, dataset)!
    const name = measureName(run, roles, dataset)
    for (const row of run.accuracy({ by, dataset, preprocessing }))
      if (row.n >= minN) set(row.model, `${name}: ${row.group}`, row.top1)
    for (const row of run.disparity({ by, minN, dataset, preprocessing })) {
      set(row.model, `${name}: disparity by ${by}`, row.disparity)
      set(row.model, `${name}: Europe − Africa`, row.europeMinusAfrica)
    }
  }
  const zeroShot = new Map<string, boolean>([...zeroShotModels(run)].map(model => [model, true]))
  const imported = (await readImportedAccuracies(run.dir)).filter(
    ({ model, benchmark }) => !values.get(model)?.has(benchmark),
  )
  for (const { model, benchmark, accuracy, kind } of imported) {
    if (!values.has(model)) zeroShot.set(model, (kind ?? catalogueKind(model)) === 'zero-shot')
    set(model, benchmark, accuracy)
  }
  const measures = Array.from(values, ([model, measured]): ModelMeasures => ({
    model,
    kind: zeroShot.get(model) ? 'zero-shot' : '1K',
    values: measured,
  }))
  const others = known.filter(name => name !== preprocessing)
  const modes =
    others.length === 0
      ? []
      : [
          `Results with ${preprocessing} preprocessing; those with ${others.join(' and ')} are left out (--preprocessing).`,
        ]
  return { run, roles, measures, imported, modes }
}
