import { mean } from '../../metrics/numbers.ts'
import { fitLine } from '../../metrics/regression.ts'
import { panelLine } from '../../report/figures/linePanel.ts'
import { type ProgressRow } from '../../report/figures/progress.ts'
import { findMarked } from '../marks.ts'
import { type DatasetFact, type Overview, type ProgressFact, type ScatterRow } from '../views.ts'
import { choiceQuery, type ScreenProps } from './choice.ts'
import { Figure } from './figure.tsx'
import { nameOf, WhenLoaded } from './parts.tsx'
import { linkTo } from './route.ts'
import { useView } from './useView.ts'

type ProgressProps = Omit<ScreenProps, 'screen'>

/** Every model on a standard benchmark and here, the chosen one marked; under a filter, on its images. */
export function ProgressFigure(props: ProgressProps) {
  const { overview, choice } = props
  const { dataset } = choice
  const { progress } = dataset
  if (!progress) return null
  const title = overview.datasets.find(({ dataset }) => dataset === progress.reference)?.title
  return (
    <section class="progress" aria-labelledby="progress-title">
      <h2 id="progress-title">Progress</h2>
      {Object.keys(choice.filter).length === 0 ? (
        <ProgressDrawing {...props} progress={progress} reference={title ?? ''} />
      ) : (
        <FilteredProgress {...props} progress={progress} reference={title ?? ''} />
      )}
    </section>
  )
}

interface DrawingProps extends ProgressProps {
  progress: ProgressFact
  /** Title of the data set of the x axis. */
  reference: string
  /** Accuracies on the images of a filter, which replace those on all images. */
  filtered?: readonly ScatterRow[] | undefined
}

function FilteredProgress(props: DrawingProps) {
  const { overview, choice, progress } = props
  const x = overview.datasets.find(
    ({ dataset, preprocessing }) =>
      dataset === progress.reference && preprocessing === choice.dataset.preprocessing,
  )
  const view = useView('scatter', {
    x: x?.name ?? '',
    y: choice.dataset.name,
    ...choice.filter,
  })
  return <WhenLoaded of={view}>{rows => <ProgressDrawing {...props} filtered={rows} />}</WhenLoaded>
}

function ProgressDrawing({ overview, choice, progress, reference, filtered }: DrawingProps) {
  const { model, dataset, filter } = choice
  const rows = progressRows(overview, { dataset, progress, filtered })
  const where = Object.values(filter).map(value => nameOf(overview.names, value))
  const names = { reference, geographic: [dataset.title, ...where].join(', '), model }
  const lines = filtered ? { ...progress.lines, geographic: geographicLine(rows) } : progress.lines
  if (rows.length < 2) return <p>Too few models have images of this choice.</p>
  return (
    <Figure
      id={JSON.stringify([names, rows.length, lines])}
      label={`Accuracy of ${rows.length} models on ${progress.standard.title} and on ${names.geographic} against ${reference}`}
      caption={`Each point is a model, on ${progress.standard.title} (blue) and ${names.geographic} (orange); the circle marks ${model}. Lines are least squares${rows.some(({ fitted }) => !fitted) ? ' over the filled points' : ''}. A click opens a model.`}
      drawing={width => [
        'progress',
        [[{ title: progress.standard.title, rows, lines }], names, width],
      ]}
      onPick={about => {
        const row = findMarked(about, rows, ({ model }) => `${model}, `)
        if (row) location.hash = linkTo('', choiceQuery({ ...choice, model: row.model }))
      }}
    />
  )
}

interface ProgressRowsOptions extends Pick<DrawingProps, 'progress' | 'filtered'> {
  dataset: DatasetFact
}

function progressRows(
  { datasets }: Overview,
  { dataset: own, progress: { reference, standard, models }, filtered }: ProgressRowsOptions,
): ProgressRow[] {
  const alike = datasets.filter(({ preprocessing }) => preprocessing === own.preprocessing)
  const accuracies = (name: string): ReadonlyMap<string, number> =>
    accuraciesOf(alike.find(({ dataset }) => dataset === name))
  const x = accuracies(reference)
  const ys = standard.datasets.map(accuracies)
  const here = filtered
    ? new Map(
        filtered.flatMap(({ model, y }): [string, number][] =>
          y.top1 === null ? [] : [[model, 100 * y.top1]],
        ),
      )
    : accuraciesOf(own)
  return [...here].flatMap(([model, geographic]) => {
    const at = x.get(model)
    const others = ys.flatMap(y => y.get(model) ?? [])
    if (at === undefined || others.length < ys.length) return []
    return [
      {
        panel: standard.title,
        model,
        reference: at,
        standard: mean(others),
        geographic,
        fitted: models.includes(model),
      },
    ]
  })
}

/** Returns each model's accuracy in percent. */
const accuraciesOf = (dataset: DatasetFact | undefined): ReadonlyMap<string, number> =>
  new Map(
    dataset?.models.flatMap((model, i): [string, number][] => {
      const [n, hits] = [dataset.totals.n[i]!, dataset.totals.top1[i]!]
      return n > 0 ? [[model, (100 * hits) / n]] : []
    }) ?? [],
  )

function geographicLine(rows: readonly ProgressRow[]) {
  const fitted = rows.filter(row => row.fitted)
  return panelLine(
    fitLine(
      fitted.map(({ reference }) => reference / 100),
      fitted.map(({ geographic }) => geographic / 100),
    ),
  )
}
