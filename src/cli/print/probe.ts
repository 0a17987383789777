import { countText, pEquation, percent, pNumber } from '../../lib/table/text.ts'
import { describeSteps, nativeSteps, type PreprocessingConfig } from '../../lib/pixels/steps.ts'
import {
  type TableColumn,
  fieldColumn,
  fieldColumns,
  shareColumn,
} from '../../lib/table/columns.ts'
import { bestSetting, type ProbedSetting } from '../../experiments/probe/probe.ts'
import { type ProbeResult } from '../../experiments/probe/probeRun.ts'
import { type Answer } from './answer.ts'

/** Says which setting is far better than the declared one and by how much, or that none is. */
export function probeSentence({ settings }: ProbeResult): string {
  const [declared, ...others] = settings
  const best = bestSetting(settings)
  if (!best) return `none of ${others.length} other settings is far better than the declared one`
  const { changes, accuracy, loss, adjusted } = best
  return (
    `far better than declared: ${changes.join(', ')}: accuracy ${percent(accuracy)} % against ${percent(declared!.accuracy)} %, ` +
    `log loss ${loss.toFixed(2)} against ${declared!.loss.toFixed(2)} (${pEquation(adjusted!)})`
  )
}

const columns: TableColumn<ProbedSetting>[] = [
  { name: 'setting', heading: 'setting', value: row => row.changes.join(', ') || 'as declared' },
  shareColumn('accuracy', 'accuracy %'),
  fieldColumn('loss', 'log loss', (loss: number) => loss.toFixed(2)),
  ...fieldColumns({ better: 'better on', worse: 'worse on' }),
  fieldColumn('adjusted', 'adjusted p', (p: number | null) => (p === null ? '–' : pNumber(p))),
  {
    name: 'far_better',
    heading: 'far better',
    value: row => String(row.farBetter),
    show: row => (row.farBetter ? 'yes' : ''),
  },
  { name: 'steps', heading: '', value: row => describeSteps(nativeSteps(row.recipe)) },
]

/** Returns the answer with a row for each setting. */
export function probeAnswer(probe: ProbeResult): Answer<ProbedSetting> {
  const { model, dataset, images, leftOut, settings } = probe
  const best = bestSetting(settings)
  const away =
    leftOut === 0
      ? ''
      : `; ${countText(leftOut, 'image')} left out (unreadable, too small for a setting, or of no accepted class)`
  const notes = [
    `${model} on ${dataset}: ${countText(images, 'image')} in every setting${away}. Declared: ${describeSteps(nativeSteps(settings[0]!.recipe))}.`,
    'Log loss: mean of minus the natural logarithm of the probability that the accepted classes get; lower is better. better on, worse on: images whose accepted classes get a higher or lower probability than as declared.',
    `p: exact two-sided sign test of better against worse, times the ${settings.length - 1} settings tried. Far better: p below 0.05 and log loss lower by 15 % or more.`,
    ...(best ? [`To use it, describe the model with: ${recipeJson(best.recipe)}`] : []),
  ]
  return { sentence: probeSentence(probe), columns, rows: settings, notes }
}

/** Returns the steps as the field `preprocessing` of a `model.json` takes them. */
const recipeJson = (recipe: PreprocessingConfig): string => {
  const {
    resize = Math.floor(recipe.size / recipe.cropPct),
    interpolation,
    squash,
    size,
    cropOffset,
    mean,
    std,
    channels,
  } = recipe
  const steps = [
    { step: 'resize', size: resize, interpolation, squash: squash || undefined },
    { step: 'centerCrop', size, offset: cropOffset },
    { step: 'normalize', mean, std, channels },
  ]
  return `"preprocessing": ${JSON.stringify(steps)}`
}
