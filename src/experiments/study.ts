import { inputError } from '../lib/errors.ts'
import { standardDeviation, mean } from '../metrics/numbers.ts'

/** One figure of an experiment over its seeds. */
export interface StudySummaryRow {
  /** What was varied: a fraction of the data, a western share. */
  setting: number
  metric: string
  /** One value per seed, in the seeds' order; null where the figure is not defined. */
  values: (number | null)[]
  /** Over the defined values; null where there are none. */
  mean: number | null
  /** Sample standard deviation; null with fewer than two defined values. */
  deviation: number | null
}

export interface StudyOptions {
  settings: readonly number[]
  /** Seeds 1 … this. */
  seeds: number
  /** Trains and evaluates one model and gives its figures by name. */
  run: (setting: number, seed: number) => Promise<Readonly<Record<string, number | null>>>
}

/**
 * Every setting with every seed, one after the other, as mean ± deviation (tables 4 and 9, figure 11).
 * @throws GeogapError `bad-study` without settings or seeds, or when runs differ in the names of their figures.
 */
export async function runStudy({ settings, seeds, run }: StudyOptions): Promise<StudySummaryRow[]> {
  if (settings.length === 0 || seeds < 1)
    throw inputError('bad-study', 'no settings or no seeds to study')
  const rows: StudySummaryRow[] = []
  for (const setting of settings) {
    const figures: Readonly<Record<string, number | null>>[] = []
    for (let seed = 1; seed <= seeds; seed++) figures.push(await run(setting, seed))
    for (const metric of Object.keys(figures[0]!))
      rows.push(summarizeFigure(setting, metric, figures))
  }
  return rows
}

function summarizeFigure(
  setting: number,
  metric: string,
  figures: readonly Readonly<Record<string, number | null>>[],
): StudySummaryRow {
  const values = figures.map(({ [metric]: value }) => {
    if (value === undefined) throw inputError('bad-study', `a run at ${setting} gave no ${metric}`)
    return value
  })
  const defined = values.filter(value => value !== null)
  const center = defined.length > 0 ? mean(defined) : null
  return {
    setting,
    metric,
    values,
    mean: center,
    deviation: defined.length > 1 ? standardDeviation(defined) : null,
  }
}
