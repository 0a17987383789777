/** What a paper has to say about a run: how, with what, and what the numbers do not carry. */
import { count } from '../../lib/table/text.ts'
import { datasetTitle, placeColumn, rolesOf } from '../roles.ts'
import { distinct } from '../../results/store.ts'
import { isDraft } from '../../lib/pixels/steps.ts'
import { datasetNotes, type Run } from '../../results/run.ts'
import { printable, shortList } from '../../lib/table/text.ts'
import { allWorks, type Bibliography, bibliography, bibtex, uncited, type Work } from './bibliography.ts'
import { excludedNotes } from '../../results/slices.ts'

export interface Methods {
  paragraph: string
  limitations: string[]
  bibliography: Bibliography
  /** Every version and hash, a line each: models, data sets, and by what and when. */
  versions: string[]
}

export function methods(run: Run): Methods {
  const cited = bibliography(distinct(run.entries, 'dataset'), distinct(run.entries, 'model'))
  return {
    paragraph: paragraph(run, cited),
    limitations: limitations(run),
    bibliography: cited,
    versions: versions(run),
  }
}

function versions({ entries }: Run): string[] {
  const identities = entries.map(({ identity }) => identity)
  const days = entries.map(({ created }) => created.slice(0, 10)).sort()
  const span = days[0] === days.at(-1) ? days[0]! : `${days[0]!} to ${days.at(-1)!}`
  return unique([
    ...identities.map(
      ({ model, weights, preprocessing, steps }) =>
        `${model}: weights SHA-256 ${weights.join(' ') || 'not known'}; ${preprocessing} preprocessing, ${steps}`,
    ),
    ...identities.map(({ dataset, images, content, labelMap, choices }) => {
      const among = choices === 'all' ? 'all' : number(choices.split(' ').length)
      return `${dataset}: ${count(images, 'image')}, content SHA-256 ${content}; label map ${labelMap}; ${among} classes to choose among`
    }),
    ...identities.flatMap(({ model, dataset, prompts }) =>
      prompts === '' ? [] : [`${model} on ${dataset}: texts SHA-256 ${prompts}`],
    ),
    ...identities.map(({ version, runtime }) => `made by geogap ${version} with ${runtime}, ${span}`),
  ])
}

const unique = (values: readonly string[]): string[] => [...new Set(values)]
const number = (value: number): string => value.toLocaleString('en-US')

const cite = (works: readonly Work[]): string =>
  works.length === 0 ? '' : ` \\cite{${unique(works.map(({ key }) => key)).join(',')}}`

/** More are not named in a sentence. */
const fewNames = 5

function paragraph(run: Run, { measures, datasets, models: citedModels }: Bibliography): string {
  const identities = run.entries.map(({ identity }) => identity)
  const models = [...citedModels.keys()]
  const zeroShot = unique(identities.filter(({ prompts }) => prompts !== '').map(({ model }) => model))
  const tools = unique(identities.map(({ version, runtime }) => `geogap ${version} (${runtime})`))
  const modes = unique(identities.map(({ preprocessing }) => preprocessing.replace('-draft', '')))
  const drafts = identities.some(({ preprocessing }) => isDraft(preprocessing))
    ? '; results named draft had large images reduced to means of squares of at most 8 x 8 pixels before resizing'
    : ''
  const named = [...datasets].map(([name, work]) => {
    const images = Math.max(...identities.filter(({ dataset }) => dataset === name).map(each => each.images))
    return `${name} (${count(images, 'image')})${cite(work ? [work] : [])}`
  })
  const which = models.length > fewNames ? '' : ` (${models.join(', ')})`
  const how =
    modes.length > 1
      ? "both with each model's own preprocessing and with one recipe for all"
      : modes[0] === 'native'
        ? "with each model's own preprocessing"
        : 'with one preprocessing for all models (resize to 256, center crop of 224)'
  const { reference } = rolesOf(run)
  const rate =
    reference === null
      ? ''
      : `, and the progress rate is the slope of the least-squares line of a data set's accuracy on that on ${datasetTitle(reference)}`
  const shot =
    zeroShot.length === 0
      ? ''
      : ` ${count(zeroShot.length, 'model')} of them ${zeroShot.length === 1 ? 'was' : 'were'} used zero-shot, with the data set's own class names as texts.`
  return (
    `We evaluated ${count(models.length, 'model')}${which}${cite([...citedModels.values()].flat())} on ${named.join(', ')} with ${tools.join(' and ')}, ${how}${drafts}.${shot} ` +
    `Accuracy is top-1, the mean over images, with 95 % Wilson score intervals; images that could not be read are in no accuracy. ` +
    `Geographic disparity is the largest difference of accuracy between groups of at least 30 images${rate}, as defined by Richards et al.${cite([measures])}.`
  )
}

