/** Prints a run's first screen: sentence, places as bars with their intervals, progress as sparks. */
import {
  type FirstScreen,
  type PlaceAccuracy,
  type ProgressSeries,
} from '../../analysis/firstScreen.ts'
import { isBeyondChance } from '../../analysis/answerSentences.ts'
import { groupList, percent, percentRange, stripControlCharacters } from '../../lib/table/text.ts'
import { padText, shortenText, textWidth, wrapWords } from '../../lib/table/wrapText.ts'

/** The terminal that the screen is for. */
export interface ScreenStyle {
  /** In columns. */
  width: number
  color: boolean
}

/** More places than this are shown by the best and the worst half of as many. */
const maxPlaces = 16
const narrowestBar = 10
const widestBar = 50

/** Returns the first screen as text of at most `width` columns. */
export function firstScreenText(screen: FirstScreen, style: ScreenStyle): string {
  const { sentence, finding, others, small, preprocessing } = screen
  const notes = [
    ...screen.notes,
    ...(finding && small.length > 0 ? [`too few images to compare: ${groupList(small, 6)}`] : []),
    ...(preprocessing.others.length > 0
      ? [
          `results with ${preprocessing.shown} preprocessing; there are others with ${preprocessing.others.join(' and ')} (--preprocessing ${preprocessing.others[0]!})`,
        ]
      : []),
    ...(others.length > 0 ? [`also with places: ${others.join(', ')} (--dataset NAME)`] : []),
  ]
  const parts = [
    wrapWords(stripControlCharacters(sentence), style.width),
    ...(finding && screen.places.length > 0 ? [placeLines(screen, style)] : []),
    ...(screen.progress ? [progressLines(screen.progress, style)] : []),
    ...(notes.length > 0
      ? [notes.flatMap(note => wrapWords(stripControlCharacters(note), style.width))]
      : []),
  ]
  return `${parts.map(lines => lines.join('\n')).join('\n\n')}\n`
}

function placeLines({ places, finding }: FirstScreen, { width, color }: ScreenStyle): string[] {
  const half = maxPlaces / 2
  const isLong = places.length > maxPlaces
  const shown = isLong ? [...places.slice(0, half), ...places.slice(-half)] : places
  const names = shown.map(({ place }) => stripControlCharacters(place))
  const facts = shown.map(placeFacts)
  const room = width - Math.max(...facts.map(textWidth)) - 4
  const nameWidth = Math.min(24, Math.max(...names.map(textWidth)), room - narrowestBar)
  const bar = Math.min(widestBar, room - nameWidth)
  const isShown = isBeyondChance(finding!.disparity)
  const lines = shown.map((place, i) => {
    const end = i === 0 ? colors.best : i === shown.length - 1 ? colors.worst : null
    const drawn = barText(place, bar)
    // A colour says that best and worst can be told apart.
    const painted = color && isShown && end !== null ? `${end}${drawn}${colors.none}` : drawn
    return `${padText(shortenText(names[i]!, nameWidth), nameWidth, false)}  ${painted}  ${facts[i]!}`.trimEnd()
  })
  if (isLong) {
    const left = places.length - maxPlaces
    lines.splice(half, 0, `… ${left} more: geogap table DIR --by ${finding!.by}`)
  }
  const head = `top-1 accuracy by ${finding!.by}, ${finding!.title}; shaded: 95 % interval`
  return [...wrapWords(stripControlCharacters(head), width), ...lines]
}

const placeFacts = ({ accuracy, interval, n }: PlaceAccuracy): string =>
  `${percent(accuracy).padStart(5)} %${interval ? `  ${percentRange(...interval)}` : ''}  n ${n}`

const colors = { best: '\u001b[34m', worst: '\u001b[33m', none: '\u001b[39m' }

/** A bar from 0 to 100 % whose interval is shaded. */
function barText({ accuracy, interval }: PlaceAccuracy, width: number): string {
  const [low, high] = interval ?? [accuracy, accuracy]
  const cell = (share: number): number => Math.round(share * width)
  const [from, at, to] = [cell(low), cell(accuracy), Math.max(cell(accuracy), cell(high))]
  return `${'█'.repeat(from)}${'▓'.repeat(at - from)}${'▒'.repeat(to - at)}${'·'.repeat(width - to)}`
}

function progressLines(
  { reference, models, series }: NonNullable<FirstScreen['progress']>,
  { width }: ScreenStyle,
): string[] {
  const all = series.flatMap(({ accuracies }) => accuracies)
  const range = [Math.min(...all), Math.max(...all)] as const
  const names = series.map(({ title }) => stripControlCharacters(title))
  const points = series[0]!.accuracies.length
  const nameWidth = Math.min(28, Math.max(...names.map(textWidth)), width - points - 19)
  const head = `${models} models from the worst to the best on ${stripControlCharacters(reference)}, on one scale:`
  return [
    ...wrapWords(head, width),
    ...series.map(
      (one, i) =>
        `${padText(shortenText(names[i]!, nameWidth), nameWidth, false)}  ${sparkText(one, range)}  ${percent(one.accuracies[0]!)} to ${percent(one.accuracies.at(-1)!)} %`,
    ),
  ]
}

const steps = '▁▂▃▄▅▆▇█'

function sparkText({ accuracies }: ProgressSeries, [low, high]: readonly [number, number]): string {
  const step = (value: number): number =>
    high > low ? Math.min(7, Math.floor((8 * (value - low)) / (high - low))) : 0
  return accuracies.map(value => steps[step(value)]!).join('')
}
