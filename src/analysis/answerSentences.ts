/** Says the accuracy of a model and its disparity in words, for the terminal, the dashboard and the report. */
import { countText, pEquation, percent } from '../lib/table/text.ts'
import { bracketedInterval, inPoints, signedText } from '../lib/table/values.ts'
import { type GroupAccuracyRow } from '../results/run.ts'
import { type InferenceRow } from './inferDisparities.ts'

/** An accuracy on some of a data set's images. */
type AnswerAccuracy = Pick<GroupAccuracyRow, 'n' | 'of' | 'top1'>
type PlaceAccuracy = Pick<GroupAccuracyRow, 'group' | 'top1'> & { n?: number | undefined }

/** The numbers that `findingSentence` says. */
export interface FindingFacts {
  model: string
  title: string
  /** Over all models. */
  models: number
  /** Whether no other model is more accurate on the data set. */
  isBest: boolean
  overall: AnswerAccuracy
  best: PlaceAccuracy | null
  worst: PlaceAccuracy | null
  disparity: DisparityFacts
}

type DisparityFacts = Pick<InferenceRow, 'disparity' | 'interval' | 'p' | 'reason' | 'warning'>

/** Returns the sentences on the accuracy of a model and on its disparity. */
export function findingSentence(finding: FindingFacts): string {
  const { model, models, isBest, title, overall, best, worst, disparity } = finding
  const who =
    models > 1
      ? `${model}, ${isBest ? 'the best' : 'one'} of ${countText(models, 'model')},`
      : model
  if (overall.top1 === null) return `${who} has no prediction for an image of ${title}.`
  const start = `${who} gets ${percent(overall.top1)} % of ${imagesText(overall)} of ${title} right`
  if (!best || !worst || disparity.disparity === null)
    return `${start}; where it is best and worst cannot be told: ${disparity.reason ?? 'no group has enough images'}.`
  // Of equal accuracies none is the best.
  if (best.top1 === worst.top1)
    return `${start}, and as many in every group of enough images: a disparity of 0.0 points${disparityText(disparity)}.`
  const places = `best in ${placeText(best)} and worst in ${placeText(worst)}`
  const warning = disparity.warning === null ? '' : ` Read it with care: ${disparity.warning}.`
  return `${start}, ${places}: a disparity of ${percent(disparity.disparity)} points${disparityText(disparity)}.${warning}`
}

/** Groups of fewer images are named with their number. */
const fewImages = 100

const placeText = ({ group, n, top1 }: PlaceAccuracy): string =>
  `${group} (${percent(top1)} %${n !== undefined && n < fewImages ? ` of ${n} images` : ''})`

/** The accuracies of a model in one place and in all. */
export interface PlaceFacts {
  model: string
  title: string
  place: string
  overall: AnswerAccuracy & { low: number | null; high: number | null }
  /** Accuracy on the images of all places. */
  everywhere: number | null
}

/** Returns the sentence on the accuracy of a model in one place, beside that in all places. */
export function placeSentence({ model, title, place, overall, everywhere }: PlaceFacts): string {
  if (overall.top1 === null || everywhere === null)
    return `${model} has no prediction for an image of ${title} in ${place}.`
  const { low, high } = overall
  const range = low === null || high === null ? '' : bracketedInterval(inPoints([low, high]), 1)
  const points = signedText(100 * Math.abs(overall.top1 - everywhere), 1)
  const order = overall.top1 < everywhere ? 'fewer' : 'more'
  return `${model} gets ${percent(overall.top1)} % of ${imagesText(overall)} of ${title} in ${place} right${range}, ${points} points ${order} than the ${percent(everywhere)} % of all places.`
}

/** `2,548 images`, or `500 of 1,670 images` where the evaluation is not complete. */
export const imagesText = ({ n, of }: AnswerAccuracy): string =>
  of === null ? countText(n, 'image') : `${n.toLocaleString('en-US')} of ${countText(of, 'image')}`

/** Whether a disparity can be told from chance: by its permutation test, and by its interval if it has one. */
export const isBeyondChance = ({ interval, p }: Pick<InferenceRow, 'interval' | 'p'>): boolean =>
  p !== null && p < 0.05 && (interval === null || interval[0] > 0)

/** Returns the interval of a disparity, and whether it can be told from chance. */
function disparityText({ interval, p, reason }: DisparityFacts): string {
  const range = bracketedInterval(interval && inPoints(interval), 1)
  const isShown = isBeyondChance({ interval, p })
  const chance =
    p === null
      ? ', of which it is not known how much is chance'
      : isShown
        ? `, more than chance explains (${pEquation(p)})`
        : `, which cannot be told from chance (${pEquation(p)})`
  return `${range}${chance}${interval === null && reason !== null ? `; ${reason}` : ''}`
}
