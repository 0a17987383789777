import { count } from '../../lib/table/text.ts'
import { describeSteps, nativeSteps, type Recipe } from '../../lib/pixels/steps.ts'
import { type Column, fields, type Format, share } from '../../lib/table/columns.ts'
import { percent } from '../../lib/table/text.ts'
import { answerText } from '../../analysis/answer.ts'
import { pEquation, pNumber } from '../../analysis/compareText.ts'
import { bestOf, type Probed } from './probe.ts'
import { type Probe } from './probeRun.ts'

/** `no setting tried is far better than the declared one`, or which one is, and by how much. */
export function probeSentence({ settings }: Probe): string {
  const [declared, ...others] = settings
  const best = bestOf(settings)
  if (!best) return `none of ${others.length} other settings is far better than the declared one`
  const { changes, accuracy, loss, adjusted } = best
  return (
    `far better than declared: ${changes.join(', ')}: accuracy ${percent(accuracy)} % against ${percent(declared!.accuracy)} %, ` +
    `log loss ${loss.toFixed(2)} against ${declared!.loss.toFixed(2)} (${pEquation(adjusted!)})`
  )
}

const columns: Column<Probed>[] = [
  { name: 'setting', heading: 'setting', value: row => row.changes.join(', ') || 'as declared' },
  share('accuracy', 'accuracy %'),
  { name: 'loss', heading: 'log loss', value: row => row.loss, show: row => row.loss.toFixed(2) },
  ...fields({ better: 'better on', worse: 'worse on' }),
  {
    name: 'adjusted',
    heading: 'adjusted p',
    value: row => row.adjusted,
    show: row => (row.adjusted === null ? '–' : pNumber(row.adjusted)),
  },
  {
    name: 'far_better',
    heading: 'far better',
    value: row => String(row.farBetter),
    show: row => (row.farBetter ? 'yes' : ''),
  },
  { name: 'steps', heading: '', value: row => describeSteps(nativeSteps(row.recipe)) },
]

/** Sentence, table and what the numbers are; the formats for programs have the table alone. */
export function probeText(probe: Probe, format: Format): string {
  const { model, dataset, images, leftOut, settings } = probe
  const best = bestOf(settings)
  const away =
    leftOut === 0
      ? ''
      : `; ${count(leftOut, 'image')} left out (unreadable, too small for a setting, or of no accepted class)`
  const notes = [
    `${model} on ${dataset}: ${count(images, 'image')} in every setting${away}. Declared: ${describeSteps(nativeSteps(settings[0]!.recipe))}.`,
    'Log loss: mean of minus the natural logarithm of the probability that the accepted classes get; lower is better. better on, worse on: images whose accepted classes get a higher or lower probability than as declared.',
    `p: exact two-sided sign test of better against worse, times the ${settings.length - 1} settings tried. Far better: p below 0.05 and log loss lower by 15 % or more.`,
    ...(best ? [`To use it, describe the model with: ${recipeJson(best.recipe)}`] : []),
  ]
  return answerText(probeSentence(probe), [columns, settings], notes, format)
}

/** As `preprocessing` of a model.json takes it. */
const recipeJson = (recipe: Recipe): string => {
  const { resize = Math.floor(recipe.size / recipe.cropPct), interpolation, squash, size, mean, std, channels } = recipe
  const steps = [
    { step: 'resize', size: resize, interpolation, ...(squash && { squash }) },
    { step: 'centerCrop', size },
    { step: 'normalize', mean, std, ...(channels && { channels }) },
  ]
  return `"preprocessing": ${JSON.stringify(steps)}`
}
