/** The models that one is placed beside: published facts, a folder of results, or a pack. */
import { inputError } from '../lib/errors.ts'
import { placeColumn, datasetRoles } from './datasetRoles.ts'
import { referenceBenchmark } from '../metrics/progress.ts'
import { publishedAccuracies, publishedSources } from './paper/publishedAccuracies.ts'
import { type Run } from '../results/run.ts'
import { shownPreprocessing, zeroShotModels } from './modelRoles.ts'
import { type ModelMeasures, type StandingReference } from './standing.ts'
import { openResults } from './pack.ts'

/** Errors: no-results, bad-pack, no-reference. */
export async function readReference(against: string, minN: number): Promise<StandingReference> {
  if (against === 'published') return publishedReference()
  const run = await openResults(against)
  const { reference } = datasetRoles(run)
  if (reference === null) throw inputError('no-reference', `no standard benchmark in ${against}`)
  return {
    title: against,
    benchmark: reference,
    models: measureModels(run, minN),
    isMeasured: true,
    notes: [],
  }
}

/** Said by every view that places a model beside published facts. */
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

/** Accuracies, accuracies by place and disparities of every model of a run; preprocessing modes do not mix: native first. */
export function measureModels(run: Run, minN: number): ModelMeasures[] {
  const preprocessing = shownPreprocessing(run, ['native'])
  const zeroShot = zeroShotModels(run)
  const values = new Map<string, Map<string, number>>()
  const set = (model: string, measure: string, value: number | null): void => {
    if (value !== null)
      values.set(model, (values.get(model) ?? new Map<string, number>()).set(measure, value))
  }
  for (const row of run.accuracy({ preprocessing }))
    set(row.model, publishedBenchmarkName(row.dataset), row.top1)
  for (const dataset of datasetRoles(run).geographic) {
    const by = placeColumn(run, dataset)!
    for (const row of run.accuracy({ by, dataset, preprocessing }))
      if (row.n >= minN) set(row.model, `${dataset}: ${row.group}`, row.top1)
    for (const row of run.disparity({ by, minN, dataset, preprocessing })) {
      set(row.model, `${dataset}: disparity by ${by}`, row.disparity)
      set(row.model, `${dataset}: Europe − Africa`, row.europeMinusAfrica)
    }
  }
  return [...values].map(([model, measures]) => ({
    model,
    kind: zeroShot.has(model) ? 'zero-shot' : '1K',
    values: measures,
  }))
}

/** ImageNet-V2's default variant is the one that is published; other variants keep their names apart. */
const publishedBenchmarkName = (dataset: string): string =>
  dataset === 'imagenet-v2/matched-frequency' ? 'imagenet-v2' : dataset
