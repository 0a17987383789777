/** What a paper has to say about a run: how, with what, and what the numbers do not carry. */
import { placeColumn, rolesOf } from '../figures/roles.ts'
import { type Run } from '../run.ts'
import { bibtex, citeKey } from './bibliography.ts'
import { excludedNotes } from './sides.ts'

export interface Methods {
  paragraph: string
  limitations: string[]
  bibtex: string
  /** One line a model × data set: every version and hash. */
  versions: {
    model: string
    dataset: string
    weights: string
    content: string
    labelMap: string
    steps: string
    made: string
  }[]
}

export function methods(run: Run): Methods {
  const datasets = unique(run.entries.map(({ identity }) => identity.dataset))
  return {
    paragraph: paragraph(run, datasets),
    limitations: limitations(run),
    bibtex: bibtex(datasets),
    versions: run.entries.map(({ identity, created }) => ({
      ...{ model: identity.model, dataset: identity.dataset, labelMap: identity.labelMap, steps: identity.steps },
      weights: identity.weights.join(' '),
      content: identity.content,
      made: `${created.slice(0, 10)}, geogap ${identity.version}, ${identity.runtime}, ${identity.preprocessing} preprocessing`,
    })),
  }
}

const unique = (values: readonly string[]): string[] => [...new Set(values)]
const number = (value: number): string => value.toLocaleString('en-US')
const many = (n: number, what: string): string => `${number(n)} ${what}${n === 1 ? '' : 's'}`

function paragraph(run: Run, datasets: readonly string[]): string {
  const identities = run.entries.map(({ identity }) => identity)
  const models = unique(identities.map(({ model }) => model))
  const zeroShot = unique(identities.filter(({ prompts }) => prompts !== '').map(({ model }) => model))
  const tools = unique(identities.map(({ version, runtime }) => `geogap ${version} with ${runtime}`))
  const modes = unique(identities.map(({ preprocessing }) => preprocessing))
  const named = datasets.map(name => {
    const key = citeKey(name)
    const images = Math.max(...identities.filter(({ dataset }) => dataset === name).map(each => each.images))
    return `${name} (${many(images, 'image')})${key === undefined ? '' : ` \\cite{${key}}`}`
  })
  const how =
    modes.length > 1
      ? "both with each model's own preprocessing and with one recipe for all"
      : modes[0] === 'native'
        ? "with each model's own preprocessing"
        : 'with one preprocessing for all models (resize to 256, center crop of 224)'
  const shot =
    zeroShot.length === 0
      ? ''
      : ` ${many(zeroShot.length, 'model')} of them ${zeroShot.length === 1 ? 'was' : 'were'} used zero-shot, with the data set's own class names as texts.`
  return (
    `We evaluated ${many(models.length, 'model')} on ${named.join(', ')} with ${tools.join(' and ')}, ${how}.${shot} ` +
    `Accuracy is top-1, the mean over images, with 95 % Wilson score intervals; images that could not be read are in no accuracy. ` +
    `Geographic disparity is the largest difference of accuracy between groups of at least 30 images, and the progress rate is the slope of the least-squares line of a benchmark's accuracy on ImageNet accuracy, as defined by Richards et al. \\cite{richards2024progress}.`
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
  if (errors > 0) found.push(`${many(errors, 'prediction')} could not be made and count in no accuracy.`)
  if (unscored > 0)
    found.push(
      `${many(unscored, 'prediction')} are of images whose class the model cannot name, and count in no accuracy.`,
    )
  if (partial.length > 0) found.push(`${many(partial.length, 'evaluation')} is not complete.`.replace('s is', 's are'))
  if (run.failures.length > 0)
    found.push(
      `${many(run.failures.length, 'evaluation')} failed: ${unique(run.failures.map(each => each.model)).join(', ')}.`,
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

function geographic(run: Run, dataset: string): string[] {
  const by = placeColumn(run, dataset)!
  const places = new Map<string, number>()
  for (const { group, n } of run.accuracy({ by, dataset })) places.set(group, Math.max(n, places.get(group) ?? 0))
  const small = [...places].filter(([, n]) => n < 30)
  const sizes = [...places.values()]
  return [
    `${dataset} has ${many(places.size, by === 'country' ? 'place' : 'region')}, of ${number(Math.min(...sizes))} to ${number(Math.max(...sizes))} images with an outcome.`,
    ...(small.length > 0
      ? [
          `On ${dataset} ${small.map(([name, n]) => `${name} (${n})`).join(', ')} had fewer than 30 images and no part in the disparity.`,
        ]
      : []),
  ]
}

/** As Markdown: paragraph, limitations, versions, BibTeX. */
export function methodsText({ paragraph, limitations, bibtex, versions }: Methods): string {
  const lines = versions.map(
    ({ model, dataset, weights, content, labelMap, steps, made }) =>
      `- ${model} on ${dataset}: weights SHA-256 ${weights}; content SHA-256 ${content}; label map ${labelMap}; ${steps}; ${made}`,
  )
  return [
    ...['## Methods', '', paragraph, '', '## Limitations of this run', '', ...limitations.map(text => `- ${text}`), ''],
    ...['## Versions', '', ...lines, '', '## BibTeX', '', '```bibtex', bibtex, '```', ''],
  ].join('\n')
}
