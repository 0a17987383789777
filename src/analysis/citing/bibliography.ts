/** What to cite: works.tsv says of which benchmark, model (by pattern) or source of weights each work is. */
import { benchmarkNameOf } from '../datasetRoles.ts'
import { nameMatcher, findModelRow } from '../../models/listing.ts'
import { readTsv } from '../../lib/archive/tsv.ts'

/** Authors as BibTeX writes them; `where` is the journal, the proceedings, or where a text or program is found. */
export type CitedWork = Record<
  'key' | 'of' | 'kind' | 'year' | 'where' | 'title' | 'authors',
  string
>

export interface Bibliography {
  /** The paper whose measures these are. */
  measures: CitedWork
  /** By data set and by model; without a work where none is known here. */
  datasets: Map<string, CitedWork | undefined>
  models: Map<string, CitedWork[]>
}

let catalogueOfWorks: CitedWork[] | undefined

/** What a run on these data sets with these models cites. */
export function bibliography(datasets: readonly string[], models: readonly string[]): Bibliography {
  catalogueOfWorks ??= readTsv(new URL('./works.tsv', import.meta.url))
  const all = catalogueOfWorks
  const about = (subject: string) => all.find(({ of }) => of.split(' ').includes(subject))
  return {
    measures: about('measures')!,
    datasets: new Map(datasets.map(name => [name, about(`data:${benchmarkNameOf(name)}`)])),
    models: new Map(models.map(name => [name, worksOnModel(name, all)])),
  }
}

/** Works on a model of the catalogue; one of its own has none that could be known here. */
function worksOnModel(name: string, all: readonly CitedWork[]): CitedWork[] {
  const row = findModelRow(name)
  if (!row) return []
  const fits = (pattern: string): boolean =>
    pattern.startsWith('source:')
      ? row.source === pattern.slice(7)
      : !pattern.startsWith('data:') && nameMatcher(pattern)(row.model)
  return all.filter(({ of }) => of.split(' ').some(fits))
}

/** Every work once, in the order of measures, data sets, models. */
export const allWorks = ({ measures, datasets, models }: Bibliography): CitedWork[] => [
  ...new Set([
    measures,
    ...[...datasets.values()].flatMap(work => work ?? []),
    ...[...models.values()].flat(),
  ]),
]

/** Data sets and models for which no work is known here. */
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
        `@${kind}{${key},\n  title = {{${title}}},\n  author = {${authors}},\n  ${venueField[kind]!} = {${where}},\n  year = {${year}}\n}`,
    )
    .join('\n\n')

/** `O. Russakovsky, J. Deng. ImageNet Large Scale …. International Journal of Computer Vision, 2015.` */
export function citationText({ authors, title, where, year }: CitedWork): string {
  const names = authors.split(' and ').map(name => {
    const [last, first] = name.split(', ') as [string, string | undefined]
    return first === undefined ? 'et al.' : `${first.replace(/(\p{L})[\p{L}.]*/gu, '$1.')} ${last}`
  })
  const list = names.join(', ').replace(/, et al\.$/, ' et al.')
  return `${list}${list.endsWith('.') ? '' : '.'} ${title}${/[?.]$/.test(title) ? '' : '.'} ${where}, ${year}.`
}
