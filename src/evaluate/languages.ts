/*
 * Scores the kept features of zero-shot models twice: under English class names, and each image under names in the language of
 * the country that it comes from. No image is read and no image tower is run.
 */
import { type Dataset, type Sample } from '../datasets/dataset.ts'
import { languageOfCountry, languagesOf, plainLanguage } from '../datasets/labels/languages.ts'
import { ownValue } from '../lib/ownValue.ts'
import { inputError } from '../lib/errors.ts'
import { groupByKey, tally } from '../lib/tally.ts'
import { pairedInterval } from '../metrics/pairedInterval.ts'
import { type Interval } from '../metrics/intervals.ts'
import { type KeptOutputReader, openKeptOutputs } from '../results/keptOutputReader.ts'
import { readDatasetRecords } from '../results/records.ts'
import { evaluationsWithKeptOutputs, reopenDataset } from './rescore.ts'
import { createRescoringHead } from './rescoringHead.ts'

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
  /** 95 % interval of the difference, for images that are independent; null without images. */
  interval: Interval | null
}

export interface LanguageComparison {
  rows: LanguageRow[]
  /** Images that are not compared, by reason. */
  leftOut: ReadonlyMap<string, number>
}

/** What a sample was scored as in both languages. */
interface ScoredSample {
  region: string
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
  const kept = (await evaluationsWithKeptOutputs(dir, { ...options, prompts: 'paper' })).filter(
    ({ entry, output }) => output === 'features' && entry.identity.prompts !== '',
  )
  if (kept.length === 0)
    throw inputError(
      'no-zero-shot',
      `no zero-shot model in ${dir} has kept features: evaluate one with --keep features`,
    )
  const rows: LanguageRow[] = []
  const leftOut = new Map<string, number>()
  for (const { entry, output } of kept) {
    const { identity } = entry
    const record = records.get(identity.content)
    const { dataset } = await reopenDataset(entry, record, data === undefined ? {} : { data })
    const { compared, others } = splitByLanguage(dataset, known)
    for (const [reason, count] of others) leftOut.set(`${dataset.name}: ${reason}`, count)
    const reader = await openKeptOutputs(entry, output)
    const headOf = async (language: string) =>
      (await createRescoringHead(
        { identity, output },
        { dataset, evaluatedClasses: record!.classes },
        { prompts: languagePrompts(language, names), out: dir, ...(weights && { weights }) },
      ))!
    const english = await headOf(plainLanguage)
    const scored: ScoredSample[] = []
    for (const [language, samples] of compared) {
      const heads = { english, own: await headOf(language) }
      scored.push(...(await scoreBoth(samples, { language, heads, reader, dataset })))
    }
    const { model } = identity
    const byRegion = groupByKey(scored, one => one.region)
    for (const [region, some] of [...byRegion].sort(([a], [b]) => (a < b ? -1 : 1)))
      rows.push(languageRow({ model, dataset: dataset.name, region }, some))
    rows.push(languageRow({ model, dataset: dataset.name, region: 'all' }, scored))
  }
  return { rows, leftOut }
}

/** Returns the name of prompts in a language: `lang:sw`, or `lang:sw:FILE`. */
const languagePrompts = (language: string, file: string | undefined): string =>
  file === undefined ? `lang:${language}` : `lang:${language}:${file}`

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
      : languageOfCountry(String(country))
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

type Head = NonNullable<Awaited<ReturnType<typeof createRescoringHead>>>

interface Scoring {
  language: string
  heads: { english: Head; own: Head }
  reader: KeptOutputReader
  dataset: Dataset
}

const samplesPerBatch = 64

/** Scores samples whose features are kept; those that met an error are left out. */
async function scoreBoth(
  samples: readonly Sample[],
  { language, heads, reader, dataset }: Scoring,
): Promise<ScoredSample[]> {
  const scored: ScoredSample[] = []
  for (let first = 0; first < samples.length; first += samplesPerBatch) {
    const some: { sample: Sample; row: Float32Array }[] = []
    for (const sample of samples.slice(first, first + samplesPerBatch)) {
      const row = await reader.row(sample.id)
      if (row instanceof Float32Array && sample.labels.length > 0) some.push({ sample, row })
    }
    if (some.length === 0) continue
    const rows = some.map(({ row }) => row)
    const english = await heads.english.logits(rows)
    const own = await heads.own.logits(rows)
    for (const [i, { sample }] of some.entries()) {
      const isRight = (logits: Float32Array): boolean =>
        sample.labels.includes(bestClass(logits, dataset.choices))
      scored.push({
        region: String(ownValue(sample.groups, 'region') ?? '(none)'),
        language,
        english: isRight(english[i]!),
        own: isRight(own[i]!),
      })
    }
  }
  return scored
}

function bestClass(logits: Float32Array, choices: Dataset['choices']): number {
  const competing = choices === 'all' ? logits.keys() : choices
  let best = -1
  for (const index of competing) if (best < 0 || logits[index]! > logits[best]!) best = index
  return best
}

function languageRow(
  named: Pick<LanguageRow, 'model' | 'dataset' | 'region'>,
  scored: readonly ScoredSample[],
): LanguageRow {
  const n = scored.length
  const share = (test: (one: ScoredSample) => boolean): number =>
    n === 0 ? 0 : scored.filter(test).length / n
  const counts = [...tally(scored.map(({ language }) => language))].sort((a, b) => b[1] - a[1])
  const both = scored.filter(one => one.english && one.own).length
  const onlyFirst = scored.filter(one => one.english && !one.own).length
  const onlySecond = scored.filter(one => !one.english && one.own).length
  return {
    ...named,
    languages: counts.map(([language, count]) => `${language} ${count}`).join(', '),
    n,
    english: share(one => one.english),
    own: share(one => one.own),
    difference: share(one => one.own) - share(one => one.english),
    interval: pairedInterval({
      both,
      onlyFirst,
      onlySecond,
      neither: n - both - onlyFirst - onlySecond,
    }),
  }
}
