/** Writes the methods section of a paper about a run: procedure, limitations, versions and references. */
import { countText } from '../../lib/table/text.ts'
import {
  copyNotes,
  datasetTitle,
  placeColumn,
  datasetRoles,
  syntheticNotes,
} from '../datasetRoles.ts'
import { zeroShotModels } from '../modelRoles.ts'
import { distinctFieldValues } from '../../results/storedEvaluations.ts'
import { countsNotes, differentImagesNotes, isOfCounts } from '../../results/schema.ts'
import { datasetNotes, type Run } from '../../results/run.ts'
import { stripControlCharacters, shortList } from '../../lib/table/text.ts'
import {
  allWorks,
  type Bibliography,
  bibliography,
  bibtexEntries,
  uncitedNames,
  type CitedWork,
} from './bibliography.ts'
import { modelWarnings } from '../../results/modelNotes.ts'
import { exclusionNotes } from '../../results/slices.ts'

/** The parts of a methods section. */
export interface MethodsSection {
  paragraph: string
  limitations: string[]
  bibliography: Bibliography
  /** One line for each model, data set and version of geogap, with its hashes. */
  versions: string[]
}

/** Describes how the results of a run were made. */
export function describeMethods(run: Run): MethodsSection {
  const cited = bibliography(
    distinctFieldValues(run.entries, 'dataset'),
    distinctFieldValues(run.entries, 'model'),
  )
  return {
    paragraph: methodsParagraph(run, cited),
    limitations: limitationSentences(run),
    bibliography: cited,
    versions: versionLines(run),
  }
}

function versionLines({ entries }: Run): string[] {
  const identities = entries.map(({ identity }) => identity)
  const days = entries.map(({ created }) => created.slice(0, 10)).sort()
  const span = days[0] === days.at(-1) ? days[0]! : `${days[0]!} to ${days.at(-1)!}`
  return unique([
    ...identities.map(
      ({ model, weights, preprocessing, steps }) =>
        `${model}: weights SHA-256 ${weights.join(' ') || 'not known'}; ${preprocessing} preprocessing, ${steps}`,
    ),
    ...identities.map(({ dataset, images, content, labelMap, choices }) => {
      const among = choices === 'all' ? 'all' : integerText(choices.split(' ').length)
      return `${dataset}: ${countText(images, 'image')}, content SHA-256 ${content}; label map ${labelMap}; ${among} classes to choose among`
    }),
    ...identities.flatMap(({ model, dataset, prompts }) =>
      prompts === '' ? [] : [`${model} on ${dataset}: texts SHA-256 ${prompts}`],
    ),
    ...identities.map(
      ({ version, runtime }) => `made by geogap ${version} with ${runtime}, ${span}`,
    ),
  ])
}

const unique = (values: readonly string[]): string[] => [...new Set(values)]
const integerText = (value: number): string => value.toLocaleString('en-US')

const citeCommand = (works: readonly CitedWork[]): string =>
  works.length === 0 ? '' : ` \\cite{${unique(works.map(({ key }) => key)).join(',')}}`

/** Largest number of names in a sentence. */
const maxNames = 5

function methodsParagraph(
  run: Run,
  { measures, datasets: citedDatasets, models: allModels }: Bibliography,
): string {
  const identities = run.entries
    .map(({ identity }) => identity)
    .filter(identity => !isOfCounts(identity))
  const measuresText = measuresSentences(run, measures)
  if (identities.length === 0)
    return `No model was run here: all results are counts by group that others published. ${measuresText}`
  const citedModels = new Map(
    [...allModels].filter(([model]) => identities.some(one => one.model === model)),
  )
  const datasets = [...citedDatasets].filter(([name]) =>
    identities.some(({ dataset }) => dataset === name),
  )
  const models = [...citedModels.keys()]
  const zeroShot = models.filter(model => zeroShotModels(run).has(model))
  const tools = unique(identities.map(({ version, runtime }) => `geogap ${version} (${runtime})`))
  const modes = unique(identities.map(({ preprocessing }) => preprocessing))
  const named = datasets.map(([name, work]) => {
    const images = Math.max(
      ...identities.filter(({ dataset }) => dataset === name).map(each => each.images),
    )
    return `${name} (${countText(images, 'image')})${citeCommand(work ? [work] : [])}`
  })
  const which = models.length > maxNames ? '' : ` (${models.join(', ')})`
  const how =
    modes.length > 1
      ? "both with each model's own preprocessing and with one recipe for all"
      : modes[0] === 'native'
        ? "with each model's own preprocessing"
        : 'with one preprocessing for all models (resize to 256, center crop of 224)'
  const shot =
    zeroShot.length === 0
      ? ''
      : ` ${countText(zeroShot.length, 'model')} of them ${zeroShot.length === 1 ? 'was' : 'were'} used zero-shot, with the data set's own class names as texts.`
  return (
    `We evaluated ${countText(models.length, 'model')}${which}${citeCommand([...citedModels.values()].flat())} on ${named.join(', ')} with ${tools.join(' and ')}, ${how}.${shot} ` +
    measuresText
  )
}

