import { inputError } from '../lib/errors.ts'
import { standardDeviation, mean } from '../metrics/numbers.ts'

/** A figure of an experiment at one setting, over its seeds. */
export interface StudySummaryRow {
  /** The varied quantity: a fraction of the data, or a western share. */
  setting: number
  metric: string
  /** One value for each seed, in their order; null if the figure is not defined. */
  values: (number | null)[]
  /** Mean of the defined values; null if there are none. */
  mean: number | null
  /** Sample standard deviation; null with fewer than two defined values. */
  deviation: number | null
}

export interface StudyOptions {
  settings: readonly number[]
  /** Number of seeds, which are 1, 2 … */
  seeds: number
  /** Trains and evaluates one model and returns its figures by name. */
  run: (setting: number, seed: number) => Promise<Readonly<Record<string, number | null>>>
}

/**
 * Runs every setting with every seed, one after the other, and returns means and deviations (tables 4 and 9, figure 11).
 * @throws GeogapError `bad-study` without settings or seeds, or if runs differ in the names of their figures.
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
