/** Collects what a run's first screen shows: the answer in words, each place with its interval, and the way of progress. */
import { inputError, unknownNameError } from '../lib/errors.ts'
import { type Interval } from '../metrics/intervals.ts'
import { mean } from '../metrics/numbers.ts'
import { differentImagesNotes } from '../results/schema.ts'
import { distinctFieldValues } from '../results/storedEvaluations.ts'
import { findModelName } from '../models/findModelName.ts'
import { type ProgressEvidence } from './progress/evidence.ts'
import { headlinePairs } from './progress/progress.ts'
import { type DatasetFinding, type DatasetProgress, runSentence } from './runSentence.ts'
import { modelToShow, type RunView } from './runView.ts'

/** The accuracy of a model in one place. */
export interface PlaceAccuracy {
  place: string
  n: number
  accuracy: number
  interval: Interval | null
}

/** The accuracies of models on one data set, from the worst to the best model on the reference. */
export interface ProgressSeries {
  title: string
  isGeographic: boolean
  /** Means of neighbouring models where there are many. */
  accuracies: number[]
}

/** What a run's first screen shows. */
export interface FirstScreen {
  sentence: string
  /** Null where no data set has places. */
  finding: DatasetFinding | null
  /** Places of enough images, best first. */
  places: PlaceAccuracy[]
  /** Places with fewer images, which no comparison counts. */
  small: { group: string; n: number }[]
  progress: { reference: string; models: number; series: ProgressSeries[] } | null
  /** The other data sets with places. */
  others: string[]
  /** The preprocessing of what is shown, and the others that have results. */
  preprocessing: { shown: string; others: string[] }
  /** What restricts the comparison of models, in sentences. */
  notes: string[]
}

/** The data set, by name or title, and the model, by full or short name. */
export interface FirstScreenOptions {
  dataset?: string | undefined
  model?: string | undefined
  evidence: ProgressEvidence
}

/** Most points of a series. */
const maxPoints = 24

/**
 * Returns what the first screen of a run shows. Errors: unknown-data-set, unknown-model.
 *
 * @example
 * const view = runView(await openRun('results'))
 * const { sentence } = await firstScreen(view, { evidence: progressEvidence(view) })
 */
export async function firstScreen(
  results: RunView,
  { dataset: asked, model: name, evidence }: FirstScreenOptions,
): Promise<FirstScreen> {
  const { geographic } = results.roles
  const dataset = asked === undefined ? geographic[0] : findDataset(results, asked)
  const about = dataset ?? results.roles.reference ?? ''
  const model =
    name === undefined
      ? modelToShow(results, about)
      : findModelName(name, [...(results.accuracies.get(about)?.keys() ?? [])])
  const { sentence, finding, progress } = await runSentence(results, { dataset, model, evidence })
  return {
    sentence,
    finding,
    places: finding === null ? [] : placesOf(results, finding),
    small: finding?.disparity.leftOut ?? [],
    progress: progress && progressOf(evidence, progress),
    others: geographic.filter(other => other !== dataset),
    preprocessing: {
      shown: results.preprocessing,
      others: distinctFieldValues(results.run.entries, 'preprocessing').filter(
        mode => mode !== results.preprocessing,
      ),
    },
    notes: differentImagesNotes(
      results.run.entries.filter(({ identity }) => identity.dataset === about),
    ),
  }
}

function findDataset(
  { roles: { geographic }, titleOf, accuracies }: RunView,
  asked: string,
): string {
  const found = geographic.find(name => [name, titleOf(name)].includes(asked))
  if (found === undefined && accuracies.has(asked))
    throw inputError(
      'unknown-data-set',
      `${asked} has no regions or countries; ${geographic.length === 0 ? 'no data set here has' : `with places: ${geographic.join(', ')}`}`,
    )
  if (found === undefined) throw unknownNameError('data set', asked, geographic)
  return found
}

function placesOf(results: RunView, { dataset, model, by }: DatasetFinding): PlaceAccuracy[] {
  return results
    .accuracyBy(by)
    .filter(row => row.dataset === dataset && row.model === model && row.n >= results.minN)
    .flatMap(({ group, n, top1, low, high }) =>
      top1 === null
        ? []
        : {
            place: group,
            n,
            accuracy: top1,
            interval: low === null ? null : ([low, high!] as const),
          },
    )
    .sort((a, b) => b.accuracy - a.accuracy)
}

/** Returns the series of the standard benchmark that stands for the others and of the data set; null with fewer than three models. */
function progressOf(
  { accuracies }: Pick<ProgressEvidence, 'accuracies'>,
  { comparison: { reference }, line }: DatasetProgress,
): FirstScreen['progress'] {
  const pair = headlinePairs(line)[0]!
  const at = (name: string, model: string): number => accuracies.get(name)!.get(model)!
  const models = pair.gap.standard.models.toSorted(
    (a, b) => at(reference.name, a) - at(reference.name, b),
  )
  if (models.length < 3) return null
  const series = [pair.standard, pair.geographic].map(({ title, datasets }, i) => ({
    title,
    isGeographic: i === 1,
    accuracies: pooled(models.map(model => mean(datasets.map(name => at(name, model))))),
  }))
  return { reference: reference.title, models: models.length, series }
}

/** Returns the values as means of neighbours, so that there are at most `maxPoints`. */
function pooled(values: readonly number[]): number[] {
  const count = Math.min(maxPoints, values.length)
  return Array.from({ length: count }, (_, i) =>
    mean(
      values.slice(
        Math.round((i * values.length) / count),
        Math.round(((i + 1) * values.length) / count),
      ),
    ),
  )
}