/** Returns how accuracy, disparity and rates are defined. */
function measuresSentences(run: Run, measures: CitedWork): string {
  const { reference } = datasetRoles(run)
  const rate =
    reference === null
      ? ''
      : `, and the progress rate is the slope of the least-squares line of a data set's accuracy on that on ${datasetTitle(reference)}`
  return (
    `Accuracy is top-1, the mean over images, with 95 % Wilson score intervals (no narrower than exact ones near 0 and 1${householdDatasets(run).length > 0 ? "; for the number of independent images that would vary as much as the households' images" : ''}); images that could not be read are in no accuracy. Each interval is of its value alone, not adjusted for how many are shown. ` +
    `Geographic disparity is the largest difference of accuracy between groups of at least 30 images${rate}, as defined by Richards et al.${citeCommand([measures])}.`
  )
}

function limitationSentences(run: Run): string[] {
  const found: string[] = []
  const errors = run.accuracy().reduce((sum, row) => sum + row.errors, 0)
  const unscored = run.cells.reduce((sum, cell) => sum + cell.unscored, 0)
  const partial = run.entries.filter(({ rows, identity }) => rows < identity.images)
  found.push(...syntheticNotes(run), ...exclusionNotes(run.entries))
  found.push(
    ...[
      ...modelWarnings(run),
      ...datasetNotes(run),
      ...copyNotes(run, datasetRoles(run)),
      ...differentImagesNotes(run.entries),
      ...countsNotes(run.entries),
    ].map(text => `${text}.`),
  )
  if (errors > 0)
    found.push(`${countText(errors, 'prediction')} could not be made and count in no accuracy.`)
  if (unscored > 0)
    found.push(
      `${countText(unscored, 'prediction')} are of images whose class the model cannot name, and count in no accuracy.`,
    )
  if (partial.length > 0)
    found.push(
      `${countText(partial.length, 'evaluation')} ${partial.length === 1 ? 'is' : 'are'} not complete.`,
    )
  if (run.failures.length > 0)
    found.push(
      `${countText(run.failures.length, 'evaluation')} failed: ${unique(run.failures.map(each => each.model)).join(', ')}.`,
    )
  for (const dataset of datasetRoles(run).geographic)
    found.push(...geographicLimitations(run, dataset))
  const housed = householdDatasets(run)
  if (housed.length > 0)
    found.push(
      `Images of one household are not independent: intervals on ${housed.join(', ')} are over households, and a group whose images are all or mostly of one household has none.`,
    )
  if (datasetRoles(run).reference === null)
    found.push('No standard benchmark was evaluated, so there is no progress rate.')
  found.push(
    'Where a photograph was taken is not the only thing that differs between groups: objects, incomes, cameras and photographers do too.',
  )
  return found
}

/** Returns the names of the data sets whose images come in households. */
const householdDatasets = ({ entries, households }: Run): string[] =>
  unique(entries.filter(({ key }) => households.has(key)).map(({ identity }) => identity.dataset))

function sizeRangeText(sizes: readonly number[]): string {
  const least = Math.min(...sizes)
  const most = Math.max(...sizes)
  return least === most ? integerText(least) : `${integerText(least)} to ${integerText(most)}`
}

function geographicLimitations(run: Run, dataset: string): string[] {
  const by = placeColumn(run, dataset)!
  const places = new Map<string, number>()
  for (const { group, n } of run.accuracy({ by, dataset }))
    places.set(group, Math.max(n, places.get(group) ?? 0))
  const small = [...places].filter(([, n]) => n < 30)
  const sizes = [...places.values()]
  return [
    `${dataset} has ${countText(places.size, by === 'country' ? 'place' : 'region')}, of ${sizeRangeText(sizes)} images with an outcome.`,
    ...(small.length > 0
      ? [
          `On ${dataset} ${small.map(([name, n]) => `${name} (${n})`).join(', ')} had fewer than 30 images and no part in the disparity.`,
        ]
      : []),
  ]
}

/** Returns a sentence that names the data sets and models without a known publication. */
export function uncitedNotes(bibliography: Bibliography): string[] {
  const names = uncitedNames(bibliography)
  return names.length === 0
    ? []
    : [`No publication is known here for ${shortList(names, maxNames)}.`]
}

/** Formats a methods section as Markdown. */
export function methodsText({
  paragraph,
  limitations,
  bibliography,
  versions,
}: MethodsSection): string {
  const listed = (texts: readonly string[]): string[] =>
    texts.map(text => `- ${stripControlCharacters(text)}`)
  return [
    '## Methods',
    '',
    stripControlCharacters(paragraph),
    '',
    '## Limitations of this run',
    '',
    ...listed(limitations),
    '',
    '## Versions',
    '',
    ...listed(versions),
    '',
    '## BibTeX',
    '',
    '```bibtex',
    bibtexEntries(allWorks(bibliography)),
    '```',
    '',
    ...uncitedNotes(bibliography).flatMap(text => [stripControlCharacters(text), '']),
  ].join('\n')
}
