import { benchmarks } from '../../datasets/benchmarks/benchmarks.ts'
import { allWorks, type Bibliography, bibtex, reference } from '../../analysis/citing/bibliography.ts'
import { uncitedNotes } from '../../analysis/citing/methods.ts'
import { benchmarkOf } from '../../analysis/roles.ts'
import { markup, type Markup, trusted } from './markup.ts'

/** What to cite: the paper whose measures these are, the benchmarks with their terms, the models. */
export function citations(cited: Bibliography): Markup {
  const { measures, datasets, models } = cited
  const known = [...new Set([...datasets].flatMap(([name, work]) => (work ? [benchmarkOf(name)] : [])))]
  const items = benchmarks
    .filter(({ name }) => known.includes(name))
    .map(({ name, title, terms, source }) => {
      const work = [...datasets].find(([dataset]) => benchmarkOf(dataset) === name)![1]!
      return markup`<li><strong>${title}.</strong> ${reference(work)} Terms: ${terms}. ${source}</li> `
    })
  const ofModels = [...new Set([...models.values()].flat())]
  return markup`<ul>
    <li><strong>The measures.</strong> ${reference(measures)}</li>
    ${items}
    ${ofModels.map(work => markup`<li><strong>Models.</strong> ${reference(work)}</li> `)}
    </ul>
    ${uncitedNotes(cited).map(text => markup`<p>${text}</p>`)}
    <h3>BibTeX</h3>
    <pre class="scroll" tabindex="0" role="region" aria-label="BibTeX">${bibtex(allWorks(cited))
      .split('\n')
      .map(line => [line, trusted('\n')])}</pre> `
}
