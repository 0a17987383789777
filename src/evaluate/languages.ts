/*
 * Scores the kept features of zero-shot models twice: under English class names, and each image under names in the language of
 * the country that it comes from. No image is read and no image tower is run.
 */
import { type Dataset, type Sample } from '../datasets/dataset.ts'
import { languageOfCountry, languagesOf, plainLanguage } from '../datasets/labels/languages.ts'
import { createPromiseCache } from '../lib/memoize.ts'
import { ownValue } from '../lib/ownValue.ts'
import { inputError } from '../lib/errors.ts'
import { groupByKey, tally } from '../lib/tally.ts'
import { clusterMoments, type GroupClustering, groupClusterings } from '../metrics/designEffect.ts'
import { sum } from '../metrics/numbers.ts'
import { type ClusterCounts } from '../metrics/permutationTest.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { type Interval } from '../metrics/intervals.ts'
import { pairCounts } from '../metrics/pairedTests.ts'
import { plainModelName } from '../models/promptedName.ts'
import { languagePromptsName } from '../models/zeroShot/prompts.ts'
import { type KeptOutputReader, openKeptOutputs } from '../results/keptOutputReader.ts'
import { emptyPredictions } from '../results/predictions.ts'
import { scoreRow } from '../results/scoreRow.ts'
import { readDatasetRecords } from '../results/records.ts'
import { evaluationsWithKeptOutputs, reopenDataset } from './rescore.ts'
import { createTextHead, prepareEvaluatedModel, type RescoringHead } from './rescoringHead.ts'

export interface CompareLanguagesOptions {
  /** Models and data set by their names in the results; all with kept features by default. */
  models?: readonly string[]
  dataset?: string
  /** A table of names in place of the shipped one. */
  names?: string
  /** Where the data set's images are now. */
  data?: string
  weights?: string
}

/** Top-1 of one model on the images of a region whose country has another language than English. */
export interface LanguageRow {
  model: string
  dataset: string
  /** `all` for the images of all regions together. */
  region: string
  /** The languages with their numbers of images, most images first. */
  languages: string
  n: number
  english: number
  own: number
  /** Own language minus English. */
  difference: number
  /** 95 % interval of the difference, over households that are independent, or over images if no household is named. */
  interval: Interval | null
  /** Why the interval is null; null if it is not. */
  reason: string | null
}

export interface LanguageComparison {
  rows: LanguageRow[]
  /** Images that are not compared, by reason. */
  leftOut: ReadonlyMap<string, number>
}

/** A sample, and whether its prediction is right under English names and under names in its own language. */
interface ScoredSample {
  region: string
  /** The image's own id if its household is not named. */
  household: string
  language: string
  english: boolean
  own: boolean
}

/**
 * Compares English with the languages of the countries, for every zero-shot model whose features are kept below `dir`.
 * @throws GeogapError `nothing-kept`, `no-zero-shot`, `no-country-column`, `no-translation`
 */
export async function compareLanguages(
  dir: string,
  options: CompareLanguagesOptions = {},
): Promise<LanguageComparison> {
  const { names, weights, data } = options
  const records = await readDatasetRecords(dir)
  const known = await languagesOf(names)
  const kept = (await evaluationsWithKeptOutputs(dir, { ...options, prefer: 'features' })).filter(
    ({ entry, output }) => output === 'features' && entry.identity.prompts !== '',
  )
  if (kept.length === 0)
    throw inputError(
      'no-zero-shot',
      `no zero-shot model in ${dir} has kept features: evaluate one with --keep features`,
    )
  const opened = createPromiseCache<{ dataset: Dataset }>()
  const rows: LanguageRow[] = []
  const leftOut = new Map<string, number>()
  // Evaluations that differ in prompts alone have equal features.
  const distinct = groupByKey(kept, ({ entry: { identity } }) =>
    JSON.stringify({ ...identity, model: plainModelName(identity.model), prompts: '' }),
  )
  for (const [{ entry, output }] of distinct.values() as Iterable<[(typeof kept)[0]]>) {
    const { identity } = entry
    const { dataset } = await opened.load(identity.content, () =>
      reopenDataset(entry, records.get(identity.content), { data }),
    )
    const { compared, others } = splitByLanguage(dataset, known)
    for (const [reason, count] of others) leftOut.set(`${dataset.name}: ${reason}`, count)
    const reader = await openKeptOutputs(entry, output)
    const prepared = await prepareEvaluatedModel(identity, weights)
    const headOf = (language: string): Promise<RescoringHead> => {
      const prompts = languagePromptsName({ language, file: names })
      return createTextHead(prepared, dataset.classes, prompts)
    }
    const english = await headOf(plainLanguage)
    const scored: ScoredSample[] = []
    for (const [language, samples] of compared) {
      const heads = { english, own: await headOf(language) }
      scored.push(...(await scoreBoth(samples, { language, heads, reader, dataset })))
    }
    const model = plainModelName(identity.model)
    const ofRows = (groupOf: (one: ScoredSample) => string): LanguageRow[] => {
      const clusterings = householdClusterings(scored, groupOf)
      const groups = [...groupByKey(scored, groupOf)].sort(([a], [b]) => (a < b ? -1 : 1))
      return groups.map(([region, some]) =>
        languageRow({ model, dataset: dataset.name, region }, some, clusterings.get(region)!),
      )
    }
    rows.push(...ofRows(one => one.region), ...ofRows(() => allRegions))
  }
  return { rows, leftOut }
}

