/** Finds the works to cite. works.tsv lists the benchmark, the models (by pattern) or the source of weights of each work. */
import { benchmarkNameOf, datacompEnding } from '../datasetRoles.ts'
import { nameMatcher, findModelRow } from '../../models/listing.ts'
import { readTsv } from '../../lib/archive/tsv.ts'
import { memoize } from '../../lib/memoize.ts'
import { latexText } from '../../lib/table/formats.ts'

/** One row of works.tsv. Authors are in BibTeX's form; `where` is the journal, the proceedings or the address. */
export type CitedWork = Record<
  'key' | 'of' | 'kind' | 'year' | 'where' | 'title' | 'authors',
  string
>

/** The works that a run cites. */
export interface Bibliography {
  /** The paper that defines the measures. */
  measures: CitedWork
  /** By data set; undefined if no work is known. */
  datasets: Map<string, CitedWork | undefined>
  /** By model; empty if no work is known. */
  models: Map<string, CitedWork[]>
}

let catalogueOfWorks: CitedWork[] | undefined

const listedWorks = (): CitedWork[] =>
  (catalogueOfWorks ??= readTsv(new URL('./works.tsv', import.meta.url)))

/** Returns the works that a run on these data sets with these models cites. */
export function bibliography(datasets: readonly string[], models: readonly string[]): Bibliography {
  const all = listedWorks()
  const about = (subject: string) => all.find(({ of }) => of.split(' ').includes(subject))
  return {
    measures: about('measures')!,
    datasets: new Map(
      datasets.map(name => [
        name,
        about(`data:${benchmarkNameOf(name).replace(datacompEnding, '')}`),
      ]),
    ),
    models: new Map(models.map(name => [name, worksOnModel(name, all)])),
  }
}

/**
 * Returns the year of the latest paper on a model: on its architecture, its training or its data. Returns null if none is known.
 *
 * @example
 * modelYear('resnet50.a1_in1k') // 2021, of the training; the architecture is of 2016
 */
export const modelYear = memoize((model: string): number | null => {
  const years = worksOnModel(model, listedWorks())
    .filter(({ of }) => !of.split(' ').every(pattern => pattern.startsWith('source:')))
    .map(({ year }) => Number(year))
  return years.length === 0 ? null : Math.max(...years)
})

const matcherOf = memoize(nameMatcher)

/** Returns the works on a model of the catalogue; none for any other model. */
function worksOnModel(name: string, all: readonly CitedWork[]): CitedWork[] {
  const row = findModelRow(name)
  if (!row) return []
  const fits = (pattern: string): boolean =>
    pattern.startsWith('source:')
      ? row.source === pattern.slice(7)
      : !pattern.startsWith('data:') && matcherOf(pattern)(row.model)
  return all.filter(({ of }) => of.split(' ').some(fits))
}

/** Returns every work once, in the order of measures, data sets and models. */
export const allWorks = ({ measures, datasets, models }: Bibliography): CitedWork[] => [
  ...new Set([
    measures,
    ...[...datasets.values()].flatMap(work => work ?? []),
    ...[...models.values()].flat(),
  ]),
]

/** Returns the data sets and models without a known work. */
export const uncitedNames = ({ datasets, models }: Bibliography): string[] => [
  ...[...datasets].flatMap(([name, work]) => (work ? [] : [name])),
  ...[...models].flatMap(([name, found]) => (found.length > 0 ? [] : [name])),
]

const venueField: Readonly<Record<string, string>> = {
  article: 'journal',
  inproceedings: 'booktitle',
  misc: 'howpublished',
}

export const bibtexEntries = (works: readonly CitedWork[]): string =>
  works
    .map(
      ({ key, kind, title, authors, where, year }) =>
        `@${kind}{${key},\n  title = {{${latexText(title)}}},\n  author = {${authors}},\n  ${venueField[kind]!} = {${where}},\n  year = {${year}}\n}`,
    )
    .join('\n\n')

/** Returns a text such as `O. Russakovsky, J. Deng. ImageNet Large Scale …. International Journal of Computer Vision, 2015.` */
export function citationText({ authors, title, where, year }: CitedWork): string {
  const names = authors.split(' and ').map(name => {
    const [last, first] = name.split(', ') as [string, string | undefined]
    return first === undefined ? 'et al.' : `${first.replace(/(\p{L})[\p{L}.]*/gu, '$1.')} ${last}`
  })
  const list = names.join(', ').replace(/, et al\.$/, ' et al.')
  return `${list}${list.endsWith('.') ? '' : '.'} ${title}${/[?.]$/.test(title) ? '' : '.'} ${where}, ${year}.`
}
