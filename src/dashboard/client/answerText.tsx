import { withUnbrokenSpaces } from '../../lib/table/text.ts'
import { findingSentence, placeSentence } from '../../analysis/answerSentences.ts'
import { type ScreenProps } from './choice.ts'
import { Name, nameOf } from './parts.tsx'

/** The answer in words, its percentages and points in bold. */
export function AnswerText(props: ScreenProps) {
  const [first, ...rest] = answerSentences(props).split(props.choice.model)
  return (
    <p class="answer">
      <Strong text={first!} />
      {rest.length > 0 && <Name text={props.choice.model} />}
      <Strong text={rest.join(props.choice.model)} />
    </p>
  )
}

const Strong = ({ text }: { text: string }) => (
  <>
    {text
      .split(/(?<![(\d.])(\d+\.\d (?:%|points))/)
      .map((part, i) =>
        i % 2 === 1 ? (
          <strong key={i}>{withUnbrokenSpaces(part)}</strong>
        ) : (
          withUnbrokenSpaces(part)
        ),
      )}
  </>
)

function answerSentences({ overview, choice, screen }: ScreenProps): string {
  const { model, dataset, filter } = choice
  const { chosen, everywhere, disparity } = screen
  const { region, country, ...rest } = filter
  const within = Object.values(rest).map(value => nameOf(overview.names, value))
  const title = within.length > 0 ? `${dataset.title} (${within.join(', ')})` : dataset.title
  const overall = { ...chosen, of: null }
  const progress = dataset.progress?.sentence ?? ''
  const place = country ?? region
  if (place !== undefined)
    return `${placeSentence({ model, title, place: nameOf(overview.names, place), overall, everywhere: everywhere.top1 })} ${progress}`
  const placeOf = (group: string | null, top1: number | null) =>
    group === null ? null : { group: nameOf(overview.names, group), top1 }
  const sentence = findingSentence({
    model,
    title,
    overall,
    models: dataset.models.length,
    isBest: dataset.finding?.best === model && within.length === 0,
    best: placeOf(disparity?.best ?? null, disparity?.bestAccuracy ?? null),
    worst: placeOf(disparity?.worst ?? null, disparity?.worstAccuracy ?? null),
    disparity: disparity
      ? { ...disparity, warning: null }
      : { disparity: null, interval: null, p: null, reason: 'no image has a place', warning: null },
  })
  return `${sentence} ${progress}`
}
