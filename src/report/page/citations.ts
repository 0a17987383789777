import { benchmarks } from '../../datasets/benchmarks/index.ts'
import {
  allWorks,
  type Bibliography,
  bibtexEntries,
  citationText,
} from '../../analysis/citing/bibliography.ts'
import { uncitedNotes } from '../../analysis/citing/methods.ts'
import { benchmarkNameOf } from '../../analysis/datasetRoles.ts'
import { markup, type Markup, trustMarkup } from './markup.ts'

/** Returns what to cite: the paper that defined the measures, the benchmarks with their terms, and the models. */
export function citationsSection(cited: Bibliography): Markup {
  const { measures, datasets, models } = cited
  const known = [
    ...new Set([...datasets].flatMap(([name, work]) => (work ? [benchmarkNameOf(name)] : []))),
  ]
  const items = benchmarks
    .filter(({ name }) => known.includes(name))
    .map(({ name, title, terms, source }) => {
      const work = [...datasets].find(([dataset]) => benchmarkNameOf(dataset) === name)![1]!
      return markup`<li><strong>${title}.</strong> ${citationText(work)} Terms: ${terms}. ${source}</li> `
    })
  const ofModels = [...new Set([...models.values()].flat())]
  return markup`<ul>
    <li><strong>The measures.</strong> ${citationText(measures)}</li>
    ${items}
    ${ofModels.map(work => markup`<li><strong>Models.</strong> ${citationText(work)}</li> `)}
    </ul>
    ${uncitedNotes(cited).map(text => markup`<p>${text}</p>`)}
    <h3>BibTeX</h3>
    <pre class="scroll" tabindex="0" role="region" aria-label="BibTeX">${bibtexEntries(
      allWorks(cited),
    )
      .split('\n')
      .map(line => [line, trustMarkup('\n')])}</pre> `
}