function limitations(run: Run): string[] {
  const found: string[] = []
  const errors = run.accuracy().reduce((sum, row) => sum + row.errors, 0)
  const unscored = run.cells.reduce((sum, cell) => sum + cell.unscored, 0)
  const partial = run.entries.filter(({ rows, identity }) => rows < identity.images)
  const [madeUp] = [...run.datasets.values()].flatMap(note => note.madeUp ?? [])
  if (madeUp !== undefined) found.push(madeUp)
  found.push(...excludedNotes(run.entries))
  found.push(...datasetNotes(run).map(text => `${text}.`))
  if (errors > 0) found.push(`${count(errors, 'prediction')} could not be made and count in no accuracy.`)
  if (unscored > 0)
    found.push(
      `${count(unscored, 'prediction')} are of images whose class the model cannot name, and count in no accuracy.`,
    )
  if (partial.length > 0)
    found.push(`${count(partial.length, 'evaluation')} ${partial.length === 1 ? 'is' : 'are'} not complete.`)
  if (run.failures.length > 0)
    found.push(
      `${count(run.failures.length, 'evaluation')} failed: ${unique(run.failures.map(each => each.model)).join(', ')}.`,
    )
  for (const dataset of rolesOf(run).geographic) found.push(...geographic(run, dataset))
  if (run.columns.includes('household'))
    found.push(
      'Images of one household are not independent; Wilson intervals take them as if they were, and are too narrow.',
    )
  if (rolesOf(run).reference === null) found.push('No standard benchmark was evaluated, so there is no progress rate.')
  found.push(
    'Where a photograph was taken is not the only thing that differs between groups: objects, incomes, cameras and photographers do too.',
  )
  return found
}

function range(sizes: readonly number[]): string {
  const [least, most] = [Math.min(...sizes), Math.max(...sizes)]
  return least === most ? number(least) : `${number(least)} to ${number(most)}`
}

function geographic(run: Run, dataset: string): string[] {
  const by = placeColumn(run, dataset)!
  const places = new Map<string, number>()
  for (const { group, n } of run.accuracy({ by, dataset })) places.set(group, Math.max(n, places.get(group) ?? 0))
  const small = [...places].filter(([, n]) => n < 30)
  const sizes = [...places.values()]
  return [
    `${dataset} has ${count(places.size, by === 'country' ? 'place' : 'region')}, of ${range(sizes)} images with an outcome.`,
    ...(small.length > 0
      ? [
          `On ${dataset} ${small.map(([name, n]) => `${name} (${n})`).join(', ')} had fewer than 30 images and no part in the disparity.`,
        ]
      : []),
  ]
}

/** Data sets and models of which no publication is known here, in a sentence. */
export function uncitedNotes(bibliography: Bibliography): string[] {
  const names = uncited(bibliography)
  return names.length === 0 ? [] : [`No publication is known here for ${shortList(names, fewNames)}.`]
}

/** As Markdown: paragraph, limitations, versions, BibTeX. */
export function methodsText({ paragraph, limitations, bibliography, versions }: Methods): string {
  const listed = (texts: readonly string[]): string[] => texts.map(text => `- ${printable(text)}`)
  return [
    ...['## Methods', '', printable(paragraph), '', '## Limitations of this run', '', ...listed(limitations), ''],
    ...['## Versions', '', ...listed(versions), ''],
    ...['## BibTeX', '', '```bibtex', bibtex(allWorks(bibliography)), '```', ''],
    ...uncitedNotes(bibliography).flatMap(text => [printable(text), '']),
  ].join('\n')
}