/** Groups the samples with a known language other than English, and counts the others by reason. */
function splitByLanguage(
  dataset: Dataset,
  known: readonly string[],
): { compared: Map<string, Sample[]>; others: Map<string, number> } {
  if (!dataset.columns.includes('country'))
    throw inputError(
      'no-country-column',
      `${dataset.name} has no column country, so the languages of its images are not known; its columns: ${dataset.columns.join(', ') || 'none'}`,
    )
  const languages = dataset.samples.map(({ groups }) => {
    const country = ownValue(groups, 'country')
    return country === null || country === undefined
      ? undefined
      : languageOfCountry(String(country), known)
  })
  const reasonOf = (language: string | undefined): string | undefined => {
    if (language === undefined) return 'no known country'
    if (language === plainLanguage) return 'the language of the country is English'
    return known.includes(language) ? undefined : `no names in its language (${language})`
  }
  const reasons = languages.map(reasonOf)
  const some = dataset.samples.flatMap((sample, i) =>
    reasons[i] === undefined ? [{ sample, language: languages[i]! }] : [],
  )
  const groups = groupByKey(some, one => one.language)
  return {
    compared: new Map([...groups].map(([key, list]) => [key, list.map(({ sample }) => sample)])),
    others: tally(reasons.flatMap(reason => reason ?? [])),
  }
}

interface Scoring {
  language: string
  heads: { english: RescoringHead; own: RescoringHead }
  reader: KeptOutputReader
  dataset: Dataset
}

/** A sample with its kept features. */
interface KeptRow {
  sample: Sample
  row: Float32Array
}

const samplesPerBatch = 64

/** Scores samples whose features are kept; those that met an error are left out. */
async function scoreBoth(
  samples: readonly Sample[],
  { language, heads, reader, dataset }: Scoring,
): Promise<ScoredSample[]> {
  const scored: ScoredSample[] = []
  for (let first = 0; first < samples.length; first += samplesPerBatch) {
    const some: KeptRow[] = []
    for (const sample of samples.slice(first, first + samplesPerBatch)) {
      const row = await reader.row(sample.id)
      if (row instanceof Float32Array && sample.labels.length > 0) some.push({ sample, row })
    }
    if (some.length === 0) continue
    const english = await findRight(heads.english, some, dataset)
    const own = await findRight(heads.own, some, dataset)
    for (const [i, { sample }] of some.entries()) {
      const region = String(ownValue(sample.groups, 'region') ?? '(none)')
      const household = String(ownValue(sample.groups, 'household') ?? `image ${sample.id}`)
      scored.push({ region, household, language, english: english[i]!, own: own[i]! })
    }
  }
  return scored
}

/** Returns, for each row of features, whether the class that a head ranks first is right. */
async function findRight(
  head: RescoringHead,
  kept: readonly KeptRow[],
  { choices }: Dataset,
): Promise<boolean[]> {
  const logits = await head.logits(kept.map(({ row }) => row))
  const predictions = emptyPredictions('', kept.length)
  for (const [i, { sample }] of kept.entries())
    scoreRow(predictions, i, { logits: logits[i]!, labels: sample.labels, choices })
  return Array.from(predictions.rank, rank => rank === 1)
}

const allRegions = 'all'

/** Returns how households bear on the difference of each group; what is common to the groups is estimated together. */
function householdClusterings(
  scored: readonly ScoredSample[],
  groupOf: (one: ScoredSample) => string,
): Map<string, GroupClustering> {
  const households = groupByKey(scored, one => JSON.stringify([groupOf(one), one.household]))
  const clusters = [...households.values()].map((own): ClusterCounts => {
    const changes = own.map(one => Number(one.own) - Number(one.english))
    return {
      group: groupOf(own[0]!),
      cluster: own[0]!.household,
      n: own.length,
      top1: sum(changes),
      squares: sum(changes.map(Math.abs)),
    }
  })
  return groupClusterings(clusterMoments(clusters))
}

function languageRow(
  named: Pick<LanguageRow, 'model' | 'dataset' | 'region'>,
  scored: readonly ScoredSample[],
  { inflation, reason }: GroupClustering,
): LanguageRow {
  const n = scored.length
  const outcomes = pairCounts(
    scored.map(one => Number(one.english)),
    scored.map(one => Number(one.own)),
  )
  const share = (right: number): number => right / n
  const english = share(outcomes.both + outcomes.onlyFirst)
  const own = share(outcomes.both + outcomes.onlySecond)
  const counts = [...tally(scored.map(({ language }) => language))].sort((a, b) => b[1] - a[1])
  return {
    ...named,
    languages: counts.map(([language, count]) => `${language} ${count}`).join(', '),
    n,
    english,
    own,
    difference: own - english,
    interval: reason === null ? pairedInterval(outcomes, 0.95, inflation) : null,
    reason,
  }
}
